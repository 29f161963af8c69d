"""The index of identities answers as a plain dictionary would, whatever was merged with what."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.core.model import IdBlock
from streams.identity import Identities

MANY = settings(max_examples=300, deadline=None, derandomize=True)
HALVES = st.integers(0, 4) | st.integers((1 << 64) - 3, (1 << 64) - 1)  # many share their upper 64 bits
STAMPS = st.tuples(HALVES, HALVES, st.integers(0, (1 << 32) - 1)).map(
    lambda parts: parts[0].to_bytes(8, "big") + parts[1].to_bytes(8, "big") + parts[2].to_bytes(4, "big")
)
CHUNKS = st.lists(st.tuples(st.integers(0, 2), st.lists(STAMPS, max_size=12)), max_size=25)


@MANY
@given(CHUNKS)
def test_it_remembers_the_first_copy_of_everything(chunks: list[tuple[int, list[bytes]]]) -> None:
    index = Identities()
    model: dict[tuple[int, bytes], int] = {}
    for day, stamps in chunks:
        known = index.known(day, stamps)
        assert known == {at: model[day, s[:16]] for at, s in enumerate(stamps) if (day, s[:16]) in model}
        fresh = {s[:16]: s for s in reversed(stamps) if (day, s[:16]) not in model}
        if fresh:
            index.add(day, b"".join(fresh.values()))
        model |= {(day, identity): int.from_bytes(s[16:], "big") for identity, s in fresh.items()}


def numbered(first: int, last: int) -> list[bytes]:
    """Return stamps that no order of offsets is the order of."""
    return [
        (n * 0x9E3779B97F4A7C15 % (1 << 64)).to_bytes(8, "big") + bytes(8) + n.to_bytes(4, "big")
        for n in range(first, last)
    ]


def test_many_chunks_of_any_size_are_merged_and_nothing_is_lost() -> None:
    index, n = Identities(), 0
    for size in [1, 500, 3, 3, 3, 1_000, 1, 1, *[7] * 100, 2_000, *[1] * 50]:
        index.add(5, b"".join(numbered(n, n + size)))
        n += size
    assert index.known(5, numbered(0, n)) == dict(enumerate(range(n)))
    assert index.known(5, numbered(n, n + 100)) == {}
    assert len(index._days[5]) <= 12, "runs of similar size are merged"


def test_a_block_from_the_store_is_as_good_as_a_chunk() -> None:
    index = Identities()
    index.load(IdBlock(3, 99, b"".join(numbered(0, 4))))
    assert index.known(3, numbered(2, 6)) == {0: 2, 1: 3}
    assert index.known(4, numbered(0, 4)) == {}
    assert index.known(3, []) == {}


def index_of(*days: int, closed_through: int | None = None) -> Identities:
    """Return an index that knows one, two, … ids of *days*."""
    index = Identities()
    for n, day in enumerate(days, 1):
        index.add(day, b"".join(numbered(0, n)))
    if closed_through is not None:
        index.close_through(closed_through)
    return index


def test_open_days_are_known_whether_they_hold_any_or_not() -> None:
    assert Identities().unknown([1, 2]) == []
    assert Identities(closed_through=1).unknown([1, 2]) == [1]


def test_a_day_that_closes_stays_known() -> None:
    index = index_of(1, 3, closed_through=2)
    assert index.unknown([1, 2, 3, 4]) == [2]
    assert index.closed_ids == 1
    assert index.known(1, numbered(0, 1)) == {0: 0}


def test_a_day_of_which_the_store_has_nothing_is_known_once_it_was_asked() -> None:
    index = Identities(closed_through=5)
    index.load_day(3, [])
    index.load_day(4, [IdBlock(4, n, b"".join(numbered(n, n + 1))) for n in range(2)])
    assert index.unknown([3, 4, 5]) == [5]
    assert index.known(3, numbered(0, 3)) == {}
    assert index.known(4, numbered(0, 3)) == {0: 0, 1: 1}
    assert index.closed_ids == 2


def test_closed_days_beyond_the_bound_are_dropped_the_longest_unused_first() -> None:
    index = index_of(1, 2, 3, 4, closed_through=3)  # of one, two and three ids
    index.known(1, numbered(0, 1))
    index.trim(4, None, ())
    assert index.unknown(range(5)) == [0, 2]
    assert index.closed_ids == 4
    index.add(1, b"".join(numbered(7, 9)))
    index.trim(4, None, ())
    assert index.unknown(range(5)) == [0, 2, 3]
    assert (index.closed_ids, index.known(4, numbered(0, 1))) == (3, {0: 0})


def test_days_that_nobody_asks_for_any_more_are_dropped_whatever_the_bound() -> None:
    index = index_of(1, 2, 3, closed_through=2)
    index.trim(100, 2, ())
    assert index.unknown([1, 2, 3]) == [1]
    index.trim(100, 9, ())
    assert index.unknown([1, 2, 3]) == [1, 2], "an open day stays"
    assert index.closed_ids == 0


def test_days_that_the_store_does_not_have_yet_are_never_dropped() -> None:
    index = index_of(1, 2, 3, closed_through=3)
    index.trim(0, 9, {2})
    assert index.unknown([1, 2, 3]) == [1, 3]
