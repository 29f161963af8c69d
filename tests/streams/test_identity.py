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


def test_days_are_forgotten_through_the_one_that_closed() -> None:
    index = Identities()
    for day in range(5):
        index.add(day, b"".join(numbered(0, 1)))
    index.drop_through(2)
    assert [day for day in range(5) if index.known(day, numbered(0, 1))] == [3, 4]
