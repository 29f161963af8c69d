"""One partition's folded state: what is ahead of the database, and how it becomes the next batch.

Between any two ``await``s the state is that of a whole prefix of the log, so a batch may be sealed at any of them:
every output is a function of a prefix of the log.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from engines.core.model import (
    Attempt,
    Batch,
    Effects,
    IdBlock,
    OutboxRow,
    PageKey,
    Position,
    TableRow,
)
from engines.core.ports import Domain
from streams import fates
from streams.cache import PageCache
from streams.identity import Identities
from streams.limits import ShellLimits
from streams.scan import Cursor, Segment


class PartitionState:
    """What one claim of a partition has folded.

    Attributes:
        sealed: the position in the newest batch; any answer but "committed" to it drops the whole state.
        folded: the position as folded; at or ahead of ``sealed``.
    """

    def __init__(self, domain: Domain, position: Position, limits: ShellLimits) -> None:
        self.sealed = position
        self.folded = position
        self.cache = PageCache(domain, limits.cache_entities, position.readers)
        closed = position.closed_through
        self.identities = Identities(None if closed is None else domain.ids_closed_through(closed))
        self.pending_records = 0
        self.pending_outbox_bytes = 0
        """Of values in outbox rows that no batch holds yet."""
        self.settings_known = position.settings_seq
        """The newest settings row that judgements know: at or ahead of those by which open windows were judged."""
        self._limits = limits
        self._domain = domain
        self._closes_know: int | None = None
        """The oldest of what the closes that no batch holds yet knew of the settings, None: there are none."""
        self._ids: dict[int, bytearray] = {}
        self._ids_sealed: frozenset[int] = frozenset()
        self._outbox: list[OutboxRow] = []
        self._rows: list[TableRow] = []
        self._counts = dict(position.counts)

    @property
    def cursor(self) -> Cursor:
        """Event time as folded."""
        return Cursor(self.folded.watermark_us, self.folded.last_append_ms, self.folded.closed_through)

    @property
    def dirty(self) -> bool:
        """Whether something is folded that no batch holds yet."""
        return self.folded is not self.sealed

    @property
    def pending_outbox(self) -> int:
        """Outbox rows that no batch holds yet."""
        return len(self._outbox)

    def apply_segment(self, segment: Segment, folded: Effects) -> None:
        """Take in a folded segment: its identities, effects and the position after it. Closes are still to come."""
        for day, body in segment.ids.items():
            self._ids.setdefault(day, bytearray()).extend(body)
        self._take(segment.effects)
        self._take(folded)
        self.pending_records += segment.effects.counts.get("events", 0)
        self._move(
            next_offset=segment.next_offset,
            watermark_us=segment.cursor.watermark_us,
            last_append_ms=segment.cursor.last_append_ms,
        )

    def apply_close(self, effects: Effects, rows: Sequence[TableRow], period: int, cursor: str) -> None:
        """Take in a slice of the close of *period*, done through tenant *cursor*."""
        self._take(effects)
        self._rows.extend(rows)
        self._closes_judged()
        self._move(closing_day=period, closing_cursor=cursor)

    def apply_closed(self, through: int) -> None:
        """Take in that periods are closed through *through*."""
        ids_closed = self._domain.ids_closed_through(through)
        if ids_closed is not None:
            self.identities.close_through(ids_closed)
        self._closes_judged()
        self._move(closed_through=through, closing_day=None, closing_cursor=None)

    def apply_rejudged(self, effects: Effects) -> None:
        """Take in what judging some tenants' open windows again brought about."""
        self._take(effects)
        self._move()

    def apply_settings(self, seq: int) -> None:
        """Take in that all open windows are judged by the settings up to *seq*."""
        self._move(settings_seq=seq)

    def mark(self, attempt: Attempt | None) -> None:
        """Set or clear the mark of what is being attempted."""
        if attempt != self.folded.attempt:
            self._move(attempt=attempt)

    def acknowledge(self, published: int) -> None:
        """Take in that outbox rows up to *published* reached the broker."""
        self._move(published=published)

    def release(self, attempt: Attempt | None = None) -> None:
        """Mark the partition as left cleanly, with what is still suspect as *attempt*."""
        self._move(released=True, attempt=attempt)

    def seal(self, project: Collection[PageKey]) -> Batch:
        """Return everything folded since the last seal as one batch.

        Args:
            project: stale or dirty pages, all in the cache, whose projection rows go along.
        """
        position = self.folded
        pages = self.cache.seal(position.next_offset)
        rows = self._rows + self.cache.project(project, position.next_offset)
        projected = min(self.cache.stale.values(), default=position.next_offset + 1) - 1
        position = replace(
            position,
            version=self.sealed.version + 1,
            projected=max(position.projected, projected),
            counts=dict(self._counts),
        )
        batch = Batch(
            expected_epoch=self.sealed.epoch,
            expected_version=self.sealed.version,
            position=position,
            pages=pages,
            id_blocks=[IdBlock(day, position.next_offset, bytes(body)) for day, body in self._ids.items()],
            outbox=self._outbox,
            rows=rows,
            settings_seq=self._closes_know,
        )
        self.folded = position
        self.sealed = position
        self.pending_records = self.pending_outbox_bytes = 0
        self._ids_sealed, self._closes_know = frozenset(self._ids), None
        self._ids, self._outbox, self._rows = {}, [], []
        return batch

    def sealed_committed(self) -> None:
        """Take in that the newest batch is in the store now."""
        self._ids_sealed = frozenset()
        self.cache.sealed_committed()

    @property
    def days_uncommitted(self) -> Collection[int]:
        """Event days with identities that the store may not have yet."""
        return self._ids_sealed | self._ids.keys()

    def _closes_judged(self) -> None:
        if self._closes_know is None:  # what is known only grows, so the first close knew least
            self._closes_know = self.settings_known

    def _take(self, effects: Effects) -> None:
        for name, n in effects.counts.items():
            self._counts[name] = self._counts.get(name, 0) + n
        seq = self.folded.outbox_seq
        if not effects.outgoing:
            self._rows.extend(effects.rows)
            return
        for at, out in enumerate(effects.outgoing, seq + 1):
            self.pending_outbox_bytes += len(out.value or b"")
            sent = f"{fates.SENT}{out.topic}"
            self._counts[sent] = self._counts.get(sent, 0) + 1
            self._outbox.append(
                OutboxRow(at, out.topic, out.key, out.value, out.headers, out.route, self.folded.partition)
            )
        self._rows.extend(effects.rows)
        self._move(outbox_seq=seq + len(effects.outgoing))

    def _move(self, **changes: object) -> None:
        self.folded = replace(self.folded, **changes)  # type: ignore[arg-type]  # names checked by the dataclass
