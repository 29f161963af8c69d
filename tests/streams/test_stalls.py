import pytest

from engines.core.errors import Halt
from engines.core.model import TopicPartition
from streams.stalls import Stalls

TP = TopicPartition("costs", 3)


def test_a_partition_behind_its_log_without_moving_is_a_stall() -> None:
    stalls = Stalls(60.0)
    for now_s in (0.0, 30.0, 59.0):
        stalls.look(now_s, {TP: (5, 0.0, 9)})
    with pytest.raises(Halt, match="costs/3 has stood at offset 5 for 60 s while its log ends at 12"):
        stalls.look(60.0, {TP: (5, 0.0, 12)})


def test_moving_starts_the_time_again() -> None:
    stalls = Stalls(60.0)
    stalls.look(0.0, {TP: (5, 0.0, 9)})
    stalls.look(50.0, {TP: (6, 49.0, 9)})
    stalls.look(70.0, {TP: (6, 49.0, 9)})
    stalls.look(100.0, {TP: (6, 90.0, 9)})  # the handler took something in at 90
    stalls.look(149.0, {TP: (6, 90.0, 9)})
    with pytest.raises(Halt):
        stalls.look(150.0, {TP: (6, 90.0, 9)})


def test_a_partition_at_the_end_or_busy_is_no_stall() -> None:
    stalls = Stalls(60.0)
    for now_s in range(0, 600, 20):
        stalls.look(float(now_s), {TP: (9, 0.0, 9)})
    stalls.look(600.0, {TP: (9, 0.0, 10)})
    stalls.look(650.0, {})  # busy: not looked at
    stalls.look(700.0, {TP: (9, 0.0, 10)})
