"""Promises of the domain of runs: what counts, over which windows, and what is told of it."""

from __future__ import annotations

from typing import Final

from tests.guarantees.promise import Break, Promise
from tests.guarantees.suites import SIMULATION, STORE

_RUNS: Final = "tests/streams/test_runs_against_oracle.py"
_ORACLE: Final = f"{_RUNS}::test_a_long_run_equals_the_oracle"
_TABLE: Final = f"{_RUNS}::test_the_rules_are_those_of_the_table"
_AT_LAST: Final = f"{_RUNS}::test_wherever_a_log_ends_what_was_told_last_is_what_stands"
_CHUNKS: Final = f"{_RUNS}::test_any_chunks_publish_the_same_bytes_in_the_same_order"
_ORDER: Final = f"{_RUNS}::test_any_order_within_grace_ends_in_the_same_lines"
_ODDS: Final = f"{_RUNS}::test_the_odds_of_each_day_are_those_of_a_plain_count_in_any_chunks"
_SAID: Final = f"{_RUNS}::test_what_is_acknowledged_is_told_at_once_and_what_comes_back_is_to_be_acknowledged_anew"
_ON_THE_WAY: Final = f"{_RUNS}::test_what_is_acknowledged_on_the_way_counts_from_there"
_STORED: Final = f"{_RUNS}::test_owners_that_know_only_what_is_stored_publish_the_same_bytes"
_KILLS: Final = "tests/end_to_end/test_runs_kills.py::test_kills_at_random_moments_leave_costs_and_runs_exact"
_LATE: Final = "tests/streams/test_hours.py::test_a_record_is_late_to_the_microsecond_and_its_money_is_told"
_DEFAULT_ID: Final = "tests/engines/runs/test_event.py::test_an_id_that_was_taken_from_the_run_is_one_of_its_type"
_ADVICE: Final = f"{STORE}::test_no_prediction_is_more_than_advice"

RUNS: Final = (
    Promise(
        "A run counts within the hour, to the microsecond, or is told of as late",
        (_LATE, _ORACLE, _TABLE),
        (
            Break(
                "a record that occurred at the settled instant itself is late",
                "streams/lateness.py",
                "            return fates.TOO_OLD if occurred_at < settled_us else None\n",
                "            return fates.TOO_OLD if occurred_at <= settled_us else None\n",
                _LATE,
            ),
        ),
    ),
    Promise(
        "The end of a run is no copy of its start",
        (_DEFAULT_ID, _ORACLE),
        (
            Break(
                "an id that is the run's is the same for all of its events",
                "engines/runs/event.py",
                "        hashed.update(_pack((event.tenant_id, event.source, event.id, day, event.outcome)))\n",
                "        hashed.update(_pack((event.tenant_id, event.source, event.id, day)))\n",
                _DEFAULT_ID,
            ),
        ),
    ),
    Promise(
        "Sliding windows are exact",
        (_TABLE, _ORACLE),
        (
            Break(
                "a pattern is over a microsecond early",
                "engines/patterns/activations.py",
                "        until_us = times[at - threshold + 1] + WINDOW_US + 1\n",
                "        until_us = times[at - threshold + 1] + WINDOW_US\n",
                _TABLE,
            ),
            Break(
                "a run on the line is no spike",
                "engines/patterns/spikes.py",
                "100 * cost * runs_before >= (100 + THRESHOLD_PERCENT) * cost_before",
                "100 * cost * runs_before > (100 + THRESHOLD_PERCENT) * cost_before",
                _TABLE,
            ),
            Break(
                "a third of the runs failed, and nothing is said",
                "engines/prediction/reference.py",
                "    return total > 0 and 3 * failed >= total\n",
                "    return total > 0 and 3 * failed > total\n",
                _TABLE,
            ),
        ),
    ),
    Promise(
        "Neither chunks nor order show in what is told of runs",
        (_CHUNKS, _STORED, _ORDER, _ODDS, SIMULATION),
        (
            Break(
                "sums stay as they were when a day before them changes",
                "engines/runs/book.py",
                "            later.carried.pop(run.worker_id, None)\n",
                "            later.carried.get(run.worker_id, None)\n",
                _ORDER,
            ),
        ),
    ),
    Promise(
        "What is over is told of as over, and comes back under its id",
        (_AT_LAST, _TABLE, _SAID, _KILLS, SIMULATION),
        (
            Break(
                "time alone does not tell that a pattern is over",
                "engines/runs/failure_patterns.py",
                '        if line["revision"] != told.revision:\n',
                '        if line["revision"] < told.revision:\n',
                _AT_LAST,
            ),
            Break(
                "a run that stopped being a spike is not taken back",
                "engines/runs/cost_spikes.py",
                '"provisional" if fires else "withdrawn"',
                '"provisional" if fires else "provisional"',
                _AT_LAST,
            ),
        ),
    ),
    Promise(
        "Revisions of feedback and predictions only grow, each of one content",
        (_AT_LAST, _ON_THE_WAY, _ORACLE, _KILLS, SIMULATION),
        (
            Break(
                "acknowledgements do not count for a revision",
                "engines/runs/failure_patterns.py",
                "        2 * (runs + book.settings.count(identifier)) + cleared,\n",
                "        2 * (runs + 0 * book.settings.count(identifier)) + cleared,\n",
                _SAID,
            ),
            Break(
                "what expired has the revision of what was active",
                "engines/runs/predictions.py",
                " + (expires_us <= book.settled_us)\n",
                " + 0 * (expires_us <= book.settled_us)\n",
                _AT_LAST,
            ),
        ),
    ),
    Promise(
        "An acknowledgement is of one activation",
        (
            _SAID,
            _ON_THE_WAY,
            "tests/streams/test_cli_feedback.py::test_a_pattern_that_is_active_anew_can_be_acknowledged_anew",
        ),
        (
            Break(
                "whoever has seen a pattern once has seen it for good",
                "engines/runs/acknowledgements.py",
                "if said.as_of_us >= active_since_us)",
                "if said.as_of_us >= min(active_since_us, 0))",
                _SAID,
            ),
        ),
    ),
    Promise(
        "A prediction is advice",
        (_ADVICE, _TABLE),
        (
            Break(
                "a prediction says that it may be acted on",
                "engines/runs/lines.py",
                '        "is_advisory": True,\n',
                '        "is_advisory": False,\n',
                _TABLE,
            ),
        ),
    ),
)
