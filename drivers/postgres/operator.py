"""Positions as an operator sees and sets them: ``outlay status``, ``outlay positions``.

Setting a position is a claim of its own: epoch and version grow, so that whoever holds the partition is fenced and
starts again from what was set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from drivers.claims import TopicPin
from drivers.postgres import schema_version
from drivers.postgres import statements as sql
from drivers.postgres.connections import Connections, PostgresLimits
from drivers.postgres.errors import locked_out
from drivers.postgres.positions import moved_values, position_of
from engines.core.errors import SettingsError, Transient
from engines.core.model import LogBounds, Position, TopicPartition

_LIST: Final = "SELECT " + sql.POSITION_COLUMNS + " FROM positions ORDER BY topic, partition"  # noqa: S608 constants
_PINS: Final = "SELECT topic, partitions, cluster_id, topic_id FROM topics ORDER BY topic"
_UNPUBLISHED: Final = """
SELECT topic, partition, out_topic, count(*) AS n
FROM outbox JOIN positions USING (topic, partition) WHERE seq > published
GROUP BY topic, partition, out_topic
"""
_LAGS: Final = "SELECT EXISTS (SELECT FROM pages WHERE partition = $1 AND topic = $2 AND as_of > $3)"
# Offsets of the old log say nothing in the new one: what lags lies where it goes on, what is shown below that.
_RENUMBER: Final = """
UPDATE pages SET as_of = CASE WHEN as_of > $3 THEN $4::bigint ELSE $5::bigint END
WHERE partition = $1 AND topic = $2 AND as_of > CASE WHEN as_of > $3 THEN $4::bigint ELSE $5::bigint END
"""
_RENUMBER_S: Final = 3_600.0
_PIN: Final = """
INSERT INTO topics (topic, partitions, cluster_id, topic_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (topic)
DO UPDATE SET partitions = excluded.partitions, cluster_id = excluded.cluster_id, topic_id = excluded.topic_id
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A position and what of its outbox is not acknowledged yet: messages by output topic."""

    position: Position
    unpublished: Mapping[str, int]


class PositionTable:
    """The positions in one database."""

    def __init__(self, url: str, limits: PostgresLimits) -> None:
        self._connections = Connections(url, limits, pool_size=1, application_name="outlay-operator")
        # Going on may write to every page of a partition, and what a worker's limits cut off would never go on.
        patient = replace(limits, statement_s=_RENUMBER_S, call_s=_RENUMBER_S)
        self._accepting = Connections(url, patient, pool_size=1, application_name="outlay-operator")

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()
        await self._accepting.close()

    async def read(self) -> tuple[list[Held], list[TopicPin]]:
        """Return all positions, by topic and partition, and the pins of their topics, as of one moment.

        Raises:
            SettingsError: the tables are not those this code knows, or the login is refused.
            Transient: the database is away.
        """
        try:
            async with self._connections.raw("reading positions") as connection:
                await schema_version.check(connection)
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    rows = await connection.fetch(_LIST)
                    waiting = await connection.fetch(_UNPUBLISHED)
                    pins = await connection.fetch(_PINS)
        except Transient as error:
            if locked_out(error):
                raise SettingsError(str(error)) from error
            raise
        unpublished: dict[TopicPartition, dict[str, int]] = {}
        for topic, partition, out_topic, n in waiting:
            unpublished.setdefault(TopicPartition(topic, partition), {})[out_topic] = n
        positions = [position_of(row) for row in rows]
        return [Held(row, unpublished.get(row.tp, {})) for row in positions], [TopicPin(*pin) for pin in pins]

    async def accept(self, tp: TopicPartition, log: LogBounds, next_offset: int) -> Position | None:
        """Pin the position of *tp*, and its topic, to *log*, let it go on at *next_offset*, and return it.

        Its pages get offsets that the new log will pass, so that a claim finds those that lag and no others.
        None when there is no such position: nothing is changed then. Raises Transient.
        """
        async with (
            self._accepting.raw(f"accepting {tp.topic}/{tp.partition}") as connection,
            connection.transaction(),
        ):
            row = await connection.fetchrow(sql.LOCK_POSITION, tp.partition, tp.topic)
            if row is None:
                return None
            before = position_of(row)
            lags = await connection.fetchval(_LAGS, tp.partition, tp.topic, before.projected)
            after = accepted(before, log, next_offset, lags=lags)
            expected = (tp.partition, tp.topic, before.epoch, before.version)
            await connection.execute(sql.MOVE_POSITION, *expected, *moved_values(after))
            renumber = (before.projected, after.next_offset, after.projected)
            await connection.execute(_RENUMBER, tp.partition, tp.topic, *renumber)
            await connection.execute(_PIN, tp.topic, log.partitions, log.cluster_id, log.topic_id)
        return after


def accepted(position: Position, log: LogBounds, next_offset: int, *, lags: bool = True) -> Position:
    """Return *position* as an operator sets it: on *log*, at *next_offset*, with every earlier owner fenced.

    Unless *lags*, the projections of all pages are written: those of what is left out, too, for it has none.
    Totals, days closed and the watermark stay: they belong to the records that were counted, wherever those lay.
    """
    return replace(
        position,
        cluster_id=log.cluster_id,
        topic_id=log.topic_id,
        next_offset=next_offset,
        # a page that lags lies at next_offset, at most: once it is shown, it does not lag for any claim after
        projected=min(position.projected, next_offset - 1) if lags else next_offset,
        attempt=None,
        epoch=position.epoch + 1,
        version=position.version + 1,
    )
