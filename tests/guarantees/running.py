"""Promises about failures and operation: what goes wrong, who notices, and what is kept through it."""

from __future__ import annotations

from typing import Final

from tests.guarantees.promise import Break, Promise
from tests.guarantees.suites import ORACLE, SIMULATION, STORE

_BAD_INPUT: Final = (
    "tests/end_to_end/test_bad_input.py::test_each_bad_record_goes_where_the_contract_says_and_the_rest_is_counted"
)
_LETTER: Final = "tests/streams/test_dead_letters.py::test_a_letter_gives_its_record_back_byte_for_byte"
_KILLER: Final = "tests/streams/test_owner_deaths.py::test_a_killer_is_dead_lettered_after_its_deaths_alone"
_SERVER_ERRORS: Final = "tests/drivers/postgres/test_connections.py::test_a_server_error_is_transient_refused_or_a_bug"
_FOREIGN_LOG: Final = f"{STORE}::test_a_position_and_a_log_that_do_not_belong_together_are_refused"
_CLEAN_STOP: Final = "tests/streams/test_cli_worker.py::test_a_deployment_from_nothing_to_a_clean_stop"
_STALL: Final = "tests/streams/test_stalls.py::test_a_partition_behind_its_log_without_moving_is_a_stall"
_ROOM: Final = "tests/streams/test_pacing.py::test_folding_waits_while_too_many_bytes_wait_for_the_broker"
_TOO_DEAD: Final = "tests/streams/test_owner_halts.py::test_more_dead_letters_than_the_limit_halt_the_worker"
_NEEDED: Final = "tests/drivers/postgres/test_retention.py::test_what_may_be_needed_stays"
_RESHARD: Final = (
    "tests/end_to_end/test_resharding.py::test_more_partitions_and_then_more_databases_change_nothing_that_is_told"
)
_BACKUP: Final = "tests/end_to_end/test_restore.py::test_a_backup_taken_at_work_is_restored_and_the_log_brings_the_rest"
_ANEW: Final = "tests/end_to_end/test_restore.py::test_a_replay_from_the_start_of_the_log_tells_the_same"
_UPGRADE: Final = (
    "tests/end_to_end/test_upgrade.py::test_old_and_new_workers_side_by_side_through_a_change_of_pages_and_tables"
)
_LOG_WATCH: Final = "tests/streams/test_log_watch.py::test_another_log_under_the_same_name_stops_the_partition_loudly"
_EPOCHS: Final = "tests/drivers/postgres/test_store.py::test_a_restored_database_hands_out_no_epoch_of_before"
_HUSH: Final = "tests/edge/test_secrets.py::test_the_settings_show_no_secret"
_SHARDS: Final = "tests/drivers/test_sharding.py::test_a_partition_lives_in_one_database_whatever_its_topic"

