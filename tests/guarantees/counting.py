"""Promises about records: what counts, how often, and what for."""

from __future__ import annotations

from typing import Final

from tests.guarantees.promise import Break, Promise
from tests.guarantees.suites import ALL_RULES, KILLS, ORACLE, SIMULATION, STORE

COUNTING: Final = (
    Promise(
        "A record counts exactly once",
        (
            SIMULATION,
            KILLS,
            (
                "tests/drivers/postgres/test_connections.py::"
                "test_a_commit_cancelled_at_any_instant_happens_whole_or_not_at_all"
            ),
        ),
        (
            Break(
                "the position moves in a transaction of its own, before what it stands for",
                "drivers/postgres/store.py",
                "    moved = await _move(connection, batch)\n    if moved:\n",
                "    moved = await _move(connection, batch)\n"
                '    await connection.execute("COMMIT")\n    await connection.execute("BEGIN")\n    if moved:\n',
                "tests/drivers/postgres/test_connections.py::"
                "test_a_commit_cancelled_at_any_instant_happens_whole_or_not_at_all",
            ),
            Break(
                "a chunk from behind the position is folded, and what lies between is not",
                "streams/owner.py",
                "        if chunk.start != claim.state.folded.next_offset:\n",
                "        if chunk.start < claim.state.folded.next_offset:\n",
                SIMULATION,
            ),
        ),
    ),
    Promise(
        "One owner at a time",
        (
            f"{STORE}::test_a_commit_on_another_epoch_or_version_changes_nothing",
            (
                "tests/end_to_end/test_stopped_worker.py::"
                "test_a_worker_stopped_at_its_commit_is_succeeded_in_time_and_fenced"
            ),
            SIMULATION,
        ),
        (
            Break(
                "a commit does not compare the epoch",
                "drivers/postgres/statements.py",
                "WHERE partition = $1 AND topic = $2 AND epoch = $3 AND version = $4\n",
                "WHERE partition = $1 AND topic = $2 AND $3::bigint >= 0 AND $4::bigint >= 0\n",
                f"{STORE}::test_a_commit_on_another_epoch_or_version_changes_nothing",
            ),
        ),
    ),
    Promise(
        "A copy never counts, for as long as its record could be counted",
        (
            "tests/streams/test_restatement.py::test_a_copy_of_a_record_that_only_the_store_remembers_is_a_duplicate",
            "tests/drivers/postgres/test_retention.py::test_what_may_be_needed_stays",
            ALL_RULES,
            SIMULATION,
        ),
        (
            Break(
                "identities of closed days are not loaded",
                "streams/claim.py",
                "            self.state.identities.load_day(day, blocks)\n",
                "            self.state.identities.load_day(day, blocks[:0])\n",
                "tests/streams/test_restatement.py::"
                "test_a_copy_of_a_record_that_only_the_store_remembers_is_a_duplicate",
            ),
        ),
    ),
    Promise(
        "Every record ends as exactly one of five, and they add up",
        (
            ORACLE,
            (
                "tests/end_to_end/test_bad_input.py::"
                "test_each_bad_record_goes_where_the_contract_says_and_the_rest_is_counted"
            ),
        ),
        (
            Break(
                "copies are not counted",
                "streams/scan.py",
                "                    segment.effects.count(fates.DUPLICATES)\n",
                "                    segment.effects.count(fates.DUPLICATES, 0)\n",
                ORACLE,
            ),
        ),
    ),
    Promise(
        "Money is exact",
        (
            "tests/engines/cost/test_decode.py::test_a_cost_is_read_exactly_and_rounded_half_even",
            "tests/engines/cost/test_totals.py::test_a_total_taken_apart_is_the_sums_of_its_records",
            "tests/drivers/test_prices.py::test_any_call_costs_what_the_library_says",
            ALL_RULES,
        ),
        (
            Break(
                "halves are rounded up",
                "engines/core/money.py",
                "(twice == denominator and quotient & 1)",
                "twice == denominator",
                "tests/engines/core/test_money.py::test_a_half_goes_to_the_even_neighbour",
            ),
        ),
    ),
    Promise(
        "Misplaced records come home and count once",
        (
            ORACLE,
            KILLS,
            (
                "tests/end_to_end/test_whole_files.py::"
                "test_a_file_that_a_foreign_partitioner_mixes_has_the_totals_of_its_replay"
            ),
        ),
        (
            Break(
                "a record is folded wherever it lies",
                "streams/scan.py",
                "            if home_of(event.tenant_id) != here:\n",
                "            if home_of(event.tenant_id) != here and False:\n",
                ORACLE,
            ),
        ),
    ),
    Promise(
        "What a producer aborted is never read",
        ("tests/streams/test_faust_source.py::test_aborted_transactions_are_never_seen_and_committed_ones_are",),
        (
            Break(
                "uncommitted records are read",
                "drivers/kafka/member.py",
                'isolation_level="read_committed"',
                'isolation_level="read_uncommitted"',
                "tests/streams/test_faust_source.py::test_aborted_transactions_are_never_seen_and_committed_ones_are",
            ),
        ),
    ),
)
