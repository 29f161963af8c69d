"""Records of closed days: totals, re-judgements, withdrawals (CONTRACT §2, §5), worked out by hand."""

from tests.oracle import Line, LogRecord, Revision, evaluate, revisions
from tests.oracle.cases import MARCH_4, budget, of, record, rule, series

CALM = series("2026-02-20", ["1000"] * 9)  # to 28 February
TENANT = {"anomaly_type": "ABSOLUTE_SPIKE", "entity_type": "tenant"}


def spikes(log: list[LogRecord], **more: object) -> list[Revision]:
    told = revisions(log, **more)  # type: ignore[arg-type]
    return [one for one in told if one.line["anomaly_type"] == "ABSOLUTE_SPIKE"]


def shown(told: list[Revision]) -> list[tuple[str, str, str, bool]]:
    return [(str(one.at[1]), one.line["window_start"][5:10], one.line["status"], one.line["restated"]) for one in told]


def test_a_nightly_uploader_gets_its_fact_at_the_next_close() -> None:
    log = [
        *CALM,
        *series("2026-03-02", ["1000", "1000"]),  # 2 and 3 March; by the latter's noon the 2nd is closed
        record("2026-03-02T13:00:00Z", "4000"),  # at night the rest of the 2nd comes: 5 x
        record("2026-03-04T12:00:00Z", "1000"),
    ]
    assert shown(spikes(log)) == [(str(MARCH_4 - 1), "03-02", "final", True)]
    (fact,) = evaluate(log).facts
    assert (fact["breach_count"], fact["threshold_pct"], fact["observed_at"]) == (1, 200, "2026-03-03T00:00:00Z")
    assert fact["revision"] == 2 * 11 + 1  # the thirty days to 2 March hold eleven records
    assert evaluate(log[:-1]).facts == []  # not before a close


def test_a_restated_days_totals_move_and_its_baseline_does_not() -> None:
    log = [*CALM, *series("2026-03-02", ["1000", "2000"]), *series("2026-02-28", ["4000"], id="more", user_id="u")]
    lines = evaluate(log).snapshots
    day = of(lines, window="day", entity_type="tenant", start="2026-02-28T00:00:00Z")
    assert (day["cost_nanousd"], day["baseline_nanousd"], day["restated"]) == (50 * 10**9, 10 * 10**9, True)
    assert (day["deviation_pct"], day["version"], day["status"]) == (400, 5, "complete")
    hour = of(lines, window="hour", entity_type="model", start="2026-02-28T12:00:00Z")
    assert (hour["restated"], hour["version"]) == (True, 5)
    later = of(lines, window="day", entity_type="tenant", start="2026-03-02T00:00:00Z")
    assert (later["baseline_nanousd"], later["restated"]) == (10 * 10**9, False)


def test_a_row_born_after_its_close_gets_its_baseline_then() -> None:
    early = series("2026-02-26", ["300"], user_id="u")
    late = series("2026-03-01", ["900"], user_id="u")
    more = series("2026-02-27", ["500"], user_id="u")
    log = [*early, *series("2026-03-04", ["1"]), *late, *more]
    day = of(evaluate(log).snapshots, window="day", entity_id="u", start="2026-03-01T00:00:00Z")
    assert (day["baseline_nanousd"], day["deviation_pct"], day["restated"]) == (3 * 10**9, 200, True)


def test_a_spike_whose_baseline_grew_is_withdrawn_when_its_day_is_judged_again() -> None:
    log = [
        *CALM,
        *series("2026-03-02", ["3000", "1000"]),  # the 2nd is 3 x, final at its close
        *series("2026-02-28", ["5000"], id="a"),  # its baseline grows: nothing yet
        *series("2026-03-04", ["1000"]),  # the close of the 3rd: the 28th was restated, the 2nd was not
        *series("2026-03-02", ["1"], id="b"),  # now it is
        *series("2026-03-05", ["1000"]),
    ]
    told = [one for one in spikes(log) if "03-02" in one.line["window_start"]]
    assert shown(told) == [
        ("9", "03-02", "provisional", False),
        (str(MARCH_4 - 2), "03-02", "final", False),
        (str(MARCH_4), "03-02", "withdrawn", True),
    ]
    gone = told[-1]
    # Eight days at 1 000 and one at 6 000, and 3 001 against them: 1.93 x.
    assert (gone.line["expected_nanousd"], float(gone.line["deviation_pct"])) == (15_555_555_555, 92.92)
    assert (gone.line["severity"], gone.line["breach_count"], gone.line["threshold_pct"]) == ("HIGH", 1, 100)
    assert gone.line["revision"] == 2 * 12 + 1
    assert gone.fact is not None
    assert gone.fact["observed_at"] == "2026-03-02T12:00:00Z"  # only a final one is observed at the window's end
    assert of(evaluate(log).facts, window_start="2026-03-02T00:00:00Z") == gone.fact


