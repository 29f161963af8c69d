"""What holds on generated streams with restatements and settings; what these streams reach; and that quiet ones are."""

from collections import Counter
from functools import cache

import pytest

from tests.oracle import Line, Outcome, Profile, Revision, evaluate, placed, revisions
from tests.oracle.cases import rule
from tests.oracle.records import DAY_US
from tests.oracle.walk import Closed, Judged, Walk
from tests.strategies import Rich, make_quiet_stream, make_rich_stream

SEEDS = range(16)


def profile_of(seed: int) -> Profile:
    return "reference" if seed % 3 == 0 else "standard"


@cache
def rich(seed: int) -> Rich:
    return make_rich_stream(seed)


@cache
def outcome(seed: int) -> Outcome:
    return evaluate(rich(seed).log, settings=rich(seed).settings(), profile=profile_of(seed))


@cache
def told(seed: int) -> list[Revision]:
    return revisions(rich(seed).log, settings=rich(seed).settings(), profile=profile_of(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_told_last_of_a_closed_window_or_withdrawn_is_what_stands(seed: int) -> None:
    last = {one.line["anomaly_id"]: one for one in told(seed)}
    standing = {line["anomaly_id"]: line for line in outcome(seed).anomalies}
    assert last.keys() == standing.keys()
    for anomaly_id, line in standing.items():
        if line["status"] == "provisional":
            same = ("anomaly_type", "severity", "episode_id", "derived_cause", "status")
            assert [line[name] for name in same] == [last[anomaly_id].line[name] for name in same]
            assert line["revision"] >= last[anomaly_id].line["revision"]
        else:
            assert line == last[anomaly_id].line
    facts = {fact["anomaly_id"]: fact for fact in outcome(seed).facts}
    assert facts.keys() == {one.line["anomaly_id"] for one in told(seed) if one.fact is not None}


@pytest.mark.parametrize("seed", SEEDS)
def test_revisions_only_grow_and_a_closed_one_has_one_content(seed: int) -> None:
    contents: dict[tuple[str, int], Line] = {}
    newest: dict[str, int] = {}
    for one in told(seed):
        anomaly_id, revision = one.line["anomaly_id"], one.line["revision"]
        assert newest.get(anomaly_id, 0) <= revision
        newest[anomaly_id] = revision
        if revision % 2:
            assert contents.setdefault((anomaly_id, revision), one.line) == one.line


@pytest.mark.parametrize("seed", SEEDS)
def test_once_it_was_high_every_revision_of_an_id_is_a_fact(seed: int) -> None:
    high: set[str] = set()
    for one in told(seed):
        if one.line["severity"] == "HIGH" and one.line["status"] != "withdrawn":
            high.add(one.line["anomaly_id"])
        assert (one.fact is not None) == (one.line["anomaly_id"] in high)
        if one.fact is not None:
            assert one.fact["observed_at"] <= one.line["window_end"]
            assert one.line.items() <= one.fact.items()


@pytest.mark.parametrize("seed", list(SEEDS)[:6])
def test_what_is_told_of_a_log_begins_with_what_is_told_of_its_prefix(seed: int) -> None:
    half = len(rich(seed).log) // 2
    rows = [(row, at) for row, at in rich(seed).rows if at is None or at < half]
    part = Rich(rich(seed).log[:half], rows)
    begun = revisions(part.log, settings=part.settings(), profile=profile_of(seed))
    assert told(seed)[: len(begun)] == begun


@pytest.mark.parametrize("seed", SEEDS)
def test_a_row_on_the_way_takes_effect_in_no_closed_window(seed: int) -> None:
    open_from: list[int] = []
    for step in Walk(0, 1).steps(placed(rich(seed).log, 1)):
        if isinstance(step, Judged):
            open_from += open_from[-1:] or [0]
        elif isinstance(step, Closed) and open_from:
            open_from[-1] = (step.through + 1) * DAY_US
    for row, at in rich(seed).rows:
        if at is not None:
            assert row.effective_us is not None
            assert row.effective_us >= open_from[at - 1]


def test_rich_streams_reach_every_rule_and_every_way_to_be_told() -> None:
    lines = [one.line for seed in SEEDS for one in told(seed)]
    kinds = {(line["anomaly_type"], line["severity"]) for line in lines}
    assert kinds >= {
        ("ABSOLUTE_SPIKE", "HIGH"), ("SUSTAINED_DRIFT", "MEDIUM"), ("SUSTAINED_DRIFT", "HIGH"),
        ("BUDGET_WARNING", "MEDIUM"), ("BUDGET_WARNING", "HIGH"), ("BUDGET_EXCEEDED", "HIGH"),
        ("UNPRICED_USAGE", "MEDIUM"),
    }  # fmt: skip
    levels = {(f"{entity}_spike", severity) for entity in ("user", "feature", "model", "tenant") for severity in (
        "low", "medium", "high", "critical")}  # fmt: skip
    assert kinds >= levels
    assert {line["derived_cause"] for line in lines} == {
        "RETRY_LOOP", "FEATURE_SURGE", "PROMPT_GROWTH", "TRAFFIC_GROWTH", "UNKNOWN",
    }  # fmt: skip
    ways = {(one.at[0], one.line["status"]) for seed in SEEDS for one in told(seed)}
    assert ways >= {
        ("record", "provisional"), ("record", "withdrawn"), ("settings", "provisional"), ("settings", "withdrawn"),
        ("close", "final"), ("close", "withdrawn"),
    }  # fmt: skip
    assert {(line["status"], line["restated"]) for line in lines} >= {("final", True), ("withdrawn", True)}
    assert {line["rules"]["profile"] for line in lines} == {"standard", "reference"}
    assert any(line["rules"]["changed"] for line in lines)
    assert any(line["period"] == "monthly" and line["status"] == "final" for line in lines)
    assert {line["entity_type"] for line in lines if line["period"]} == {"tenant", "user", "feature"}
    assert any(line["tenant_episode_id"] for line in lines)


def test_rich_streams_reach_every_fate_of_a_late_record() -> None:
    fates = Counter(judged.late_reason or judged.fate for seed in SEEDS for judged in outcome(seed).fates)
    assert {*fates} == {"accepted", "restated", "duplicate", "too_old"}
    assert fates["restated"] > 100
    assert max(len(rich(seed).log) for seed in SEEDS) <= 1_000


@pytest.mark.parametrize("seed", range(20))
def test_on_quiet_streams_nothing_is_ever_told(seed: int) -> None:
    assert revisions(make_quiet_stream(seed), close_all=True) == []


def test_quiet_streams_are_not_so_quiet_that_no_rule_could_speak() -> None:
    sharp = [rule("spike_pct", 110), rule("consecutive_days", 1), rule("drift_pct", 102), rule("drift_days_min", 0)]
    told = [one for seed in range(6) for one in revisions(make_quiet_stream(seed), settings=sharp)]
    assert {one.line["anomaly_type"] for one in told} == {"ABSOLUTE_SPIKE", "SUSTAINED_DRIFT"}


def test_a_rich_seed_is_a_stream() -> None:
    assert make_rich_stream(5) == make_rich_stream(5) != make_rich_stream(6)
    assert make_quiet_stream(5) == make_quiet_stream(5)
