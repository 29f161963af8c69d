"""One partition's log, record by record: fates, watermark, closes (CONTRACT §1 - §3).

Invariant: every record ends as exactly one of dead, forwarded, late, duplicate, accepted.
A record of a closed day is restated: accepted, with a line in the late records. Identities are kept for ever here;
the floor, if one is given, lies a number of days before the watermark's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from tests.oracle.placement import home, partition_of
from tests.oracle.records import DAY_US, HOUR_US, SECOND_US, Bad, LogRecord, Record, decode, object_of

GRACE_US = HOUR_US
WATERMARK_LAG_US = 300 * SECOND_US
FUTURE_MAX_US = 300 * SECOND_US
GAP_MIN_US = 60 * SECOND_US
HORIZON_DAYS = 35

Price = Callable[[Mapping[str, Any]], int | str]
Fate = Literal["dead", "forwarded", "late", "duplicate", "accepted"]


def no_prices(record: Mapping[str, Any]) -> int | str:
    """Price nothing: what is right for records whose model or provider no price list can know."""
    provider = record["provider"]
    return "unknown_provider" if provider is not None and provider.startswith("no-such") else "unknown_model"


@dataclass(frozen=True)
class Judged:
    """A record and its fate; whatever has a `late_reason` has a line in the late records, accepted ones `restated`."""

    partition: int
    offset: int
    entry: LogRecord
    fate: Fate
    record: Record | None = None
    bad: Bad | None = None
    late_reason: str | None = None
    conflicting: bool = False
    cost_nanousd: int | None = None
    unpriced_reason: str | None = None

    @property
    def counted(self) -> Record | None:
        """The record, if it is accepted."""
        return self.record if self.fate == "accepted" else None


@dataclass(frozen=True)
class Closed:
    """Between two records every day up to and with *through* was closed."""

    through: int


@dataclass(frozen=True)
class Learned:
    """Before the record at *offset* (None: after the last) settings became known."""

    offset: int | None


Step = Judged | Closed | Learned


@dataclass
class Watermark:
    """How far a partition's event time has come (CONTRACT §2); `at_us` None before its first record."""

    at_us: int | None = None
    last_append_us: int | None = None

    def wait(self, append_us: int | None) -> None:
        """Pass the time since the record before: what is longer than a minute counts as event time, too."""
        if append_us is not None and self.last_append_us is not None and self.at_us is not None:
            gap = append_us - self.last_append_us
            if gap > GAP_MIN_US:
                self._advance(self.at_us + gap)
        self.last_append_us = append_us

    def see(self, occurred_us: int) -> None:
        """Pass a record of this time."""
        self._advance(occurred_us - WATERMARK_LAG_US)

    def _advance(self, to_us: int) -> None:
        self.at_us = to_us if self.at_us is None else max(self.at_us, to_us)


