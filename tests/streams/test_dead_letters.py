"""Dead letters read back from their topic, chosen from, and what is said of those that were sent again."""

import pytest

from drivers.kafka.murmur2 import partition_of
from drivers.kafka.stored import StoredRecord
from engines.core.model import Invalid, LogRecord
from streams import fates
from streams.dead_letters import (
    RETRIED_FROM,
    DeadLetter,
    Place,
    Told,
    Wanted,
    fate,
    headers_again,
    home,
    parse,
    parse_late,
)

HEADERS = (("trace", b"\x00\xff"), ("trace", b"2"))
GOOD = b'{"tenant_id":"acme"}'


def letter_of(
    record: LogRecord, field: str | None = "cost_cents", reason: str = "is negative\nTraceback …", partition: int = 3
) -> DeadLetter:
    """Return the letter that a worker would publish of *record*, read back."""
    line = fates.dead_letter("costs", partition, record, Invalid(field, reason))
    found = parse(StoredRecord(0, 5, 1_000, line.key, line.value, line.headers))
    assert found is not None
    return found


def test_a_letter_gives_its_record_back_byte_for_byte() -> None:
    for key, value in ((b"k\xff", b"\xff\x00"), (None, None), (b"", b"")):
        letter = letter_of(LogRecord(17, 99, key, value, HEADERS))
        assert (letter.key, letter.value, tuple(letter.headers)) == (key, value, HEADERS)
        assert str(letter.place) == letter.origin == "costs/3/17"
        assert (letter.field, letter.summary, letter.at_ms) == ("cost_cents", "is negative", 1_000)


@pytest.mark.parametrize("value", [None, b"", b"{", b"{}", b'{"topic":1}', b"\xff", b'{"topic":"costs"}'])
def test_what_is_no_letter_is_left_out(value: bytes | None) -> None:
    assert parse(StoredRecord(0, 5, 1_000, b"costs/3/17", value, ())) is None
    assert parse_late(StoredRecord(0, 5, 1_000, b"costs/3/17", value, ())) is None


def test_a_record_sent_again_keeps_where_it_died_first_whatever_happens_to_it() -> None:
    first = letter_of(LogRecord(17, 99, b"k", GOOD, HEADERS))
    again = letter_of(LogRecord(40, 99, b"k", GOOD, headers_again(first)), partition=1)
    assert (str(again.place), again.origin) == ("costs/1/40", "costs/3/17")
    assert headers_again(again) == headers_again(first) == [*HEADERS, (RETRIED_FROM, b"costs/3/17")]


def test_a_record_goes_home_and_one_without_a_tenant_where_it_was() -> None:
    assert home(letter_of(LogRecord(17, 99, b"foreign", GOOD)), 12, partition_of) == partition_of(b"acme", 12)
    for value in (None, b"{bad", b'{"tenant_id":""}'):
        assert home(letter_of(LogRecord(17, 99, b"k", value)), 12, partition_of) == 3


def test_filters_hold_together() -> None:
    letter = letter_of(LogRecord(17, 99, b"k", GOOD))
    assert Wanted().everything
    for wanted in (
        Wanted(),
        Wanted(field="cost_cents", reason="IS NEG", topic="costs"),
        Wanted(places=frozenset({"costs/3/17"})),
    ):
        assert wanted.has(letter)
        assert wanted.possible(b"costs/3/17")
    for wanted in (
        Wanted(field="model"),
        Wanted(reason="too large"),
        Wanted(topic="runs"),
        Wanted(field="cost_cents", reason="too large"),
        Wanted(places=frozenset({"costs/3/18"})),
    ):
        assert not wanted.has(letter)
    assert not Wanted(places=frozenset({"costs/3/18"})).possible(b"costs/3/17")


@pytest.mark.parametrize("text", ["", "costs", "costs/3", "/3/4", "costs/3/x", "costs/-3/4", "costs/3/4/"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no place such as costs/3/17"):
        Place.parse(text)
    assert Place.parse("a/b/3/4") == Place("a/b", 3, 4)


def test_a_fate_is_said_as_far_as_it_can_be_seen() -> None:
    at = [Place("costs", 0, offset) for offset in range(4)]
    told = Told({at[0]: "is negative"}, {at[1]: "restated", at[2]: "too_old"})
    moved = {"accepted": 1, "duplicates": 1}
    assert [fate(place, told, moved) for place in at] == [
        "dead again: is negative",
        "accepted, corrects a closed day",
        "late, not counted: too_old",
        "accepted or duplicate",
    ]
    assert fate(at[3], told, {"accepted": 5}) == "accepted"
    assert fate(at[3], told, {"accepted": 0, "duplicates": 2}) == "duplicate"