def test_an_open_days_spike_is_withdrawn_at_once_when_its_baseline_grows_and_told_anew_when_it_holds_again() -> None:
    log = [
        *CALM,
        *series("2026-03-02", ["1000", "3000"]),
        *series("2026-02-28", ["5000"], id="a"),
        record("2026-03-03T14:00:00Z", "9000"),
    ]
    assert shown(spikes(log)) == [
        ("10", "03-03", "provisional", False),
        ("11", "03-03", "withdrawn", False),
        ("12", "03-03", "provisional", False),
    ]
    assert of(evaluate(log[:-1]).facts, **TENANT)["status"] == "withdrawn"


def test_a_day_restated_beyond_seven_days_counts_but_is_not_judged_again() -> None:
    log = [*CALM, *series("2026-03-02", ["1000"]), *series("2026-03-10", ["1000"])]
    again = series("2026-03-02", ["9000"], id="late")
    inside = [*log, *again, *series("2026-03-11", ["1"])]  # the close of the 10th: C-7 is the 3rd
    assert spikes(inside) == []
    early = [*log[:-1], *series("2026-03-09", ["1000"]), *again, *series("2026-03-11", ["1"])]
    assert shown(spikes(early)) == [(str(MARCH_4 + 5), "03-02", "final", True)]


def test_days_are_judged_again_oldest_first_so_that_a_streak_is_seen() -> None:
    log = [
        *CALM,
        *series("2026-03-01", ["1000", "1000", "1000"]),
        *series("2026-03-02", ["700"], id="b"),
        *series("2026-03-01", ["700"], id="a"),
        *series("2026-03-04", ["1000"]),
    ]
    (second,) = spikes(log)
    assert second.line["window_start"][:10] == "2026-03-02"
    assert (second.line["breach_count"], second.line["streak_start"][:10]) == (2, "2026-03-01")
    # Only the 1st restated: the 2nd, though a day of the streak now, is not judged again.
    alone = [*CALM, *series("2026-03-01", ["1000", "1700", "1000"]), *series("2026-03-01", ["700"], id="a")]
    assert spikes([*alone, *series("2026-03-04", ["1000"])]) == []


def test_a_re_judged_day_gives_an_open_day_another_episode() -> None:
    log = [
        *CALM,
        *series("2026-03-01", ["1000", "1700", "1700"]),  # the 3rd is the second of a streak
        record("2026-03-04T00:10:00Z", "1700"),  # before the close of the 3rd
        *series("2026-03-01", ["700"], id="a"),
        record("2026-03-04T12:00:00Z", "1"),
        record("2026-03-04T13:00:00Z", "1", user_id="another"),
    ]
    told = [one for one in spikes(log) if one.line["window_start"][8:10] == "04"]
    assert [(one.at[0], one.line["streak_start"][8:10], one.line["derived_cause"]) for one in told] == [
        ("record", "02", "UNKNOWN"),
        ("record", "02", "TRAFFIC_GROWTH"),  # two records
        ("record", "01", "TRAFFIC_GROWTH"),  # not at the close: the revision of two records was told
    ]


def test_a_closed_month_is_judged_again_with_its_days() -> None:
    row = budget(("tenant", "acme"), monthly_limit_cents=10_000)
    log = [
        *CALM,  # 9 000 of February
        *series("2026-03-02", ["1"]),
        *series("2026-02-28", ["999"], id="a"),
        *series("2026-03-03", ["1"]),
        *series("2026-02-28", ["1"], id="b"),
        *series("2026-03-04", ["1"]),
    ]
    lines = [one for one in revisions(log, settings=[row]) if one.line["period"] == "monthly"]
    assert [(one.line["anomaly_type"][7:], one.line["status"], one.line["restated"]) for one in lines] == [
        ("WARNING", "provisional", False),  # at 8 000
        ("WARNING", "provisional", False),  # 9 000: HIGH
        ("WARNING", "final", False),
        ("WARNING", "final", True),
        ("EXCEEDED", "final", True),
    ]
    assert [one.line["revision"] % 2 for one in lines] == [0, 0, 1, 1, 1]


def test_a_medium_revision_of_what_once_was_high_is_a_fact_too() -> None:
    rows = [budget(("tenant", "acme"), daily_limit_cents=1000), rule("budget_high_pct", 90)]
    changed = rule("budget_high_pct", 99, since="2026-03-04T13:00:00Z", known_before={0: 1})
    log = [*series("2026-03-04", ["950"]), record("2026-03-04T14:00:00Z", "1")]
    first, second = revisions(log, settings=[*rows, changed])
    assert (first.line["severity"], second.line["severity"], second.at) == ("HIGH", "MEDIUM", ("settings", 1))
    assert second.fact is not None
    assert second.line["rules"] == {"profile": "standard", "version": 1, "changed": {"budget_high_pct": 99}}
    (fact,) = evaluate(log, settings=[*rows, changed]).facts
    assert fact["severity"] == "MEDIUM"


def final(lines: list[Line]) -> list[str]:
    return [line["window_start"][5:10] for line in lines if line["status"] == "final"]


def test_a_restated_month_end_before_a_silent_stretch_is_judged_at_the_next_close() -> None:
    log = [*CALM, *series("2026-03-05", ["1"]), *series("2026-02-28", ["9000"], id="late")]
    assert final(evaluate(log).facts) == []
    assert final(evaluate([*log, *series("2026-03-20", ["1"])]).facts) == ["02-28"]