@dataclass
class Walk:
    """A partition on its way through its log; the fields are what a worker would remember."""

    partition: int
    partitions: int
    price: Price = no_prices
    now_us: int | None = None
    dedup_days: int = HORIZON_DAYS
    learns_at: Sequence[int] = ()
    watermark: Watermark = field(default_factory=Watermark)
    closed_through: int | None = None
    seen: dict[tuple[str, str, str, int], Record] = field(default_factory=dict)

    def steps(self, log: Sequence[LogRecord]) -> Iterator[Step]:
        """Yield what happens, in order, for the records of this partition; `learns_at` are offsets, in order."""
        due = list(self.learns_at)
        for entry in log:
            assert entry.offset is not None
            if due and due[0] <= entry.offset:
                due = [offset for offset in due if offset > entry.offset]
                yield Learned(entry.offset)
            record = _readable(entry, self.now_us)
            if isinstance(record, Bad):
                yield self._judged(entry, "dead", bad=record)
            elif home(record.tenant_id, self.partitions) != self.partition:
                yield self._judged(entry, "forwarded", record=record)
            else:
                self.watermark.wait(entry.append_us)
                yield from self._close_due()
                yield self._at_home(entry, record)
                self.watermark.see(record.occurred_us)
                yield from self._close_due()
        if due:
            yield Learned(None)

    def close(self, through: int) -> Iterator[Closed]:
        """Close further days, as an idle worker or the end of a replay does."""
        if self.closed_through is None or through > self.closed_through:
            self.closed_through = through
            yield Closed(through)

    def _close_due(self) -> Iterator[Closed]:
        if self.watermark.at_us is not None:
            # The greatest day with (day + 1) * DAY + GRACE <= watermark.
            yield from self.close((self.watermark.at_us - GRACE_US) // DAY_US - 1)

    def _at_home(self, entry: LogRecord, record: Record) -> Judged:
        cost, why = self._cost(record)
        closed = self.closed_through is not None and record.day <= self.closed_through
        age = 0 if self.watermark.at_us is None else self.watermark.at_us // DAY_US - record.day
        if closed and age > min(HORIZON_DAYS, self.dedup_days):
            reason = "too_old" if age > HORIZON_DAYS else "dedup_unknown"
            return self._judged(entry, "late", record=record, late_reason=reason, cost_nanousd=cost)
        first = self.seen.setdefault(record.identity, record)
        if first is not record:
            return self._judged(entry, "duplicate", record=record, conflicting=first != record)
        why_late = "restated" if closed else None
        return self._judged(
            entry, "accepted", record=record, late_reason=why_late, cost_nanousd=cost, unpriced_reason=why
        )

    def _cost(self, record: Record) -> tuple[int | None, str | None]:
        answer = self.price(asdict(record)) if record.given_nanousd is None else record.given_nanousd
        return (None, answer) if isinstance(answer, str) else (answer, None)

    def _judged(self, entry: LogRecord, fate: Fate, **more: Any) -> Judged:
        assert entry.offset is not None
        return Judged(self.partition, entry.offset, entry, fate, **more)


def placed(log: Sequence[LogRecord], partitions: int) -> list[LogRecord]:
    """Return the log with a partition and an offset for every record, in the same order.

    An unplaced record goes where a murmur2 producer puts its key; without a key, where its tenant lives;
    a line that names no tenant to partition 0.
    """
    ends: dict[int, int] = {}
    result = []
    for entry in log:
        partition = _unplaced(entry, partitions) if entry.partition is None else entry.partition
        offset = ends.get(partition, 0) if entry.offset is None else entry.offset
        ends[partition] = offset + 1
        result.append(replace(entry, partition=partition, offset=offset))
    return result


def forwarded_copies(log: Sequence[LogRecord], partitions: int, now_us: int | None = None) -> list[LogRecord]:
    """Return what forwarding appends to the home partitions, in the order of the (placed) *log*.

    The copies have a partition but no offset and keep their append time: the caller decides where they go.
    """
    copies = []
    for entry in log:
        record = _readable(entry, now_us)
        if isinstance(record, Record) and home(record.tenant_id, partitions) != entry.partition:
            at = home(record.tenant_id, partitions)
            copies.append(replace(entry, partition=at, offset=None, key=record.tenant_id.encode()))
    return copies


def _unplaced(entry: LogRecord, partitions: int) -> int:
    if entry.key is not None:
        return partition_of(entry.key, partitions)
    tenant_id = (object_of(entry.value) or {}).get("tenant_id")
    if not isinstance(tenant_id, str) or any("\ud800" <= sign <= "\udfff" for sign in tenant_id):
        return 0
    return home(tenant_id, partitions)


def _readable(entry: LogRecord, now_us: int | None) -> Record | Bad:
    record = decode(entry.value, entry.headers)
    limit_us = now_us if entry.append_us is None else entry.append_us
    if isinstance(record, Record) and limit_us is not None and record.occurred_us > limit_us + FUTURE_MAX_US:
        return Bad("occurred_at", "future")
    return record
