"""The reading of records, ids and keys, against values worked out by hand."""

from dataclasses import replace

import pytest

from tests.generated import FAULTS, faulty
from tests.oracle import (
    Bad,
    Outcome,
    Record,
    anomaly_id,
    decode,
    episode_id,
    evaluate,
    home,
    murmur2,
    parse_time,
    partition_of,
)
from tests.oracle.cases import MARCH_4, at_us, fates, record
from tests.oracle.records import DAY_US, HOUR_US, SECOND_US

MINUTE_US = 60 * SECOND_US


def test_ids_are_the_hashes_that_sha256sum_prints() -> None:
    tenant = ("tenant", "acme")
    assert anomaly_id("acme", tenant, MARCH_4) == "ca_219cbd99b90c2be8"
    assert episode_id("acme", tenant, MARCH_4 - 1) == "ep_9b7ce3f967233183"
    assert anomaly_id("größe", ("user", 'a"b\n'), MARCH_4) == "ca_72e916a5f1ebeaec"
    assert anomaly_id("t", ("feature", "x"), MARCH_4 - 3, "BUDGET", "monthly") == "ca_f65e899f46fb58a2"


@pytest.mark.parametrize(
    "key, java",
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_a_key_hashes_as_the_java_clients_hash_it(key: bytes, java: int) -> None:
    assert murmur2(key) == java & 0xFFFFFFFF
    assert partition_of(key, 12) == (java & 0x7FFFFFFF) % 12


@pytest.mark.parametrize("field, text", [(field, text) for field, texts in FAULTS.items() for text in texts])
def test_each_fault_blames_its_field(field: str, text: str | None) -> None:
    judged = decode(faulty(record("2026-03-04T00:00:00Z"), field, text))
    assert isinstance(judged, Bad)
    assert judged.field == field


@pytest.mark.parametrize(
    "text, micros",
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:01.0000019z", 1_000_001),
        ("1969-12-31T23:30:00-00:30", 0),
        ("9998-12-31T23:59:59.999999999Z", 253_370_764_799_999_999),
        ("2026-03-04T05:30:00+05:30", MARCH_4 * DAY_US),
        ("2026-03-04T24:00:00Z", None),
        ("2026-03-04T23:59:60Z", None),
        ("2026-03-04T00:00:00+24:00", None),
        ("9998-12-31T23:30:00-00:30", None),
        ("٢026-03-04T00:00:00Z", None),
    ],
)
def test_times_are_read_to_the_microsecond(text: str, micros: int | None) -> None:
    assert parse_time(text) == micros


@pytest.mark.parametrize(
    "cents, nanousd",
    [
        ("0.00000005", 0),
        ("0.00000015", 2),
        ("0.000000150000000000000000000000000000000001", 2),
        ("0.00000025", 2),
        ("1e8", 10**15),
        ("0", 0),
        ("0.1", 1_000_000),
        ("1e-400", 0),
    ],
)
def test_cost_is_decimal_and_rounds_half_even(cents: str, nanousd: int) -> None:
    decoded = decode(record("2026-03-04T00:00:00Z", cents).value)
    assert isinstance(decoded, Record)
    assert decoded.given_nanousd == nanousd


def test_what_unknown_fields_hold_is_not_judged_but_nesting_is() -> None:
    def nested(depth: int) -> bytes:
        whole = record("2026-03-04T00:00:00Z").value or b""
        return whole[:-1] + b',"odd":[1e400,"\\ud800\\u0000"],"deep":' + b"[" * depth + b"]" * depth + b"}"

    assert isinstance(decode(nested(63)), Record)
    assert decode(nested(512)) == Bad(None, "nested too deeply")
    assert decode(nested(400_000)) == Bad(None, "nested too deeply")


def test_headers_fill_what_the_body_leaves_out_and_name_the_source() -> None:
    body = b'{"id":null,"tenant_id":"acme","model":"m","input_tokens":0,"output_tokens":0}'
    headers = (("ce_id", b"h"), ("ce_time", b"2026-03-04T00:00:00Z"), ("ce_source", b"gw"), ("ce_type", b"cost-record"))
    decoded = decode(body, headers)
    assert isinstance(decoded, Record)
    assert (decoded.id, decoded.source, decoded.day) == ("h", "gw", MARCH_4)
    assert decode(body, (*headers[:3], ("ce_type", b"run-started"))) == Bad("type", "unknown type")


def test_five_minutes_ahead_is_accepted_and_a_microsecond_more_is_not() -> None:
    append_us = at_us("2026-03-04T00:00:00Z")
    log = [
        record("2026-03-04T00:05:00Z", append_us=append_us),
        record("2026-03-04T00:05:00.000001Z", append_us=append_us),
    ]
    outcome = evaluate(log)
    assert fates(outcome) == ["accepted", "dead"]
    assert (outcome.dead[0]["field"], outcome.dead[0]["reason"]) == ("occurred_at", "future")
    assert fates(evaluate([replace(one, append_us=None) for one in log], now_us=append_us)) == ["accepted", "dead"]


