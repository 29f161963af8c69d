import re
from pathlib import Path

import pytest

from drivers.topics import load, parse
from engines.core.errors import SettingsError
from engines.core.tables import TABLES
from engines.core.time import US_PER_DAY
from streams.app import cost_domain

GOOD = Path("topics.yaml").read_text(encoding="utf-8")


def test_the_packaged_list_is_the_one_at_the_top_of_the_project() -> None:
    assert load() == parse(GOOD)


def test_every_table_is_written_from_exactly_one_topic() -> None:
    writers = [table for topic in load().topics for table in topic.writes]
    assert sorted(writers) == sorted(TABLES)


def test_topics_that_make_watermarks_carry_append_times() -> None:
    assert load().named("costs").config() == {
        "cleanup.policy": "delete",
        "max.message.bytes": "1179648",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": "1209600000",
    }


def test_topics_say_how_long_the_windows_are_that_close_on_them() -> None:
    assert load().named("costs").period_us == cost_domain("standard").period_us == US_PER_DAY
    assert load().named("dead-letters").period_us is None


@pytest.mark.parametrize(
    "old,new,complaint",
    [
        ("partitions: 12", "partitions: 0", "topics.0.partitions"),
        ("partitions: 12", "partitions: '12'", "topics.0.partitions"),
        ("retention: 14d", "retention: 14 days", "topics.0.retention"),
        ("cleanup: delete", "cleanup: erase", "topics.0.cleanup"),
        ("period: 1d", "period: daily", "topics.0.period"),
        ("    key: tenant_id\n", "", "topics.0.key"),
        ("    key: tenant_id\n", "    key: a\n    colour: red\n", "topics.0.colour"),
        ("name: dead-letters", "name: costs", "the file: listed more than once: costs"),
        (
            "consumers: [operators]",
            "consumers: [operators]\n    writes: [anomalies]",
            "the file: written from more than one topic: anomalies",
        ),
        ("topics:", "topics: [", "no YAML"),
    ],
)
def test_a_wrong_list_is_refused_with_the_place_of_the_fault(old: str, new: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(complaint)):
        parse(GOOD.replace(old, new, 1))


def test_an_unknown_topic_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="no topic 'prices'"):
        load().named("prices")
