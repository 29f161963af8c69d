"""Who sets budgets, tags and rules, and acknowledges feedback, while workers run, and how workers hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from drivers.kafka.murmur2 import partition_of
from drivers.postgres.settings_writer import Decided, SettingRefused, refuse
from engines.core.model import NewSetting, TopicPartition
from engines.core.time import US_PER_DAY
from tests.oracle import Setting
from tests.simulation.faults import Kind
from tests.simulation.rules import FOLDED_KNOWING
from tests.streams.learning import content

if TYPE_CHECKING:
    from tests.simulation.database import Database
    from tests.simulation.world import World

ACKNOWLEDGEMENT = "acknowledgement"
EVERYONE = "*"
AT_CLOSE_SHARE = 0.3


class Operator:
    """Appends rows to all databases at once, each with the same sequence number there; nobody else does.

    ``rows`` are those that exist: what a database is rolled back to does not lack any (see ``Database.roll_back``).
    """

    def __init__(self, world: World) -> None:
        self.rows: list[Setting] = []
        self.late = 0
        """How many of them were appended after the start."""
        self.refused = 0
        self._at_start = 0
        self._world = world
        self._waiting: list[tuple[Setting, int]] = []

    def begin(self, rows: Sequence[tuple[Setting, int]]) -> None:
        """Append the rows of the start, those for place 0, and keep the others for their places."""
        self._waiting = [(row, at) for row, at in rows if at]
        for row, at in rows:
            if not at:
                self._append(row)
        self._at_start = len(self.rows)

    def concerns(self, tenant_id: str) -> bool:
        """Whether a row appended after the start is about *tenant_id*."""
        return any(row.tenant_id in (tenant_id, EVERYONE) for row in self.rows[self._at_start :])

    def reached(self, place: int | None) -> None:
        """Append what is for *place* in the stream or before; None: everything."""
        while self._waiting and (place is None or self._waiting[0][1] <= place):
            self._set(self._waiting.pop(0)[0])

    def closing(self) -> None:
        """Perhaps append a row just before a close is committed, in force in what it closes."""
        if self._waiting and self._world.weather.random.random() < AT_CLOSE_SHARE:
            row = self._waiting.pop(0)[0]
            self._world.mishaps.happened(Kind.SETTING_AT_CLOSE)
            closed = self._decided(row.tenant_id).closed_day
            if closed is not None and row.kind != ACKNOWLEDGEMENT:
                row = replace(row, effective_us=(closed + 1) * US_PER_DAY)
            self._set(row)

    def _set(self, row: Setting) -> None:
        """Append *row*, unless it would change what is decided."""
        new = NewSetting(*content(row))
        try:
            refuse(new, self._decided(row.tenant_id), self._world.wall.now_ms() * 1000)
        except SettingRefused as refusal:
            self.refused += 1
            self._world.tell(f"not set: {refusal}")
            return
        self._append(row)
        self.late += 1
        self._world.mishaps.happened(Kind.SETTING)
        self._world.tell(f"set, row {len(self.rows)}: {new}")

    def known(self, accepted: Mapping[int, Sequence[int]]) -> list[Setting]:
        """Return the rows with the offsets from which on they were known where that matters to what is closed.

        That is for tags, which are in force by the time of a record. Other rows never concern what is closed when
        they are set, and no window closes without them, so that it does not matter when they came to be known.

        Args:
            accepted: offsets of the records that count, by partition.
        """
        knowing = {tp.partition: self._knowing(tp, accepted[tp.partition]) for tp in self._world.broker.partitions}
        return [
            replace(row, known_before={partition: before[seq] for partition, before in knowing.items()})
            if _by_record_time(row)
            else row
            for seq, row in enumerate(self.rows, 1)
        ]

    def _knowing(self, tp: TopicPartition, accepted: Sequence[int]) -> dict[int, int]:
        """Return by row the offset behind the last accepted record that was folded without it."""
        position = self._world.position(tp)
        counts = {} if position is None else position.counts
        folded = {int(name.removeprefix(FOLDED_KNOWING)): n for name, n in counts.items() if FOLDED_KNOWING in name}
        without = {seq: sum(n for newest, n in folded.items() if newest < seq) for seq in range(1, len(self.rows) + 1)}
        return {seq: accepted[n - 1] + 1 if n else -1 for seq, n in without.items()}

    def _append(self, row: Setting) -> None:
        for database in self._world.databases:
            database.tables.append_settings([content(row)])
        self.rows.append(row)

    def _decided(self, tenant_id: str) -> Decided:
        partitions = self._world.broker.partitions
        if tenant_id != EVERYONE:
            partitions = [partitions[partition_of(tenant_id.encode(), len(partitions))]]
        positions = [position for tp in partitions if (position := self._world.position(tp)) is not None]
        days = [day for position in positions for day in (position.closed_through, position.closing_day)]
        closed = max((day for day in days if day is not None), default=None)
        return Decided(closed, any(position.watermark_us is not None for position in positions))


class SimHead:
    """The newest settings row of one database, over a connection that breaks; polled, or told of at once."""

    def __init__(self, database: Database, world: World) -> None:
        self._database = database
        self._world = world

    async def newest(self) -> int:
        """Return its sequence number, 0 when there is none. Raises Transient."""
        return await self._database.newest_setting()

    async def stirred(self, within_s: float) -> None:
        """Return when there may be a newer one, or after *within_s*."""
        await asyncio.sleep(self._world.weather.random.choice((0.1, 1.0, 1.0)) * within_s)


def _by_record_time(row: Setting) -> bool:
    return row.kind == "tag" or row.body.get("name") == "feature_tags"
