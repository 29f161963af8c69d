"""What one tenant did: its totals by entity and window, what was restated, and what closes have fixed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.oracle.records import DAY_US, HOUR_US, Record
from tests.oracle.settings import Known, Rules

Entity = tuple[str, str]  # entity_type, entity_id


@dataclass(frozen=True)
class Accepted:
    """A counted record, its cost in nano-USD (None without a price), and whether its day was closed already."""

    record: Record
    cost_nanousd: int | None
    restated: bool = False


@dataclass
class Totals:
    """What one entity did in one window."""

    requests: int = 0
    unpriced_requests: int = 0
    retry_requests: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    priced_nanousd: int = 0
    restated: bool = False

    def add(self, accepted: Accepted) -> None:
        """Count one record."""
        record = accepted.record
        self.requests += 1
        self.retry_requests += record.is_retry
        self.input_tokens += record.input_tokens
        self.cached_input_tokens += record.cached_input_tokens
        self.output_tokens += record.output_tokens
        self.restated |= accepted.restated
        if accepted.cost_nanousd is None:
            self.unpriced_requests += 1
        else:
            self.priced_nanousd += accepted.cost_nanousd

    @property
    def active(self) -> bool:
        """Whether the window counts for a baseline: at least one priced record, a zero one too."""
        return self.requests > self.unpriced_requests

    @property
    def cost_nanousd(self) -> int | None:
        """The spend, or None when nothing was priced."""
        return self.priced_nanousd if self.active else None


Days = Mapping[int, Totals]
NOTHING: Days = {}


def entities(record: Record) -> list[Entity]:
    """Return the entities that *record* counts for."""
    found = [("tenant", record.tenant_id), ("model", record.model)]
    if record.user_id is not None:
        found.append(("user", record.user_id))
    if record.feature_tag is not None:
        found.append(("feature", record.feature_tag))
    return found


def active_days(days: Days, first: int, last: int) -> list[Totals]:
    """Return the active days in *first* … *last*, both included."""
    return [days[day] for day in range(first, last + 1) if day in days and days[day].active]


def spend(days: Days, first: int, last: int) -> int:
    """Return the spend in *first* … *last*, both included."""
    return sum(days[day].priced_nanousd for day in range(first, last + 1) if day in days)


def sum_and_count(days: Days, first: int, last: int) -> tuple[int, int]:
    """Return S and k of a baseline: the spend of the active days in *first* … *last*, and how many they are."""
    found = active_days(days, first, last)
    return sum(totals.priced_nanousd for totals in found), len(found)


@dataclass
class Book:
    """One tenant on its way through a log.

    Attributes:
        closed_through: the last closed day of the tenant's partition.
        flags: the breach flags that closes and re-judgements gave to closed days, as (kind, entity, day).
        pending: closed days that were restated since they were last judged.
        baselines: of each (entity, closed day) the snapshot's baseline, fixed at the close or when the row was born.
    """

    tenant_id: str
    known: Known
    closed_through: int | None
    days: dict[Entity, dict[int, Totals]] = field(default_factory=dict)
    hours: dict[Entity, dict[int, Totals]] = field(default_factory=dict)
    latest_us: dict[int, int] = field(default_factory=dict)
    flags: set[tuple[str, Entity, int]] = field(default_factory=set)
    pending: set[int] = field(default_factory=set)
    baselines: dict[tuple[Entity, int], int | None] = field(default_factory=dict)

    @property
    def tenant(self) -> Entity:
        """The tenant as an entity."""
        return ("tenant", self.tenant_id)

    def of(self, entity: Entity) -> Days:
        """Return the days of an entity; one that was never seen has none."""
        return self.days.get(entity, NOTHING)

    def add(self, accepted: Accepted) -> None:
        """Count one record."""
        at_us, day = accepted.record.occurred_us, accepted.record.day
        for entity in entities(accepted.record):
            own = self.days.setdefault(entity, {})
            if accepted.restated and day not in own:
                self.fix_baseline(entity, day)
            own.setdefault(day, Totals()).add(accepted)
            self.hours.setdefault(entity, {}).setdefault(at_us // HOUR_US, Totals()).add(accepted)
        self.latest_us[day] = max(at_us, self.latest_us.get(day, at_us))
        if accepted.restated:
            self.pending.add(day)

    def closed(self, day: int) -> bool:
        """Return whether the day is closed."""
        return self.closed_through is not None and day <= self.closed_through

    def on(self, day: int) -> list[Entity]:
        """Return the entities that have a record on a day."""
        return [entity for entity, days in self.days.items() if day in days]

    def open_days(self) -> list[int]:
        """Return the open days that hold a record, in order."""
        return sorted(day for day in self.of(self.tenant) if not self.closed(day))

    def rules(self, last_day: int) -> Rules:
        """Return the rules of the windows that end with *last_day*."""
        return self.known.rules(self.tenant_id, last_day)

    def fix_baseline(self, entity: Entity, day: int) -> None:
        """Give the snapshot of a closed day its baseline."""
        total, count = sum_and_count(self.of(entity), day - 7, day - 1)
        self.baselines[entity, day] = total // count if count else None

    def latest_in(self, first: int, last: int) -> int:
        """Return the greatest event time in the days *first* … *last*; at least one of them holds a record."""
        return max(self.latest_us[day] for day in range(first, last + 1) if day in self.latest_us)


def day_of_hour(hour: int) -> int:
    """Return the day of an hour since the epoch."""
    return hour * HOUR_US // DAY_US
