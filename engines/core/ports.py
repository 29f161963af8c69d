"""The ports: what the shell asks of sources, stores, publishers, clocks and domains.

Each has a memory and a real implementation under one contract suite. Errors are those of ``engines.core.errors``:
a port translates its client library's errors once and raises nothing else on purpose.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from engines.core.model import (
    NEW_READERS,
    Batch,
    Chunk,
    Context,
    Effects,
    IdBlock,
    Invalid,
    LogBounds,
    OutboxRow,
    PageKey,
    Position,
    Record,
    Search,
    SettingRow,
    TableRow,
    TopicPartition,
)


class ChunkHandler(Protocol):
    """What a ``ChunkSource`` calls. None of these raises, cancellation excepted."""

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Claim *partitions* and seek each to its position; no chunk of one comes before it is sought.

        It may return before every claim has succeeded: a partition not sought yet stands still.
        """

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Give *partitions* up; after this returns another worker may own them."""

    async def process(self, chunk: Chunk) -> None:
        """Take in one chunk; called serially per partition, concurrently across partitions."""


class ChunkSource(Protocol):
    """Where chunks come from: a consumer-group member, or a log in memory.

    A chunk has at most 5 000 records and 4 MiB of values (one record may exceed the latter alone).
    """

    async def run(self, handler: ChunkHandler) -> None:
        """Deliver assignments and chunks to *handler* until ``stop``; raises ``Halt`` when it cannot go on."""

    async def stop(self) -> None:
        """Make ``run`` revoke everything, leave the group and return."""

    async def bounds(self, tp: TopicPartition) -> LogBounds:
        """Return log start, log end (last stable offset) and ids of *tp*. Raises Transient."""

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Make the next chunk of *tp* start at *offset*; chunks fetched before are not delivered any more."""

    def report(self, tp: TopicPartition, next_offset: int) -> None:
        """Let the group's committed offset follow, for lag displays only; never blocks, may drop."""


class Store(Protocol):
    """The database of some partitions. Raises Transient or DataRefused, nothing else on purpose."""

    async def claim(self, tp: TopicPartition, log: LogBounds) -> Position:
        """Take ownership: a higher epoch, version + 1, released = false, in one transaction.

        Epochs are unique over the life of the database, restores to an earlier commit included, so that an owner
        from an abandoned history can never pass for one of today.

        A partition without a row gets one at ``log.start``. Returns the row after the claim, except that
        ``released`` is what it was before (True: the last owner left cleanly, or there was none).

        Raises:
            PositionRefused: the pinned number of partitions of the topic, the cluster id, or the topic id differs
                from *log* ("" is never compared), or the position lies outside ``log.start … log.end``. Nothing
                is changed then.
        """

    async def read_position(self, tp: TopicPartition) -> Position | None:
        """Return the row as it stands, None when there is none."""

    async def load_pages(self, tp: TopicPartition, keys: Collection[PageKey]) -> dict[PageKey, bytes]:
        """Return every part of the pages in *keys* (their own part numbers are ignored), in one query."""

    async def load_ids(self, tp: TopicPartition, first_day: int | None, last_day: int | None = None) -> list[IdBlock]:
        """Return the identity blocks of event days *first_day* … *last_day* (None: without that bound)."""

    async def load_settings(self, tp: TopicPartition, after_seq: int) -> list[SettingRow]:
        """Return the settings rows of this database appended after *after_seq*, in order."""

    async def stale_pages(self, tp: TopicPartition, after: int) -> list[tuple[PageKey, int]]:
        """Return (key, as_of offset) of pages last written at an offset above *after*: projections may lag."""

    async def load_outbox(self, tp: TopicPartition, after_seq: int, limit: int) -> list[OutboxRow]:
        """Return the first *limit* outbox rows above *after_seq*, in order."""

    async def page_tenants(
        self, tp: TopicPartition, kind: str, buckets: range, after: str | None, limit: int
    ) -> list[str]:
        """Return up to *limit* tenants above *after* (code-point order) with a page of *kind* in *buckets*."""

    async def first_bucket(self, tp: TopicPartition, kind: str, buckets: range) -> int | None:
        """Return the lowest bucket in *buckets* that holds a page of *kind*, None when none does."""

    async def commit(self, batch: Batch) -> bool:
        """Apply *batch* in one transaction; False when epoch or version were not the expected ones.

        Raises SettingsMoved, nothing changed, when ``batch.settings_seq`` is given and is not the newest settings row.
        ``Transient`` leaves open whether it happened: the caller reads the position to find out.
        """


StoreFor = Callable[[TopicPartition], Store]
"""Which database a partition lives in: partition modulo the number of databases."""


class Publisher(Protocol):
    """Where outbox rows go."""

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Send *rows* in order and return when the broker has acknowledged every one.

        Raises Transient when any is not acknowledged; sending all again is then right (consumers dedupe by id
        and revision).
        """


class Clock(Protocol):
    """Wall-clock time, for what is not decided by the log: idle closes and waiting."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""


class Event(Protocol):
    """What the shell needs to know of a decoded event."""

    @property
    def id(self) -> str:
        """The id its producer gave it."""

    @property
    def source(self) -> str:
        """CloudEvents source, "" when there is none; part of the identity."""

    @property
    def tenant_id(self) -> str:
        """Who it belongs to; decides the home partition."""

    @property
    def occurred_at(self) -> int:
        """Event time in microseconds since the epoch."""


