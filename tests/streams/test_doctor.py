"""What ``outlay doctor`` makes of what it finds."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from drivers.kafka.admin import TopicState
from drivers.postgres.facts import DatabaseFacts
from drivers.topics import load
from engines.core.model import LogBounds, Position, TopicPartition
from streams import doctor
from streams.doctor import Finding, Held, Level, Needs

NEEDS = Needs(restore_days=7, idle_margin_s=30.0, connections=11)
COSTS = load().named("costs")
FACTS = load().named("cost-anomaly-facts")
WELL = TopicState(12, 3, 0, {**COSTS.config(), "min.insync.replicas": "2", "retention.bytes": "-1"})
SERVER = DatabaseFacts(
    version_num=150_004,
    version="15.4",
    read_only=False,
    encoding="UTF8",
    synchronous_commit="on",
    fsync=True,
    full_page_writes=True,
    connections_max=100,
    connections=10,
    superuser=False,
    role="outlay_worker",
    skew_s=0.01,
    schema_problem=None,
)
TP = TopicPartition("costs", 0)
LOG = LogBounds(10, 100, "cluster", "topic", 12)
AT = Position("costs", 0, "cluster", "topic", 100, outbox_seq=5, published=5)


def levels(findings: Iterable[Finding]) -> set[Level]:
    found = list(findings)
    assert all((one.level is Level.OK) == (not one.do) for one in found), "whoever complains says what to do"
    return {one.level for one in found}


def held(now: Position, before: Position | None = None, database: int = 0) -> Held:
    return Held(before or now, now, database)


def configured(**settings: str) -> TopicState:
    return replace(WELL, config={**WELL.config, **{name.replace("_", "."): value for name, value in settings.items()}})


def test_a_topic_as_it_should_be_is_one_line() -> None:
    assert [(one.level, one.says) for one in doctor.topic(COSTS, WELL, NEEDS)] == [
        (Level.OK, "12 partitions, LogAppendTime")
    ]


@pytest.mark.parametrize(
    "state, level, says",
    [
        (None, Level.FAIL, "is not there"),
        (replace(WELL, partitions=6), Level.FAIL, "6 partitions instead of 12"),
        (configured(message_timestamp_type="CreateTime"), Level.FAIL, "is CreateTime instead of LogAppendTime"),
        (configured(cleanup_policy="compact"), Level.FAIL, "cleanup.policy is compact instead of delete"),
        (configured(max_message_bytes="1000"), Level.WARN, "max.message.bytes is 1000"),
        (configured(retention_ms=f"{6 * 86_400_000}"), Level.WARN, "keeps records for 6 days; a backup 7 days old"),
        (configured(retention_bytes="1000"), Level.WARN, "at most 1000 bytes"),
        (configured(min_insync_replicas="1"), Level.WARN, "min.insync.replicas is 1"),
        (configured(unclean_leader_election_enable="true"), Level.WARN, "unclean.leader.election.enable is true"),
        (replace(WELL, short=3), Level.WARN, "3 partitions lack copies"),
    ],
)
def test_whatever_is_wrong_with_a_topic_is_said(state: TopicState | None, level: Level, says: str) -> None:
    [finding] = doctor.topic(COSTS, state, NEEDS)
    assert (finding.level, says in finding.says, bool(finding.do)) == (level, True, True)


def test_topics_of_one_copy_are_told_of_once() -> None:
    single = replace(WELL, replicas=1)
    assert levels(doctor.topic(COSTS, single, NEEDS)) == {Level.OK}
    assert list(doctor.copies({"costs": WELL, "late-records": WELL})) == []
    [some] = doctor.copies({"costs": single, "late-records": WELL, "dead-letters": single})
    [every] = doctor.copies({"costs": single, "late-records": single})
    assert levels([some, every]) == {Level.WARN}
    assert some.says == "one of each partition, of costs, dead-letters"
    assert every.says == "one of each partition, of all topics"


def test_how_long_records_are_kept_matters_for_inputs_only() -> None:
    short = replace(WELL, config={**WELL.config, "retention.ms": "1000"})
    assert levels(doctor.topic(COSTS, short, NEEDS)) == {Level.WARN}
    assert levels(doctor.topic(FACTS, short, NEEDS)) == {Level.OK}
    for_ever = replace(WELL, config={**WELL.config, "retention.ms": "-1"})
    assert levels(doctor.topic(COSTS, for_ever, NEEDS)) == {Level.OK}


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"next_offset": 9}, "records in between are lost"),
        ({"next_offset": 101}, "the log was cut"),
        ({"cluster_id": "another"}, "is of cluster cluster, the position of another"),
        ({"topic_id": "another"}, "is of topic id topic, the position of another"),
    ],
)
def test_a_position_outside_its_log_is_a_failure(changed: dict[str, Any], says: str) -> None:
    [finding] = doctor.logs({TP: LOG}, [held(replace(AT, **changed))], {"costs": 12})
    assert (finding.level, says in finding.says, "positions accept" in finding.do) == (Level.FAIL, True, True)


def test_positions_inside_their_logs_are_well_also_where_ids_are_not_known() -> None:
    rows = [held(replace(AT, next_offset=at, cluster_id="", topic_id="")) for at in (10, 100)]
    assert levels(doctor.logs({TP: LOG}, rows, {"costs": 12})) == {Level.OK}
    assert levels(doctor.logs({TP: replace(LOG, partitions=13)}, rows, {"costs": 12})) == {Level.FAIL}


@pytest.mark.parametrize(
    "before, now, well",
    [
        (AT, AT, True),
        (replace(AT, next_offset=50), replace(AT, next_offset=60), True),
        (replace(AT, next_offset=50), replace(AT, next_offset=50), False),
        (replace(AT, published=4), replace(AT, published=5), True),
        (replace(AT, published=4), replace(AT, published=4), False),
    ],
)
def test_a_partition_with_work_that_does_not_move_is_told_of(before: Position, now: Position, well: bool) -> None:
    found = levels(doctor.progress({TP: LOG}, [held(now, before)], 3.0))
    assert found == {Level.OK if well else Level.WARN}


def test_partitions_that_nobody_claimed_are_named_not_all_of_them() -> None:
    bounds: Mapping[TopicPartition, LogBounds] = {TopicPartition("costs", n): LOG for n in range(8)}
    [finding] = doctor.progress(bounds, [held(AT)], 3.0)
    assert finding.says == "never claimed: costs/1, costs/2, costs/3, costs/4, costs/5 and 2 more"


def test_a_position_in_another_database_than_its_number_says_is_a_failure() -> None:
    odd = replace(AT, partition=3)
    assert list(doctor.placed([held(AT, database=0), held(odd, database=1)], 2)) == []
    [finding] = doctor.placed([held(AT, database=1), held(odd, database=1)], 2)
    assert (finding.level, finding.says) == (Level.FAIL, "costs/0 in database 1")


def test_logs_reach_back_to_a_backup_or_not_and_a_whole_one_does() -> None:
    day_ms, other = 86_400_000, TopicPartition("costs", 1)
    oldest = {TP: 100 * day_ms, other: 103 * day_ms}
    whole = doctor.reach(oldest, {TP: 0, other: 0}, 105 * day_ms, NEEDS)
    assert levels(whole) == {Level.OK}
    [finding] = doctor.reach(oldest, {TP: 5, other: 5}, 105 * day_ms, NEEDS)
    assert (finding.level, finding.says) == (Level.WARN, "costs/1 reaches back 2.0 days")
    assert levels(doctor.reach(oldest, {TP: 5, other: 5}, 111 * day_ms, NEEDS)) == {Level.OK}


def test_a_clock_is_wrong_by_a_second_and_dangerous_beyond_the_margin_of_idle_days() -> None:
    assert levels(doctor.broker_clock(None, 50_000, NEEDS)) == {Level.OK}
    found = [levels(doctor.broker_clock(50_000 + ahead_ms, 50_000, NEEDS)) for ahead_ms in (900, 1_100, 30_001)]
    assert found == [{Level.OK}, {Level.WARN}, {Level.FAIL}]
    assert levels(doctor.broker_clock(10_000, 50_000_000, NEEDS)) == {Level.OK}, "a record may be as old as it likes"
    behind = list(doctor.database(0, replace(SERVER, skew_s=-31.0), NEEDS))
    assert [one.says for one in behind if one.level is Level.FAIL] == ["31.0 s behind this machine's"]


def test_a_database_as_it_should_be_is_well() -> None:
    assert levels(doctor.database(0, SERVER, NEEDS)) == {Level.OK}
    lax = doctor.database(0, replace(SERVER, synchronous_commit="off"), NEEDS)
    assert any("replayed" in one.says for one in lax)


@pytest.mark.parametrize(
    "changed, level, says",
    [
        ({"version_num": 149_999, "version": "14.9"}, Level.FAIL, "is PostgreSQL 14.9"),
        ({"read_only": True}, Level.FAIL, "read-only"),
        ({"encoding": "SQL_ASCII"}, Level.FAIL, "is in SQL_ASCII"),
        ({"connections": 90}, Level.WARN, "room for 10 connections"),
        ({"fsync": False}, Level.WARN, "fsync off"),
        ({"full_page_writes": False}, Level.WARN, "full_page_writes off"),
        ({"schema_problem": "run `outlay migrate`"}, Level.FAIL, "run `outlay migrate`"),
        ({"rights_lacking": ["outbox: DELETE"]}, Level.FAIL, "outlay_worker lacks outbox: DELETE"),
        ({"superuser": True}, Level.WARN, "outlay_worker is a superuser"),
        ({"settings_problem": "no head"}, Level.FAIL, "no head"),
    ],
)
def test_whatever_is_wrong_with_a_database_is_said(changed: dict[str, Any], level: Level, says: str) -> None:
    found = list(doctor.database(0, replace(SERVER, **changed), NEEDS))
    assert levels(found) == {Level.OK, level}
    [finding] = [one for one in found if one.level is not Level.OK]
    assert says in finding.says