RUNNING: Final = (
    Promise(
        "A bad record stops nothing and is kept whole",
        (_BAD_INPUT, _LETTER, ORACLE),
        (
            Break(
                "a dead letter has no headers",
                "streams/fates.py",
                '        "headers": [[name, _base64(value)] for name, value in record.headers],\n',
                '        "headers": [],\n',
                _LETTER,
            ),
        ),
    ),
    Promise(
        "A record that kills the process is set aside",
        (
            _KILLER,
            "tests/streams/test_owner_deaths.py::test_deaths_that_are_nobodys_fault_bury_nothing",
            (
                "tests/streams/test_owner_failures.py::"
                "test_records_that_cannot_be_folded_are_dead_letters_and_nothing_else_is"
            ),
            SIMULATION,
        ),
        (
            Break(
                "deaths are not counted",
                "streams/owner.py",
                "                if self._tries > limits.deaths_before_dead_letter:\n",
                "                if self._tries > 1_000_000 + limits.deaths_before_dead_letter:\n",
                _KILLER,
            ),
        ),
    ),
    Promise(
        "An outage loses nothing and blames no record",
        (
            _SERVER_ERRORS,
            "tests/end_to_end/test_outages.py::test_a_database_restarted_and_gone_for_a_while_is_waited_for",
            "tests/end_to_end/test_outages.py::test_a_broker_restarted_and_killed_under_load_loses_and_doubles_nothing",
            SIMULATION,
        ),
        (
            Break(
                "a database that shuts down is a bug",
                "drivers/postgres/errors.py",
                'TRANSIENT_CLASSES = frozenset({"08", "40", "53", "57"})',
                'TRANSIENT_CLASSES = frozenset({"08", "40", "53"})',
                _SERVER_ERRORS,
            ),
        ),
    ),
    Promise(
        "Memory is bounded",
        (_ROOM, "tests/streams/test_cache.py::test_the_longest_unused_pages_are_dropped_until_the_budget_holds"),
        (
            Break(
                "what waits for the broker is not bounded",
                "streams/committer.py",
                "            or self._state.pending_outbox_bytes + self._outbox.bytes >= limits.pending_outbox_bytes\n",
                "",
                _ROOM,
            ),
        ),
    ),
    Promise(
        "A log that is not ours is refused, loudly",
        (
            _FOREIGN_LOG,
            _LOG_WATCH,
            (
                "tests/streams/test_owner_failures.py::"
                "test_a_position_that_is_not_of_this_log_stops_the_partition_until_it_is_accepted"
            ),
            SIMULATION,
        ),
        (
            Break(
                "a log that begins behind the position is taken as it is",
                "drivers/claims.py",
                "not log.start <= position.next_offset <= log.end",
                "not position.next_offset <= log.end",
                _FOREIGN_LOG,
            ),
            Break(
                "a topic made anew under a worker goes unseen",
                "streams/log_watch.py",
                "        if before and after and before != after:\n",
                "        if before and after and before == after + what:\n",
                _LOG_WATCH,
            ),
        ),
    ),
    Promise(
        "A database restored to an earlier state goes on from there",
        (
            SIMULATION,
            _EPOCHS,
            "tests/streams/test_settings_watch.py::test_a_database_restored_to_an_earlier_state_is_believed",
        ),
        (
            Break(
                "an epoch may be handed out twice",
                "drivers/postgres/statements.py",
                '    " epoch = greatest(epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint),"\n',
                '    " epoch = epoch + 1,"\n',
                _EPOCHS,
            ),
        ),
    ),
    Promise(
        "A worker that is told to stop leaves in order",
        (
            _CLEAN_STOP,
            (
                "tests/end_to_end/test_leaving.py::"
                "test_workers_stopped_one_after_the_other_under_load_leave_in_time_and_lose_nothing"
            ),
        ),
        (
            Break(
                "SIGTERM is not heard",
                "streams/app.py",
                "    for number in (signal.SIGTERM, signal.SIGINT):\n",
                "    for number in (signal.SIGINT,):\n",
                _CLEAN_STOP,
            ),
        ),
    ),
    Promise(
        "A worker that is stuck ends, and says where",
        (
            _STALL,
            "tests/streams/test_faust_source.py::test_a_consumer_that_stands_still_while_its_log_moves_ends_the_worker",
        ),
        (
            Break(
                "standing still is never long enough",
                "streams/stalls.py",
                "            if now_s - since >= self._stall_s:\n",
                "            if now_s - since >= self._stall_s * 1_000_000:\n",
                _STALL,
            ),
        ),
    ),
    Promise(
        "Nothing but poison stops the worker, with a reason",
        (
            _TOO_DEAD,
            (
                "tests/end_to_end/test_dead_letters.py::"
                "test_a_topic_of_nothing_but_poison_stops_the_worker_until_the_limit_is_raised"
            ),
        ),
        (
            Break(
                "any number of dead letters is fine",
                "streams/owner.py",
                "        if dead > limits.dead_letters_max and dead > limits.dead_letter_ratio * events:\n",
                "        if dead > limits.dead_letters_max and dead > (1 + limits.dead_letter_ratio) * events:\n",
                _TOO_DEAD,
            ),
        ),
    ),
    Promise(
        "Partitions may live in several databases",
        (_SHARDS, "tests/end_to_end/test_two_databases.py::test_two_databases_are_one_deployment_through_kills"),
        (
            Break(
                "all partitions live in the first database",
                "drivers/sharding.py",
                "        return stores[tp.partition % len(stores)]\n",
                "        return stores[tp.partition * 0]\n",
                _SHARDS,
            ),
        ),
    ),
    Promise(
        "More partitions and more databases change nothing that is told",
        (_RESHARD,),
        (
            Break(
                "new partitions do not know who was counted before",
                "drivers/postgres/resharding.py",
                "                    await connection.execute(_COPY_IDS, topic, old, new)\n",
                "",
                _RESHARD,
            ),
        ),
    ),
    Promise(
        "A backup and the log, or the log alone, bring everything back",
        (_BACKUP, _ANEW),
        (
            Break(
                "who was counted before stays known when state is built anew",
                "drivers/postgres/migrate.py",
                '"pages", "id_blocks", "outbox"',
                '"pages", "outbox"',
                _ANEW,
            ),
        ),
    ),
    Promise(
        "Old and new versions work side by side",
        (_UPGRADE, "tests/drivers/postgres/test_migrate.py::test_another_schema_stops_the_start"),
        (
            Break(
                "what is written is always of the newest layout",
                "engines/cost/packing.py",
                "for since, version in WRITTEN_SINCE if since <= readers)",
                "for since, version in WRITTEN_SINCE if since <= max(readers, 2**31))",
                _UPGRADE,
            ),
        ),
    ),
    Promise(
        "Retention drops nothing that is needed",
        (_NEEDED, "tests/drivers/postgres/test_retention.py::test_the_database_itself_refuses_to_drop_what_is_needed"),
        (
            Break(
                "identities go a week early",
                "drivers/postgres/retention.py",
                '"id_blocks": oldest - timedelta(days=IDS_DAYS)}',
                '"id_blocks": oldest - timedelta(days=IDS_DAYS - 7)}',
                _NEEDED,
            ),
        ),
    ),
    Promise(
        "Passwords are not shown",
        (_HUSH, "tests/edge/test_secrets.py::test_a_deployment_of_roles_behind_tls_is_exact_and_silent"),
        (
            Break(
                "a connection shows its password",
                "drivers/kafka/connection.py",
                "    sasl_password: str | None = field(default=None, repr=False)\n",
                "    sasl_password: str | None = None\n",
                _HUSH,
            ),
        ),
    ),
)
