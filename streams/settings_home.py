"""Where a tenant's settings rows are: in the database of its home partition; those of every tenant in all databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drivers.postgres.operator import Held, PositionTable
from drivers.postgres.settings_writer import Decided, SettingsTable, refuse
from engines.core.errors import OutlayError, SettingsError
from engines.core.model import NewSetting, SettingRow
from engines.core.ports import Clock
from engines.cost.settings import EVERY_TENANT
from streams.homes import PartitionOf

_TOPIC: Final = "costs"
_US_PER_MS: Final = 1000


class SettingsHome:
    """Reads and appends settings rows where the workers of their tenants look (port ``SettingsWriter``).

    Args:
        tables: settings rows of all databases, in the order that decides where a partition lives.
        positions: positions of the same databases.
        clock: tags may not be in force before now.
        partition_of: murmur2 of a key over a number of partitions.
    """

    def __init__(
        self,
        tables: Sequence[SettingsTable],
        positions: Sequence[PositionTable],
        clock: Clock,
        partition_of: PartitionOf,
    ) -> None:
        self._tables = tables
        self._positions = positions
        self._clock = clock
        self._partition_of = partition_of

    async def read(self, tenant_id: str | None = None) -> list[SettingRow]:
        """Return the rows that concern *tenant_id*, its own and those of ``*``; None: all rows.

        Rows of one tenant are in the order they were appended. Those of ``*`` come once, from the first database asked.

        Raises:
            SettingsError: the tables are not those this code knows, or nobody knows yet where the tenant lives.
            Transient: a database is away.
        """
        if tenant_id is not None:
            rows = await self._tables[await self._number_of(tenant_id)].read()
            return [row for row in rows if row.tenant_id in {EVERY_TENANT, tenant_id}]
        found: list[SettingRow] = []
        for number, table in enumerate(self._tables):
            found += [row for row in await table.read() if not number or row.tenant_id != EVERY_TENANT]
        return found

    async def append(self, rows: Sequence[NewSetting]) -> None:
        """See ``SettingsWriter.append``; all or none holds per database."""
        now_us = self._clock.now_ms() * _US_PER_MS
        wanted: dict[int, list[NewSetting]] = {}
        for row in rows:
            everyone = row.tenant_id == EVERY_TENANT
            for number in range(len(self._tables)) if everyone else [await self._number_of(row.tenant_id)]:
                wanted.setdefault(number, []).append(row)
        if len(wanted) > 1:
            await self._refuse_everywhere([row for row in rows if row.tenant_id == EVERY_TENANT], now_us)
        done: list[int] = []
        for number, here in wanted.items():
            try:
                await self._tables[number].append(here, now_us=now_us)
            except OutlayError as error:
                if not done:
                    raise
                names = " and ".join(map(str, done))
                raise OutlayError(
                    f"database {number}: {error}; it is in force in database {names} only: give the command again"
                ) from error
            done.append(number)

    async def _number_of(self, tenant_id: str) -> int:
        """Return the number of the database with the home partition of *tenant_id*."""
        if len(self._tables) == 1 or tenant_id == EVERY_TENANT:
            return 0
        for table in self._positions:
            _, pins = await table.read()
            for pin in pins:
                if pin.topic == _TOPIC:
                    return self._partition_of(tenant_id.encode(), pin.partitions) % len(self._tables)
        raise SettingsError(
            f"which of {len(self._tables)} databases is that of {tenant_id} is not known before a worker has claimed"
            f" {_TOPIC}: start `outlay worker` first"
        )

    async def _refuse_everywhere(self, rows: Sequence[NewSetting], now_us: int) -> None:
        """Refuse what any database will refuse before the first one takes it."""
        held = [one for table in self._positions for one in (await table.read())[0]]
        decided = _decided(held)
        for row in rows:
            refuse(row, decided, now_us)


def _decided(held: Sequence[Held]) -> Decided:
    positions = [one.position for one in held if one.position.topic == _TOPIC]
    closed = [day for row in positions for day in (row.closed_through, row.closing_day) if day is not None]
    return Decided(max(closed, default=None), any(row.watermark_us is not None for row in positions))
