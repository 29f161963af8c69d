"""What an anomaly line says: ids as the contract hashes them, percentages cut, one content per revision."""

import json
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal, localcontext
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.core.tables import ANOMALIES
from engines.core.time import US_PER_DAY, parse_instant
from engines.cost.anomalies import (
    FINAL,
    PROVISIONAL,
    WITHDRAWN,
    Rules,
    Spike,
    anomaly_id,
    anomaly_row,
    cut_pct,
    episode_id,
    fact,
    fact_message,
    observed_us,
    spike_line,
)
from engines.cost.rules import REFERENCE, STANDARD, USD, DerivedCause
from tests import oracle

MANY = settings(max_examples=300, deadline=None, derandomize=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
RULES = Rules(STANDARD)
SPIKE = Spike(
    tenant_id="acme",
    entity_type="user",
    entity_id="u1",
    day=20_530,
    current=15_123_456_789,
    base=100 * USD,
    base_days=10,
    streak_start=20_529,
    threshold_pct=40,
    tenant_streak_start=20_530,
    unpriced_requests=2,
    records=21,
    newest_us=20_530 * US_PER_DAY + 5_000_001,
    severity="HIGH",
    cause=DerivedCause.UNKNOWN,
    closed=False,
)


@MANY
@given(st.tuples(TEXT, TEXT, TEXT, TEXT, TEXT, st.none() | TEXT))
@example(("".join(map(chr, range(32))), '"\\/', "\x7f\x80\x9f", "\u2028\u2029\ufeff", "\U0001f600é\uffff", None))
def test_an_id_is_the_hash_of_compact_json(parts: tuple[str, str, str, str, str, str | None]) -> None:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    digest = sha256(text.encode()).hexdigest()[:16]
    assert (anomaly_id(*parts), episode_id(*parts)) == (f"ca_{digest}", f"ep_{digest}")


def test_ids_are_the_same_in_every_release() -> None:
    day = "2026-03-18T00:00:00Z"
    assert anomaly_id("acme", "ABSOLUTE_SPIKE", "tenant", "acme", day, None) == "ca_fd25f3aadd9406da"
    assert anomaly_id("tenant-ß", "BUDGET", "feature", 'a "b"\n', day, "daily") == "ca_8be8be9fad9a8e50"
    assert episode_id("acme", "ABSOLUTE_SPIKE", "user", "u1", day, None) == "ep_7076c593eefbfd99"


@MANY
@given(st.integers(-(10**30), 10**30), st.integers(1, 10**30))
@example(-1, 100_000)
@example(2, 3)
@example(4_999_999, 100_000_000)
def test_a_percentage_is_cut_toward_zero_to_two_decimals(numerator: int, denominator: int) -> None:
    with localcontext(prec=80):
        exact = Decimal(numerator) * 100 / Decimal(denominator)
        assert cut_pct(numerator, denominator) == float(exact.quantize(Decimal("0.01"), ROUND_DOWN))


def test_a_line_says_what_its_spike_is() -> None:
    line = spike_line(SPIKE, PROVISIONAL, RULES)
    start, before = "2026-03-18T00:00:00Z", "2026-03-17T00:00:00Z"
    assert line == {
        "anomaly_id": oracle.anomaly_id("acme", ("user", "u1"), 20_530),
        "tenant_id": "acme",
        "anomaly_type": "ABSOLUTE_SPIKE",
        "severity": "HIGH",
        "entity_type": "user",
        "entity_id": "u1",
        "window_start": start,
        "window_end": "2026-03-19T00:00:00Z",
        "period": None,
        "current_nanousd": 15_123_456_789,
        "expected_nanousd": 10 * USD,
        "deviation_pct": 51.23,
        "threshold_pct": 40,
        "breach_count": 2,
        "streak_start": before,
        "episode_id": oracle.episode_id("acme", ("user", "u1"), 20_529),
        "derived_cause": "UNKNOWN",
        "cause_evidence": None,
        "unpriced_requests": 2,
        "restated": False,
        "tenant_episode_id": oracle.episode_id("acme", ("tenant", "acme"), 20_530),
        "message": "ABSOLUTE_SPIKE: user u1 spent 51.2% above its daily baseline, 2 consecutive days",
        "metadata": {},
        "rules": {"profile": "standard", "version": 1, "changed": {}},
        "budget": None,
        "status": "provisional",
        "revision": 42,
    }


def test_a_spike_that_stands_alone_is_one_day() -> None:
    alone = spike_line(replace(SPIKE, streak_start=20_530, current=30 * USD), FINAL, RULES)
    assert alone["breach_count"] == 1
    assert alone["message"] == "ABSOLUTE_SPIKE: user u1 spent 200.0% above its daily baseline, 1 day"


def test_the_expected_is_the_floor_of_the_mean() -> None:
    assert spike_line(replace(SPIKE, base=20, base_days=3), FINAL, RULES)["expected_nanousd"] == 6


def test_a_revision_is_twice_the_records_and_odd_once_closed() -> None:
    assert spike_line(SPIKE, PROVISIONAL, RULES)["revision"] == 42
    for status in (FINAL, WITHDRAWN):
        assert spike_line(replace(SPIKE, closed=True), status, RULES)["revision"] == 43


@pytest.mark.parametrize("entity_type, tenant_streak, told", [
    ("tenant", 20_530, False), ("user", None, False), ("feature", 20_530, True),
])  # fmt: skip
def test_the_tenants_episode_is_named_where_it_has_one_that_is_not_this(
    entity_type: str, tenant_streak: int | None, told: bool
) -> None:
    spike = replace(SPIKE, entity_type=entity_type, tenant_streak_start=tenant_streak)
    assert (spike_line(spike, FINAL, RULES)["tenant_episode_id"] is not None) == told


def test_the_rules_are_named_with_their_profile() -> None:
    assert Rules(REFERENCE).line() == {"profile": "reference", "version": 1, "changed": {}}


def test_a_fact_is_its_line_and_cents_and_when_it_was_seen() -> None:
    line = spike_line(SPIKE, PROVISIONAL, RULES)
    told = fact(line, observed_us(SPIKE, PROVISIONAL))
    assert told == line | {
        "current_value_cents": 1_512,
        "expected_value_cents": 1_000,
        "confidence": 1.0,
        "observed_at": "2026-03-18T00:00:05.000001Z",
    }
    assert fact({**line, "current_nanousd": None}, 0)["current_value_cents"] is None


@pytest.mark.parametrize("status, seen", [
    (FINAL, 20_531 * US_PER_DAY), (PROVISIONAL, SPIKE.newest_us), (WITHDRAWN, SPIKE.newest_us),
])  # fmt: skip
def test_what_is_final_was_seen_at_the_windows_end(status: str, seen: int) -> None:
    assert observed_us(SPIKE, status) == seen


def test_a_fact_goes_where_its_tenant_goes_under_its_own_id() -> None:
    told: dict[str, Any] = fact(spike_line(SPIKE, PROVISIONAL, RULES), SPIKE.newest_us)
    message = fact_message(told)
    assert (message.topic, message.route) == ("cost-anomaly-facts", b"acme")
    assert message.key == told["anomaly_id"].encode()
    assert (message.value or b"").decode() == json.dumps(told, sort_keys=True, separators=(",", ":"))
    assert dict(message.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": f"{told['anomaly_id']}:42".encode(),
        "ce_source": b"outlay/cost",
        "ce_type": b"cost-anomaly-fact",
        "ce_time": b"2026-03-18T00:00:05.000001Z",
        "content-type": b"application/json",
    }


def test_a_row_has_the_columns_of_its_table_and_the_whole_line() -> None:
    line = spike_line(SPIKE, FINAL, RULES)
    row = anomaly_row(line)
    cells = dict(zip([column.name for column in ANOMALIES.columns], row.values, strict=True))
    assert json.loads(str(cells.pop("line"))) == line
    times = {name: parse_instant(str(line[name])) for name in ("window_start", "window_end")}
    assert cells == {name: line[name] for name in cells} | times
