"""Settings rows are appended here, one writer at a time, and never into what is closed (CONTRACT §4).

A writer and a close exclude each other through the one row of ``settings_head``: the writer locks it to hand out
sequence numbers, a close shares it while it commits. So a row is either known to a close or newer than it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from drivers.kafka.murmur2 import partition_of
from drivers.postgres import schema_version
from drivers.postgres import statements as sql
from drivers.postgres.connections import Connections, PostgresLimits, Raw
from drivers.postgres.errors import locked_out
from drivers.postgres.positions import instant, setting_row
from engines.core.errors import SettingsError, Transient
from engines.core.model import NewSetting, SettingRow
from engines.cost.settings import KINDS

EVERY_TENANT: Final = "*"
CHANNEL: Final = "outlay_settings"
"""PostgreSQL notifies this channel of each append; the payload is the newest sequence number."""

_TOPIC: Final = "costs"
_OTHER_KINDS_SINCE: Final = 5
"""Code of this revision of the schema, or a later one, knows that not every row is one of costs."""
_DAY_US: Final = 86_400_000_000
_HEAD: Final = "SELECT seq FROM settings_head FOR UPDATE"
_MOVE_HEAD: Final = "UPDATE settings_head SET seq = $1"
_PINNED: Final = "SELECT partitions FROM topics WHERE topic = $1"
# A day that is being closed counts as closed: some of its tenants are done.
_CLOSED: Final = """
SELECT partition, greatest(closed_through, closing_day), watermark_us IS NOT NULL FROM positions WHERE topic = $1
"""
_INSERT: Final = """
INSERT INTO settings (seq, kind, tenant_id, effective_at, body)
SELECT k.seq, k.kind, k.tenant_id, k.effective_at, k.body::jsonb
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
     AS k (seq, kind, tenant_id, effective_at, body)
