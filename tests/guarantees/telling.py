"""Promises about time and what is told: when days close, what is published, by which rules."""

from __future__ import annotations

from typing import Final

from tests.guarantees.promise import Break, Promise
from tests.guarantees.suites import ALL_RULES, KILLS_RULES, ORACLE, SIMULATION, STORE

TELLING: Final = (
    Promise(
        "The same log gives the same output",
        (
            "tests/streams/test_against_oracle.py::test_what_is_published_on_the_way_depends_on_the_log_alone",
            "tests/streams/test_cli_replay.py::test_any_order_within_grace_gives_the_same_bytes",
            (
                "tests/engines/cost/test_any_history.py::"
                "test_what_is_told_depends_neither_on_chunks_nor_on_what_is_in_memory"
            ),
        ),
        (
            Break(
                "a silence in the log moves the watermark to now",
                "streams/scan.py",
                "        self._watermark += (record.timestamp - self._last_append_ms) * 1000\n",
                "        self._watermark = max(self._watermark, record.timestamp * 1000)\n",
                ORACLE,
            ),
            Break(
                "a day closes a second early",
                "engines/cost/domain.py",
                "        return (watermark_us - GRACE_US) // US_PER_DAY - 1\n",
                "        return (watermark_us - GRACE_US + 1_000_000) // US_PER_DAY - 1\n",
                "tests/engines/cost/test_domain.py::test_a_day_closes_an_hour_after_its_end_to_the_microsecond",
            ),
        ),
    ),
    Promise(
        "Silence closes days, too",
        ("tests/end_to_end/test_idle.py::test_the_last_day_closes_once_silence_has_lasted_and_not_before", SIMULATION),
        (
            Break(
                "an idle partition waits for its next record",
                "streams/closes.py",
                "    if gap_ms > GAP_MS:\n",
                "    if gap_ms > GAP_MS * 1_000_000:\n",
                "tests/end_to_end/test_idle.py::test_the_last_day_closes_once_silence_has_lasted_and_not_before",
            ),
        ),
    ),
    Promise(
        "A late record corrects its day, or is told of",
        (
            ALL_RULES,
            ORACLE,
            (
                "tests/streams/test_restatement.py::"
                "test_a_late_line_says_what_was_corrected_and_stands_where_its_record_does"
            ),
        ),
        (
            Break(
                "records of the thirty-fifth day before are left out",
                "streams/lateness.py",
                "        if day < watermark_day - HORIZON_DAYS:\n",
                "        if day <= watermark_day - HORIZON_DAYS:\n",
                "tests/streams/test_against_oracle.py::test_a_long_run_equals_the_oracle",
            ),
            Break(
                "corrected days are not judged again",
                "engines/cost/detector.py",
                "        again = restated_days(book, day)\n",
                "        again = restated_days(book, day)[:0]\n",
                "tests/engines/cost/test_closing.py::"
                "test_a_restated_day_gets_a_spike_a_higher_revision_and_a_withdrawal",
            ),
        ),
    ),
    Promise(
        "An id has one content per revision, and revisions only grow",
        (
            "tests/engines/cost/test_any_history.py::test_each_id_is_told_in_growing_revisions_of_one_content",
            "tests/engines/cost/test_book.py::test_a_revision_counts_the_tenants_records_of_thirty_days_and_its_rows",
            KILLS_RULES,
            SIMULATION,
        ),
        (
            Break(
                "settings do not count for a revision",
                "engines/cost/telling.py",
                "        return 2 * (self.records() + rows) + self.closed\n",
                "        return 2 * (self.records() + 0 * rows) + self.closed\n",
                ALL_RULES,
            ),
            Break(
                "the close has the revision of the last provisional one",
                "engines/cost/telling.py",
                "        return 2 * (self.records() + rows) + self.closed\n",
                "        return 2 * (self.records() + rows)\n",
                "tests/engines/cost/test_any_history.py::test_each_id_is_told_in_growing_revisions_of_one_content",
            ),
        ),
    ),
    Promise(
        "What is committed is published, and nothing else is",
        (
            SIMULATION,
            "tests/streams/test_outbox.py::test_what_is_not_acknowledged_is_sent_again_before_anything_after_it",
            (
                "tests/streams/test_broker_outage.py::"
                "test_a_killed_broker_loses_and_doubles_nothing_and_a_dead_one_holds_up_no_stop"
            ),
            KILLS_RULES,
        ),
        (
            Break(
                "messages go out before their commit",
                "streams/committer.py",
                "        worked_s = await self._commit(batch)\n",
                "        self._outbox.add(batch.outbox)\n        worked_s = await self._commit(batch)\n",
                SIMULATION,
            ),
            Break(
                "a successor does not send what waited",
                "streams/claim.py",
                "            self.outbox.add(rows)\n",
                "            self.outbox.add(rows[:0])\n",
                SIMULATION,
            ),
        ),
    ),
    Promise(
        "Settings judge what is open, and never change what is decided",
        (
            f"{STORE}::test_a_close_that_does_not_know_the_newest_row_changes_nothing",
            "tests/drivers/postgres/test_settings_writer.py::test_a_row_may_change_only_what_is_not_decided",
            (
                "tests/streams/test_settings_watch.py::"
                "test_a_new_row_is_known_soon_after_its_notification_however_rarely_it_looks"
            ),
            ALL_RULES,
        ),
        (
            Break(
                "a close need not know the newest row",
                "drivers/postgres/store.py",
                "        if newest != known_seq:\n",
                "        if newest < known_seq:\n",
                f"{STORE}::test_a_close_that_does_not_know_the_newest_row_changes_nothing",
            ),
            Break(
                "a row may reach into a closed day",
                "drivers/postgres/settings_writer.py",
                "    elif early and open_us is not None:\n",
                "    elif early and open_us is None:\n",
                "tests/drivers/postgres/test_settings_writer.py::test_a_row_may_change_only_what_is_not_decided",
            ),
        ),
    ),
    Promise(
        "Ordinary spend is no news",
        ("tests/streams/test_against_oracle.py::test_nothing_fires_on_quiet_streams_under_the_standard_rules",),
        (
            Break(
                "a tenth above the baseline is a breach",
                "engines/cost/rules.py",
                "    spike_pct: int = 140\n",
                "    spike_pct: int = 110\n",
                "tests/streams/test_against_oracle.py::test_nothing_fires_on_quiet_streams_under_the_standard_rules",
            ),
        ),
    ),
)
