"""What an anomaly line says: ids as the contract hashes them, percentages cut, one content per revision."""

import json
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal, localcontext
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.core.money import NANOUSD_PER_USD as USD
from engines.core.tables import ANOMALIES
from engines.core.time import US_PER_DAY, parse_instant
from engines.cost.anomalies import (
    FINAL,
    PROVISIONAL,
    anomaly_id,
    anomaly_row,
    cut_pct,
    episode_id,
    fact,
    fact_message,
    line,
)
from engines.cost.causes import Cause, Side, Sides
from engines.cost.finding import BUDGET, DRIFT, SPIKE, UNPRICED, Finding
from engines.cost.rules import STANDARD, DerivedCause, Rules
from engines.cost.settings import Budget
from engines.cost.totals import of_record
from tests import oracle

MANY = settings(max_examples=300, deadline=None, derandomize=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SIDES = Sides(Side(of_record(7, 1, 1), 1), Side(of_record(9, 2, 2), 1), None)
FOUND = Finding(
    kind=SPIKE,
    anomaly_type=SPIKE,
    severity="HIGH",
    entity_type="user",
    entity_id="u1",
    period=None,
    first_day=20_530,
    end_day=20_531,
    current=15_123_456_789,
    expected=10 * USD,
    ratio=(151_234_567_890 - 100 * USD, 100 * USD),
    threshold_pct=40,
    streak_start=20_529,
    rules=Rules(STANDARD),
    holds=True,
    breach_count=2,
    cause=Cause(DerivedCause.TRAFFIC_GROWTH, SIDES),
    unpriced_requests=2,
)
SEEN_US = 20_530 * US_PER_DAY + 5_000_001


def line_of(finding: Finding, status: str = PROVISIONAL, tenant_start: int | None = 20_530) -> dict[str, Any]:
    return line("acme", finding, status, 42, tenant_start, restated=False)


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


def test_a_line_says_what_was_found() -> None:
    assert line_of(FOUND) == {
        "anomaly_id": oracle.anomaly_id("acme", ("user", "u1"), 20_530),
        "tenant_id": "acme",
        "anomaly_type": "ABSOLUTE_SPIKE",
        "severity": "HIGH",
        "entity_type": "user",
        "entity_id": "u1",
        "window_start": "2026-03-18T00:00:00Z",
        "window_end": "2026-03-19T00:00:00Z",
        "period": None,
        "current_nanousd": 15_123_456_789,
        "expected_nanousd": 10 * USD,
        "deviation_pct": 51.23,
        "threshold_pct": 40,
        "breach_count": 2,
        "streak_start": "2026-03-17T00:00:00Z",
        "episode_id": oracle.episode_id("acme", ("user", "u1"), 20_529),
        "derived_cause": "TRAFFIC_GROWTH",
        "cause_evidence": SIDES.evidence,
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


def test_a_budget_line_says_which_budget_of_which_month() -> None:
    of_month = replace(
        FOUND,
        kind=BUDGET,
        anomaly_type="BUDGET_WARNING",
        period="monthly",
        first_day=20_513,
        end_day=20_544,
        ratio=(2, 3),
        budget=(Budget("user", "u1", monthly_limit_cents=900, warn_threshold_pct=60), 900),
    )
    told = line_of(of_month)
    assert told["budget"] == {"limit_cents": 900, "warn_threshold_pct": 60, "usage_pct": 66.66}
    assert (told["window_start"], told["window_end"]) == ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
    month = "2026-03-01T00:00:00Z"
    assert told["anomaly_id"] == anomaly_id("acme", "BUDGET", "user", "u1", month, "monthly")
    assert told["message"] == "BUDGET_WARNING: user u1 spent 66.6% of its monthly budget"


@pytest.mark.parametrize("kind, ratio, days, says", [
    (SPIKE, (2, 1), 1, "user u1 spent 200.0% above its daily baseline, 1 day"),
    (SPIKE, (-1, 8), 0, "user u1 spent -12.5% above its daily baseline, 0 consecutive days"),
    (DRIFT, (3, 10), 4, "user u1 spent 30.0% above its baseline over 7 days, 4 consecutive days"),
    (UNPRICED, (11, 20), 1, "user u1: 55.0% of its requests have no known price"),
    (SPIKE, (0, 0), 1, "user u1 spent 0.0% above its daily baseline, 1 day"),
])  # fmt: skip
def test_a_message_says_what_was_found_in_words(kind: str, ratio: tuple[int, int], days: int, says: str) -> None:
    found = replace(FOUND, kind=kind, anomaly_type=kind, ratio=ratio, breach_count=days)
    assert line_of(found)["message"] == f"{kind}: {says}"


def test_a_deviation_of_nothing_is_none() -> None:
    assert line_of(replace(FOUND, ratio=(5, 0)))["deviation_pct"] == 0


@pytest.mark.parametrize("entity_type, tenant_streak, told", [
    ("tenant", 20_530, False), ("user", None, False), ("feature", 20_530, True),
])  # fmt: skip
def test_the_tenants_episode_is_named_where_it_has_one_that_is_not_this(
    entity_type: str, tenant_streak: int | None, told: bool
) -> None:
    found = line_of(replace(FOUND, entity_type=entity_type), tenant_start=tenant_streak)
    assert (found["tenant_episode_id"] is not None) == told


def test_a_dear_model_belongs_to_the_day_of_the_tenant_that_was_dear() -> None:
    found = replace(FOUND, kind="model_spike", anomaly_type="model_spike", entity_type="model", entity_id="m")
    start = "2026-03-18T00:00:00Z"
    assert line_of(found)["tenant_episode_id"] == episode_id("acme", "tenant_spike", "tenant", "acme", start, None)


def test_a_fact_is_its_line_and_cents_and_when_it_was_seen() -> None:
    told = line_of(FOUND)
    assert fact(told, SEEN_US) == told | {
        "current_value_cents": 1_512,
        "expected_value_cents": 1_000,
        "confidence": 1.0,
        "observed_at": "2026-03-18T00:00:05.000001Z",
    }
    assert fact({**told, "current_nanousd": None}, 0)["current_value_cents"] is None


def test_a_fact_goes_where_its_tenant_goes_under_its_own_id() -> None:
    told: dict[str, Any] = fact(line_of(FOUND), SEEN_US)
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
    told = line_of(FOUND, FINAL)
    row = anomaly_row(told)
    cells = dict(zip([column.name for column in ANOMALIES.columns], row.values, strict=True))
    assert json.loads(str(cells.pop("line"))) == told
    times = {name: parse_instant(str(told[name])) for name in ("window_start", "window_end")}
    assert cells == {name: told[name] for name in cells} | times