def test_a_day_closes_when_the_watermark_reaches_its_end_and_the_grace() -> None:
    late = record("2026-03-03T23:59:59Z")
    before = record("2026-03-04T01:04:59.999999Z")
    at = record("2026-03-04T01:05:00Z")
    assert fates(evaluate([before, late])) == ["accepted", "accepted"]
    assert fates(evaluate([at, late])) == ["accepted", "restated"]
    assert evaluate([at]).ends[0].closed_through == MARCH_4 - 1


def test_only_a_gap_over_sixty_seconds_moves_the_watermark_before_the_record() -> None:
    start_us = at_us("2026-03-03T23:00:00Z")

    def outcome(gap_us: int) -> Outcome:
        first = record("2026-03-03T22:05:00Z", append_us=start_us)
        return evaluate([first, record("2026-03-03T22:04:00Z", append_us=start_us + gap_us)])

    assert outcome(60 * SECOND_US).ends[0].watermark_us == at_us("2026-03-03T22:00:00Z")
    assert outcome(60 * SECOND_US + 1).ends[0].watermark_us == at_us("2026-03-03T22:01:00.000001Z")
    assert fates(outcome(3 * HOUR_US - 1)) == ["accepted", "accepted"]
    assert fates(outcome(3 * HOUR_US)) == ["accepted", "restated"]


def test_dead_and_forwarded_records_leave_the_watermark_and_its_clock_alone() -> None:
    start_us = at_us("2026-03-04T12:00:00Z")
    mine = record("2026-03-04T12:00:00Z", append_us=start_us)
    away = next(name for name in "abcdefgh" if home(name, 2) != home("acme", 2))
    foreign = record("2026-03-04T12:00:30Z", append_us=start_us + 40 * SECOND_US, tenant_id=away)
    again = record("2026-03-04T12:00:00Z", append_us=start_us + 80 * SECOND_US)
    at = home("acme", 2)
    log = [replace(one, partition=at) for one in (mine, foreign, replace(foreign, value=b"?"), again)]
    outcome = evaluate(log, partitions=2)
    assert outcome.summary["forwarded"] == outcome.summary["dead"] == 1
    assert outcome.ends[at].watermark_us == start_us - 5 * MINUTE_US + 80 * SECOND_US
    assert outcome.summary["accepted"] == 2
    assert outcome.summary["duplicates"] == 1
    assert outcome.summary["events"] == 5


def test_too_old_is_more_than_thirty_five_days_before_the_watermark() -> None:
    log = [
        record("2026-03-04T00:04:59.999999Z"),
        record("2026-01-27T12:00:00Z"),
        record("2026-01-26T12:00:00Z"),
        record("2026-03-04T00:05:00Z"),
        record("2026-01-27T13:00:00Z"),
        record("2026-01-28T13:00:00Z"),
    ]
    assert fates(evaluate(log)) == ["accepted", "restated", "too_old", "accepted", "too_old", "restated"]


def test_identities_kept_for_fewer_days_than_the_horizon_raise_the_floor() -> None:
    log = [
        record("2026-03-04T12:00:00Z"),
        record("2026-02-25T12:00:00Z"),
        record("2026-02-24T12:00:00Z"),
        record("2026-01-26T12:00:00Z"),
    ]
    assert fates(evaluate(log, dedup_days=7)) == ["accepted", "restated", "dedup_unknown", "too_old"]


def test_a_copy_of_a_closed_days_record_is_a_duplicate_up_to_the_horizon() -> None:
    first, last = record("2026-01-28T12:00:00Z"), record("2026-03-04T12:00:00Z")
    log = [first, last, first, record("2026-01-28T13:00:00Z"), record("2026-01-28T13:00:00Z")]
    assert fates(evaluate(log)) == ["accepted", "accepted", "duplicate", "restated", "duplicate"]
    (line,) = evaluate(log).late
    assert (line["reason"], line["id"], line["offset"]) == ("restated", "2026-01-28T13:00:00Z", 3)
    assert evaluate(log).summary["restated"] == 1
    assert fates(evaluate([first, record("2026-03-05T12:00:00Z"), first])) == ["accepted", "accepted", "too_old"]


def test_a_copy_is_known_by_tenant_source_id_and_day_and_the_first_wins() -> None:
    first = record("2026-03-04T12:00:00Z", "1", id="x")
    log = [
        first,
        record("2026-03-04T17:30:00+05:30", "1.0", id="x", is_retry=None),
        record("2026-03-04T12:00:01Z", "1", id="x"),
        record("2026-03-05T00:00:00Z", "1", id="x"),
        record("2026-03-04T12:00:00Z", "1", id="x", tenant_id="globex"),
        replace(first, headers=(("ce_source", b"gw"),)),
    ]
    outcome = evaluate(log)
    assert fates(outcome) == ["accepted", "duplicate", "duplicate", "accepted", "accepted", "accepted"]
    assert outcome.summary["conflicting"] == 1
