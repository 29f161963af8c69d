"""What of a whole log: watermarks, partitions, late lines, and the order of files."""

from dataclasses import replace

from tests.oracle.placement import home
from tests.oracle.records import HOUR_US, LogRecord
from tests.oracle.runs import End, evaluate, feedback_order, forwarded_copies, prediction_order, whole_hours
from tests.oracle.runs.histories import make_history
from tests.oracle.runs.making import Shape
from tests.oracle.runs.tenant import us_of
from tests.oracle.runs.writing import completed, costs, crashed, failed, outcomes
from tests.oracle.walk import placed

AT = "2026-03-04T12:00:00Z"


def appended(entry: LogRecord, at: str) -> LogRecord:
    return replace(entry, append_us=us_of(at))


def test_what_is_settled_lies_65_minutes_behind_the_newest() -> None:
    end = evaluate([completed(AT), completed("2026-03-04T11:00:00Z")]).ends[0]
    assert end == End(2, us_of("2026-03-04T11:55:00Z"), us_of("2026-03-04T10:55:00Z"))
    assert evaluate([], partitions=2).ends == {0: End(0, None, None), 1: End(0, None, None)}


def test_refused_and_forwarded_records_move_no_time() -> None:
    log = [completed("2026-03-04T12:00:00Z", tenant_id="d"), LogRecord(b"{}")]
    assert home("d", 2) == 1
    ends = evaluate([replace(entry, partition=0) for entry in log], partitions=2, append_forwarded=False).ends
    assert ends[0] == End(2, None, None)


def test_silence_of_more_than_a_minute_is_time_before_a_record_is_judged() -> None:
    log = [appended(completed(AT), AT), appended(completed("2026-03-04T11:00:00Z"), "2026-03-04T12:05:00Z")]
    assert [judged.fate for judged in evaluate(log).fates] == ["accepted", "accepted"]
    log = [log[0], appended(completed("2026-03-04T11:00:00Z"), "2026-03-04T12:05:00.000001Z")]
    assert [judged.fate for judged in evaluate(log).fates] == ["accepted", "late"]


def test_a_late_line_tells_what_was_given() -> None:
    late = crashed("2026-03-04T10:00:00.5Z", cents="1.5", run_id="7")
    (line,) = evaluate([completed(AT), late]).late
    assert line == {
        "tenant_id": "acme",
        "source": "",
        "id": "7",
        "occurred_at": "2026-03-04T10:00:00.500000Z",
        "partition": 0,
        "offset": 1,
        "reason": "too_old",
        "cost_nanousd": 15_000_000,
    }


def test_what_is_settled_may_be_said_instead() -> None:
    log = costs("2026-03-04", "100", "100", "100", "100", "150")
    at_us = us_of("2026-03-04T12:04:00Z")
    (before,) = evaluate(log, settled_us={0: at_us}).feedback
    (after,) = evaluate(log, settled_us={0: at_us + 1}).feedback
    assert (before["status"], after["status"]) == ("provisional", "final")


def test_a_worker_settles_whole_hours() -> None:
    end_us = us_of("2026-03-04T12:00:00Z")
    assert whole_hours(end_us + HOUR_US) == end_us
    assert whole_hours(end_us + HOUR_US - 1) == end_us - HOUR_US


def test_closing_all_settles_the_last_hour_in_which_anything_is_due() -> None:
    log = outcomes("2026-03-04", "ccf")
    assert evaluate(log, close_all=True).ends[0].settled_us == us_of("2026-03-05T13:00:00Z")
    spike = costs("2026-03-04", "100", "100", "100", "100", "150")
    assert evaluate(spike, close_all=True).ends[0].settled_us == us_of("2026-03-05T13:00:00Z")  # an overrun's end
    quiet = [completed("2026-03-04T12:00:00Z")]
    assert evaluate(quiet, close_all=True).ends == evaluate(quiet).ends


def test_partitions_are_settled_apart() -> None:
    log = [*outcomes("2026-03-04", "ccf"), completed("2026-03-09T12:00:00Z", tenant_id="d")]
    assert home("acme", 2) != home("d", 2)
    assert [line["status"] for line in evaluate(log).predictions] == ["expired"]
    assert [line["status"] for line in evaluate(log, partitions=2).predictions] == ["active"]


def test_forwarded_copies_may_be_appended_by_the_caller() -> None:
    log = placed(make_history(11, Shape(runs_max=300, foreign=True, append=True, tenants=4)), 3)
    copies = forwarded_copies(log, 3)
    assert copies
    assert evaluate([*log, *copies], partitions=3, append_forwarded=False) == evaluate(log, partitions=3)


def test_files_are_in_order() -> None:
    outcome = evaluate(make_history(5, Shape(tenants=4, runs_max=200)), close_all=True)
    assert len(outcome.feedback) > 2
    assert outcome.feedback == sorted(outcome.feedback, key=feedback_order)
    assert outcome.predictions == sorted(outcome.predictions, key=prediction_order)
    assert feedback_order(outcome.feedback[0])[:2] <= feedback_order(outcome.feedback[-1])[:2]


def test_patterns_come_after_spikes_and_the_rest_by_signature_and_time() -> None:
    alike = [
        [failed(f"2026-03-04T{hour}:1{at}:00Z", error) for at in range(3)]
        for hour, error in ((13, "disk full"), (12, "boom"))
    ]
    log = [*costs("2026-03-04", "100", "100", "100", "100", "150", "400"), *alike[0], *alike[1]]
    found = [(line["pattern_type"], line["signature"], line["as_of"][11:16]) for line in evaluate(log).feedback]
    assert found == [
        ("cost_spike", "cost_spike_w", "12:04"),
        ("cost_spike", "cost_spike_w", "12:05"),
        ("failure_pattern", "53168341c606c66c", "13:12"),
        ("failure_pattern", "ca2e86f3af5ec3aa", "12:12"),
    ]


def test_the_summary_counts_what_stands() -> None:
    summary = evaluate([*outcomes("2026-03-04", "fff"), LogRecord(b"{}")]).summary
    assert summary == {
        "events": 4,
        "accepted": 3,
        "duplicates": 0,
        "conflicting": 0,
        "dead": 1,
        "late": 0,
        "forwarded": 0,
        "feedback": {"failure_pattern": 1},
        "predictions": {"failure_likelihood": 1},
    }


def test_tenants_do_not_touch() -> None:
    one = outcomes("2026-03-04", "ccf")
    log = [*one, failed("2026-03-04T12:10:00Z", tenant_id="b")]
    assert [line["tenant_id"] for line in evaluate(log).predictions] == ["acme", "b"]
    assert evaluate(log).predictions[0] == evaluate(one).predictions[0]