class Pages(Protocol):
    """The shell's cache of one partition's pages, as an engine sees it.

    Every key an engine asks for was named by ``Domain.missing`` or put by the engine itself.
    """

    def known(self, key: PageKey) -> bool:
        """Whether it is known if the page exists (it was loaded, found absent, or put)."""

    def get(self, key: PageKey) -> object | None:
        """Return the page's body, None when there is none; raises KeyError when not known."""

    def put(self, key: PageKey, body: object) -> None:
        """Add a new page, dirty."""

    def touch(self, key: PageKey) -> None:
        """Mark a page changed: it will be sealed into the next commit, and projected."""


class Domain(Protocol):
    """A family of rules over one input topic: pure, synchronous, told the time by events.

    Its windows close period by period: period *p* is [p · ``period_us``, (p + 1) · ``period_us``) since the epoch.
    A type parameter would only be erased by the shell, so events and bodies are opaque to it.
    """

    @property
    def topic(self) -> str:
        """The input topic; one domain = one topic, so each row of state has one writer."""

    @property
    def period_us(self) -> int:
        """How long the windows that close are, in microseconds; a UTC day is a whole number of them."""

    @property
    def lateness_us(self) -> int | None:
        """How far behind the watermark a record may be and still count; one before that is late (``too_old``).

        A period closes no sooner than that after its end, so what is closed takes in no record. None: records of closed
        periods do count, up to the horizon, and restate what is closed (CONTRACT §2).
        """

    def decode(self, record: Record) -> Event | Invalid:
        """Return the event in *record*, or why there is none (CONTRACT §1)."""

    def stamp(self, event: Event) -> bytes:
        """Return 20 bytes: the identity of *event* (CONTRACT §3), and a big-endian checksum of all its known fields.

        The checksum tells conflicting copies.
        """

    def money(self, event: Event) -> int | None:
        """Return what *event* costs in nano-USD, None when that is not known."""

    def next_due(self, closed_through: int | None) -> int | None:
        """Return the watermark (µs) at which the period after *closed_through* closes; None: nothing to come."""

    def closable_through(self, watermark_us: int) -> int:
        """Return the last period that *watermark_us* closes."""

    def ids_closed_through(self, closed: int) -> int | None:
        """Return the last UTC day of which identities need not be at hand once periods are closed through *closed*.

        Only a record that restates asks for them any more. None: there is no such day.
        """

    def settings(self, rows: Sequence[SettingRow]) -> object:
        """Return what *rows*, in order, say, for ``Context.settings``. Rows are never refused: they were when set."""

    def concerned(self, rows: Sequence[SettingRow]) -> frozenset[str] | None:
        """Return the tenants whose open windows *rows* may judge differently; None: every tenant's."""

    def missing(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> set[PageKey]:
        """Return keys that folding *events* needs and *pages* does not know; asked again until empty."""

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        """Fold accepted *events*, by tenant and in offset order, into *pages* and judge them per record.

        Those of periods up to ``context.closed_through`` restate what is closed (CONTRACT §2).
        """

    def tenants_scope(self) -> tuple[str, range]:
        """Return the page kind and buckets under which every tenant with any state is found."""

    def closing_scope(self, period: int) -> tuple[str, range]:
        """Return the page kind and buckets under which every tenant is found that the close of *period* visits.

        Closing a tenant puts no page there of a tenant that had none.
        """

    def searches(self, first: int, last: int) -> Sequence[Search]:
        """Return where to look for the first of the periods *first* … *last* whose close has anything to do."""

    def close_missing(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> set[PageKey]:
        """Return keys that closing *period* for *tenants* needs and *pages* does not know; asked until empty."""

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        """Fix the judgements of *period* for *tenants* (in code-point order), and of periods restated before it."""

    def open_missing(self, pages: Pages, tenants: Sequence[str], context: Context) -> set[PageKey]:
        """Return keys that ``rejudge`` and ``standing`` of *tenants* need and *pages* does not know."""

    def rejudge(self, pages: Pages, tenants: Sequence[str], context: Context) -> Effects:
        """Judge the open windows of *tenants* again: settings have changed."""

    def standing(
        self, pages: Pages, tenant_id: str, context: Context, watermark_us: int
    ) -> list[tuple[dict[str, object], dict[str, object] | None]]:
        """Return (line, fact or None) of what holds on the tenant's open windows at *watermark_us*, published or not.

        A fact is there for what is, or ever was published, HIGH; what was published and holds no more is withdrawn.
        *watermark_us* is exact, ``context.closed_through`` may be ahead of it: silence and replay close early.
        """

    def day_keys(self, tenant_id: str, period: int) -> Iterable[PageKey]:
        """Return every key under which *tenant_id* may have a page of *period* to project when that is closed."""

    def pack(self, key: PageKey, body: object, readers: int = NEW_READERS) -> Sequence[tuple[int, bytes]]:
        """Return the parts of a page body that changed since it was last packed or unpacked, by part number.

        They are written so that workers from revision *readers* on can read them (``Position.readers``).
        """

    def unpack(self, key: PageKey, parts: Mapping[int, bytes]) -> object:
        """Return the body whose parts are *parts*, each of this version or the one before; raises Halt of others."""

    def project(self, key: PageKey, body: object, as_of: int) -> Iterable[TableRow]:
        """Return the projection rows of a page as of offset *as_of*."""

    def weight(self, body: object) -> int:
        """Return how many entities a page body holds, for cache and projection budgets."""


Sleep = Callable[[float], Awaitable[None]]
Counts = Mapping[str, int]