"""
_NOTIFY: Final = "SELECT pg_notify($1, $2)"


class SettingRefused(SettingsError):
    """A row would change what is decided already; nothing was appended.

    Attributes:
        row: the row to blame.
        closed_day: the last UTC day that is closed for its tenant, None when a close is not the reason.
        earliest_us: the earliest time from which the row may be in force.
    """

    def __init__(self, row: NewSetting, closed_day: int | None, earliest_us: int) -> None:
        self.row = row
        self.closed_day = closed_day
        self.earliest_us = earliest_us
        since = "always" if row.effective_us is None else f"from {_instant(row.effective_us)}"
        if closed_day is None:
            reason = "records before now are counted by the tags of their time"
        else:
            reason = f"the days through {_instant(closed_day * _DAY_US)[:10]} are closed"
        super().__init__(
            f"{row.kind} of tenant {row.tenant_id}, in force {since}: {reason};"
            f" the earliest time is {_instant(earliest_us)}"
        )


class Decided(NamedTuple):
    """What nobody may change any more, as a settings row of one tenant sees it.

    Attributes:
        closed_day: the last UTC day whose judgements are fixed, or are being fixed; None before the first.
        counting: some record has been counted.
    """

    closed_day: int | None
    counting: bool


class SettingsTable:
    """The settings rows in one database; close it with ``close``."""

    def __init__(self, url: str, limits: PostgresLimits) -> None:
        self._connections = Connections(url, limits, pool_size=1, application_name="outlay-settings")

    async def close(self) -> None:
        """Close the connection."""
        await self._connections.close()

    async def read(self, after_seq: int = 0) -> list[SettingRow]:
        """Return the rows appended after *after_seq*, in order.

        Raises:
            SettingsError: the tables are not those this code knows, or the login is refused.
            Transient: the database is away.
        """
        try:
            async with self._connections.raw("reading settings") as connection:
                await schema_version.check(connection)
                found = await connection.fetch(sql.LOAD_SETTINGS, after_seq)
        except Transient as error:
            raise _shut_out(error) from error
        return [setting_row(row) for row in found]

    async def append(self, rows: Sequence[NewSetting], *, now_us: int) -> list[int]:
        """Append *rows* in one transaction, tell the workers, and return their sequence numbers.

        Args:
            rows: valid ones; only the times from which they are in force are judged here.
            now_us: wall-clock time: a tag, or the rule ``feature_tags``, may not be in force before it.

        Raises:
            SettingRefused: one of them would change what is decided; the first such row, nothing is appended.
            SettingsError: the tables are not those this code knows, or the login is refused.
            DataRefused: a body is no JSON that PostgreSQL takes.
            Transient: the database is away, or another writer or a close takes long.
        """
        if not rows:
            return []
        try:
            async with self._connections.raw("appending settings") as connection:
                await schema_version.check(connection)
                await _refuse_unreadable(connection, rows)
                async with connection.transaction():
                    return await _append(connection, rows, now_us)
        except Transient as error:
            raise _shut_out(error) from error


async def _refuse_unreadable(connection: Raw, rows: Iterable[NewSetting]) -> None:
    """Return when every worker that may run here can read *rows*; raises SettingsError."""
    strange = next((row for row in rows if row.kind not in KINDS), None)
    if strange is not None and await schema_version.readers(connection) < _OTHER_KINDS_SINCE:
        raise SettingsError(
            f"a worker of an earlier version, which cannot read what is a row of kind {strange.kind}, may still run:"
            " when none does, run `outlay migrate --contract`"
        )


def refuse(row: NewSetting, decided: Decided, now_us: int) -> None:
    """Return when *row* changes nothing that is *decided*; raises SettingRefused."""
    if row.kind not in KINDS:
        return  # what closes are days of costs, and only rows of theirs reach into them
    closed = decided.closed_day
    open_us = None if closed is None else (closed + 1) * _DAY_US
    early = open_us is not None and (row.effective_us is None or row.effective_us < open_us)
    if _by_record_time(row) and decided.counting:
        earliest_us = max(now_us, open_us or now_us)
        if row.effective_us is None or row.effective_us < earliest_us:
            raise SettingRefused(row, closed if early and open_us == earliest_us else None, earliest_us)
    elif early and open_us is not None:
        raise SettingRefused(row, closed, open_us)


async def _append(connection: Raw, rows: Sequence[NewSetting], now_us: int) -> list[int]:
    head = int(await connection.fetchval(_HEAD))
    pinned: int | None = await connection.fetchval(_PINNED, _TOPIC)
    standing = {
        partition: Decided(closed, counting) for partition, closed, counting in await connection.fetch(_CLOSED, _TOPIC)
    }
    for row in rows:
        refuse(row, _decided(row.tenant_id, standing, pinned), now_us)
    seqs = list(range(head + 1, head + 1 + len(rows)))
    kinds, tenants, effective_us, bodies = zip(*rows, strict=True)
    effective = [None if us is None else instant(us) for us in effective_us]
    await connection.execute(_INSERT, seqs, kinds, tenants, effective, [body.decode() for body in bodies])
    await connection.execute(_MOVE_HEAD, seqs[-1])
    await connection.execute(_NOTIFY, CHANNEL, str(seqs[-1]))
    return seqs


def _decided(tenant_id: str, standing: dict[int, Decided], partitions: int | None) -> Decided:
    """Return what is decided for *tenant_id*: by its home partition, or for ``*`` by any."""
    if tenant_id != EVERY_TENANT:
        home = None if partitions is None else partition_of(tenant_id.encode(), partitions)
        return Decided(None, counting=False) if home is None else standing.get(home, Decided(None, counting=False))
    return _furthest(standing.values())


def _furthest(standing: Iterable[Decided]) -> Decided:
    positions = list(standing)
    closed = [one.closed_day for one in positions if one.closed_day is not None]
    return Decided(max(closed, default=None), any(one.counting for one in positions))


def _by_record_time(row: NewSetting) -> bool:
    """Whether *row* is in force by a record's time: then it must be known before any record that it is for."""
    return row.kind == "tag" or (row.kind == "rule" and json.loads(row.body).get("name") == "feature_tags")


def _shut_out(error: Transient) -> SettingsError | Transient:
    return SettingsError(str(error)) if locked_out(error) else error


def _instant(us: int) -> str:
    return instant(us).isoformat().replace("+00:00", "Z")
