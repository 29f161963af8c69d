"""What ``outlay status`` makes of positions."""

import pytest

from drivers.postgres.operator import Held
from engines.core.model import Position, TopicPartition
from engines.core.time import US_PER_DAY, US_PER_HOUR
from streams.cli.status import closed, show, summed_up
from tests.streams.commands import run

COUNTS = {
    "events": 10,
    "accepted": 6,
    "duplicates": 1,
    "dead": 1,
    "late": 1,
    "forwarded": 1,
    "unpriced.no_price": 2,
    "sent.dead-letters": 1,
    "sent.cost-anomaly-facts": 5,
}


def held(partition: int, counts: dict[str, int], unpublished: dict[str, int]) -> Held:
    position = Position("costs", partition, "c", "t", 10, watermark_us=0, closed_through=31, counts=counts)
    return Held(position, unpublished)


def test_published_is_what_was_written_less_what_still_waits() -> None:
    report = summed_up([held(0, COUNTS, {"cost-anomaly-facts": 2}), held(1, COUNTS, {})], {})
    assert report["published"] == {"cost-anomaly-facts": 8, "dead-letters": 2}
    assert report["adds_up"] is True


def test_lag_is_unknown_where_the_broker_did_not_answer() -> None:
    ends = {TopicPartition("costs", 1): 13}
    report = summed_up([held(0, COUNTS, {}), held(1, COUNTS, {})], ends)
    partitions = report["partitions"]
    assert isinstance(partitions, list)
    assert [(line["log_end"], line["lag"]) for line in partitions] == [(None, None), (13, 3)]
    assert partitions[0]["watermark"] == "1970-01-01T00:00:00Z"
    assert partitions[0]["closed_through"] == "1970-02-01"
    assert partitions[0]["unpriced"] == {"no_price": 2}


def test_a_topic_whose_windows_are_hours_is_closed_through_an_instant() -> None:
    assert (closed(31, US_PER_DAY), closed(31, US_PER_HOUR)) == ("1970-02-01", "1970-01-02T08:00:00Z")
    assert closed(None, US_PER_HOUR) is None


def test_partitions_of_hours_and_instants_of_microseconds_fit_a_terminal_of_120_columns(
    capfd: pytest.CaptureFixture[str],
) -> None:
    watermark_us = 14 * US_PER_HOUR + 1_234_567
    position = Position("runs", 11, "c", "t", 1_234_567, watermark_us=watermark_us, closed_through=12, counts=COUNTS)
    show(summed_up([Held(position, {})], {TopicPartition("runs", 11): 1_234_569}))
    head, line, *_ = (told.rstrip() for told in capfd.readouterr().out.splitlines())
    assert line.split()[:5] == ["runs/11", "1234567", "2", "1970-01-01T14:00:01Z", "1970-01-01T13:00Z"]
    assert len(head) <= 120
    assert len(line) <= len(head)


def test_counts_that_do_not_add_up_are_said() -> None:
    report = summed_up([held(0, COUNTS, {}), held(1, COUNTS | {"events": 11}, {})], {})
    assert report["adds_up"] is False


def test_every_command_explains_itself(capfd: pytest.CaptureFixture[str]) -> None:
    listed = run(capfd, "--help").out
    commands = ("demo", "migrate", "topics", "worker", "status", "top", "positions", "rules", "budgets", "tags")
    for command in (*commands, "publish", "replay", "retention", "dead-letters", "doctor"):
        assert f"\n  {command} " in listed
        ran = run(capfd, command, "--help")
        assert ran.code == 0
        assert ran.out.startswith(f"Usage: outlay {command} ")
    assert run(capfd, "no-such-command").code == 2
