"""Finds partitions that stand still though their log goes on."""

from __future__ import annotations

from collections.abc import Mapping

from engines.core.errors import Halt
from engines.core.model import TopicPartition


class Stalls:
    """Remembers since when each partition is seen behind its log at the same position."""

    def __init__(self, stall_s: float) -> None:
        self._stall_s = stall_s
        self._behind: dict[TopicPartition, tuple[int, float]] = {}

    def look(self, now_s: float, idle: Mapping[TopicPartition, tuple[int, float, int]]) -> None:
        """Look at the partitions that wait for records: (position, when it last moved, end of the log) of each.

        Raises Halt when one has been behind for ``stall_s`` without moving.
        """
        behind: dict[TopicPartition, tuple[int, float]] = {}
        for tp, (position, moved_s, end) in idle.items():
            if position >= end:
                continue
            before, since = self._behind.get(tp, (position, now_s))
            since = max(since, moved_s) if before == position else now_s
            behind[tp] = (position, since)
            if now_s - since >= self._stall_s:
                raise Halt(
                    f"{tp.topic}/{tp.partition} has stood at offset {position} for {now_s - since:.0f} s "
                    f"while its log ends at {end}: the Kafka consumer is stuck"
                )
        self._behind = behind
