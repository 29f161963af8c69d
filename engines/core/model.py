"""The plain types that the shell, the engines and the drivers speak.

One invariant carries them: everything here belongs to exactly one input partition, and a change of any of it
is one ``Batch`` that compares and sets that partition's ``Position``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes]]
NEW_READERS: Final = 2**31 - 1  # no worker of an older version must read what is written


class TopicPartition(NamedTuple):
    """An input partition: the unit of order, ownership, transaction and sharding."""

    topic: str
    partition: int

    def __str__(self) -> str:
        """Return it as people write it: ``costs/3``."""
        return f"{self.topic}/{self.partition}"


class Record(Protocol):
    """One record of a log, as aiokafka's ``ConsumerRecord`` already has it (so nothing is copied)."""

    @property
    def offset(self) -> int:
        """Place in the partition; gaps are normal (control records, compaction)."""

    @property
    def timestamp(self) -> int:
        """Append time in milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None:
        """The record's key; it only routes."""

    @property
    def value(self) -> bytes | None:
        """The record's bytes, None for a tombstone."""

    @property
    def headers(self) -> Headers:
        """Names and values, in order; names may repeat."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A ``Record`` that is not tied to a client library: memory logs, replay, tests."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """One bounded fetch of one partition.

    ``start`` and ``end`` are the consumer's position before and after the fetch, not record offsets, so control
    records and compaction leave gaps that are no loss. ``end_of_log_ms`` is the wall-clock time of the fetch when
    that fetch found the end of the log, else None; an idle partition yields empty chunks that carry it.
    """

    topic: str
    partition: int
    start: int
    end: int
    records: Sequence[Record]
    end_of_log_ms: int | None = None


@dataclass(frozen=True, slots=True)
class LogBounds:
    """What the broker says of one partition's log at assignment.

    ``topic_id`` is "" where the broker or client cannot tell it; "" is never compared.
    """

    start: int
    end: int
    cluster_id: str
    topic_id: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """The durable mark before a suspect stretch of log: what is being tried, how finely, how often.

    ``limit``: records per try; ``until``: where suspicion ends; ``tries``: which try this is, negative while it rests.
    """

    offset: int
    limit: int
    until: int
    tries: int


@dataclass(frozen=True, slots=True)
class Position:
    """The row that is a partition's only lock, and all that a worker must know to go on.

    Attributes:
        next_offset: offset of the first record not yet part of the committed state.
        watermark_us: event-time watermark, None before the first record.
        last_append_ms: append time of the record that last moved the watermark.
        closed_through: the last closed of its domain's periods since the epoch (``Domain.period_us``), None: none yet.
        closing_day, closing_cursor: the period of a close under way and the last tenant it has done.
        outbox_seq: sequence number of the newest outbox row ever written.
        published: every outbox row up to this sequence number is acknowledged by the broker.
        projected: every page as of this offset or before has its projection rows.
        epoch: grows with each claim; version: grows with each commit.
        released: the last owner left cleanly.
        settings_seq: open windows have been judged by every settings row up to this sequence number.
        counts: records by fate and what else adds up since offset 0 (see ``streams.fates``).
        readers: workers from this revision of the schema on must be able to read what is written; a claim tells it.
    """

    topic: str
    partition: int
    cluster_id: str
    topic_id: str
    next_offset: int
    watermark_us: int | None = None
    last_append_ms: int | None = None
    closed_through: int | None = None
    closing_day: int | None = None
    closing_cursor: str | None = None
    outbox_seq: int = 0
    published: int = 0
    projected: int = 0
    epoch: int = 0
    version: int = 0
    released: bool = True
    settings_seq: int = 0
    attempt: Attempt | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    readers: int = field(default=NEW_READERS, compare=False)

    @property
    def tp(self) -> TopicPartition:
        """The partition this is the position of."""
        return TopicPartition(self.topic, self.partition)


class PageKey(NamedTuple):
    """Where a page of state lives inside its partition.

    ``kind`` names a page body (``cost.day``, ``cost.hour``); ``bucket`` is the start of the page's window in whole
    hours since the epoch for every kind, so that one range of buckets is one range of time (0 for what belongs to
    no time); ``page`` is the number of the part an entity hashes to. The engines and the cache speak of bodies as a
    whole and leave it 0; only what is sealed is in parts.
    """

    tenant_id: str
    kind: str
    bucket: int
    page: int = 0


class NewSetting(NamedTuple):
    """A settings row before it has a place among the others; see ``SettingRow`` for its members."""

    kind: str
    tenant_id: str
    effective_us: int | None
    body: bytes


class SettingRow(NamedTuple):
    """One row of what is not in the log: settings are appended, never changed (CONTRACT §4).

    ``seq`` orders the rows of a database as appended; ``kind``: ``budget``, ``tag``, ``rule`` or ``acknowledgement``;
    ``tenant_id`` is ``*`` for everyone's rule; ``effective_us`` is None for a row that always was in force; ``body`` is
    a JSON object whose members the kind's domain knows.
    """

    seq: int
    kind: str
    tenant_id: str
    effective_us: int | None
    body: bytes


class IdBlock(NamedTuple):
    """Identities of the accepted records of one event day in one commit, whose ``next_offset`` is ``end_offset``.

    ``body`` is a run of 20-byte items: 16 bytes of identity, 4 bytes (big endian) of content checksum.
    """

    day: int
    end_offset: int
    body: bytes


class OutboxRow(NamedTuple):
    """A message that must reach a topic because its cause is committed.

    ``route`` decides the partition: murmur2 of it over the topic's partitions; None: ``partition`` modulo these.
    """

    seq: int
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    route: bytes | None
    partition: int


class TableRow(NamedTuple):
    """A row of a projection, upserted by its table's primary key; ``values`` follow ``partition`` (``tables``)."""

    table: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction: everything that changes when a position moves.

    The store applies it iff the row still has ``expected_epoch`` and ``expected_version``; ``position`` is the row
    as it will be, its version one higher. Outbox rows up to ``position.published`` are deleted.

    ``settings_seq`` is given by a batch that closes days: the newest settings row its judgements knew. The store
    refuses it (``SettingsMoved``) when another one is, and holds off newer ones until it is committed.
    """

    expected_epoch: int
    expected_version: int
    position: Position
    pages: Sequence[tuple[PageKey, bytes]] = ()
    id_blocks: Sequence[IdBlock] = ()
    outbox: Sequence[OutboxRow] = ()
    rows: Sequence[TableRow] = ()
    settings_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What folding and judging depend on beside pages.

    Attributes:
        closed_through: the last closed period as the first of the events is folded, None before the first close.
        settings: what ``Domain.settings`` made of the settings rows; opaque to the shell.
    """

    closed_through: int | None
    settings: object


class Search(NamedTuple):
    """Where to look for the next period to close.

    The lowest of ``buckets`` that holds a page of ``kind`` makes ``period_of`` it due.
    """

    kind: str
    buckets: range
    period_of: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Invalid:
    """Why a record is not an event: the field to blame (None: the record as a whole) and the reason."""

    field: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message an engine wants published, before it has a sequence number."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    route: bytes | None


@dataclass(slots=True)
class Effects:
    """What folding or closing brought about beside changed pages."""

    outgoing: list[Outgoing] = field(default_factory=list)
    rows: list[TableRow] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, n: int = 1) -> None:
        """Add *n* to the counter *name* of the position row."""
        self.counts[name] = self.counts.get(name, 0) + n
