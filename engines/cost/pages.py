"""The bodies of cost pages: what one tenant did in one hour or one day.

A total is a list of integers (``REQUESTS`` … ``COST``), because the fold adds to it once per record; a day's total
carries one more, the next line that its cost may cross (``WATCH``), so that the fold need only compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from engines.core.model import PageKey
from engines.core.time import HOURS_PER_DAY
from engines.cost.rules import NEVER, NO_LINES, Profile, SpikeLines, spike_lines

REQUESTS: Final = 0
UNPRICED: Final = 1
RETRIES: Final = 2
INPUT: Final = 3
CACHED: Final = 4
OUTPUT: Final = 5
COST: Final = 6
WATCH: Final = 7
_STORED: Final = 7

HOUR: Final = "cost.hour"
DAY: Final = "cost.day"


ENTITY_TYPES: Final = ("tenant", "user", "feature", "model")
JUDGED_TYPES: Final = ("tenant", "user", "feature")

Total = list[int]
Totals = dict[str, dict[str, Total]]
"""entity type → entity id → total."""

_VERSION: Final = 1
_INT64_MAX: Final = (1 << 63) - 1


def new_total() -> Total:
    """Return an empty total without a line to watch."""
    return [0, 0, 0, 0, 0, 0, 0, NEVER]


def is_active(total: Total) -> bool:
    """Whether a day with *total* counts for a baseline: it has a priced record (CONTRACT §6)."""
    return total[REQUESTS] > total[UNPRICED]


def no_totals() -> Totals:
    """Return totals of no entity."""
    return {kind: {} for kind in ENTITY_TYPES}


@dataclass(slots=True)
class HourPage:
    """Totals of a tenant's entities in one hour."""

    totals: Totals = field(default_factory=no_totals)


@dataclass(slots=True)
class Published:
    """What the newest published revision of an anomaly said, as far as a change of it is news (CONTRACT §5)."""

    anomaly_type: str
    severity: str
    streak_start: int
    cause: str
    status: str


@dataclass(slots=True)
class DayPage:
    """Totals of a tenant's entities on one day, and what judging them needs.

    Attributes:
        newest_us: the tenant's greatest event time in the day.
        records_before: the tenant's records in days D-29 … D-2, for revisions.
        spike_base: entity type → id → (sum over active days, active days) of D-14 … D-2, fixed when the day opens.
        streaks: entity type → id → first day of the unbroken run of breach days that ends here; absent: no breach.
        published: (entity type, id) → newest published state of the spike.
        baselines: entity type → id → (sum, active days) of D-7 … D-1, None until the close fixes it.
    """

    totals: Totals = field(default_factory=no_totals)
    newest_us: int = 0
    records_before: int = 0
    spike_base: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    streaks: dict[str, dict[str, int]] = field(default_factory=lambda: {kind: {} for kind in JUDGED_TYPES})
    published: dict[tuple[str, str], Published] = field(default_factory=dict)
    baselines: dict[str, dict[str, tuple[int, int]]] | None = None

    def records(self, tenant_id: str) -> int:
        """Return how many records of *tenant_id* the day holds."""
        total = self.totals["tenant"].get(tenant_id)
        return 0 if total is None else total[REQUESTS]

    def lines(self, entity_type: str, entity_id: str, profile: Profile) -> SpikeLines:
        """Return the spike lines of an entity on this day."""
        base = self.spike_base.get(entity_type, {}).get(entity_id)
        return NO_LINES if base is None else spike_lines(*base, profile)

    def watch(self, entity_type: str, entity_id: str, total: Total, profile: Profile) -> None:
        """Set the next line that *total* may cross."""
        lines = self.lines(entity_type, entity_id, profile)
        if entity_id not in self.streaks[entity_type]:
            total[WATCH] = lines.breach
        else:
            total[WATCH] = lines.alone if total[COST] < lines.alone else NEVER


def each_total(totals: Totals) -> Iterator[tuple[str, str, Total]]:
    """Yield (entity type, entity id, total), in the order of ``ENTITY_TYPES``."""
    for kind in ENTITY_TYPES:
        for entity_id, total in totals[kind].items():
            yield kind, entity_id, total


def day_key(tenant_id: str, day: int) -> PageKey:
    """Return the key of a tenant's day page."""
    return PageKey(tenant_id, DAY, day * HOURS_PER_DAY)


def hour_key(tenant_id: str, hour: int) -> PageKey:
    """Return the key of a tenant's hour page."""
    return PageKey(tenant_id, HOUR, hour)


def pack(body: HourPage | DayPage) -> bytes:
    """Return the sealed bytes of *body*."""
    totals = {
        kind: {entity_id: _stored(total) for entity_id, total in of_kind.items()}
        for kind, of_kind in body.totals.items()
    }
    if isinstance(body, HourPage):
        return _encode((_VERSION, totals))
    published = [
        (*key, state.anomaly_type, state.severity, state.streak_start, state.cause, state.status)
        for key, state in body.published.items()
    ]
    base = _stored_sums(body.spike_base)
    fixed = None if body.baselines is None else _stored_sums(body.baselines)
    return _encode((_VERSION, totals, body.newest_us, body.records_before, base, body.streaks, published, fixed))


def unpack(kind: str, sealed: bytes, profile: Profile) -> HourPage | DayPage:
    """Return the body in *sealed*.

    Raises:
        ValueError: a page of a version this code does not know; the worker is older than the database.
    """
    if kind == HOUR:
        version, totals = _decode_hour(sealed)
        _check(version)
        return HourPage(_loaded(totals))
    version, totals, newest, before, base, streaks, published, fixed = _decode_day(sealed)
    _check(version)
    page = DayPage(
        _loaded(totals),
        newest,
        before,
        _loaded_sums(base),
        streaks,
        {stored[:2]: Published(*stored[2:]) for stored in published},
        None if fixed is None else _loaded_sums(fixed),
    )
    for entity_type in JUDGED_TYPES:
        for entity_id, total in page.totals[entity_type].items():
            page.watch(entity_type, entity_id, total, profile)
    return page


# msgpack integers end at 64 bits; sums of money need not. Larger ones travel as text.
_Number = int | str
_StoredTotals = dict[str, dict[str, list[_Number]]]
_StoredSums = dict[str, dict[str, tuple[_Number, int]]]
_StoredState = tuple[str, str, str, str, int, str, str]
_encode = msgspec.msgpack.Encoder().encode
_decode_hour = msgspec.msgpack.Decoder(tuple[int, _StoredTotals]).decode
_decode_day = msgspec.msgpack.Decoder(
    tuple[int, _StoredTotals, int, int, _StoredSums, dict[str, dict[str, int]], list[_StoredState], _StoredSums | None]
).decode


def _stored(total: Total) -> list[int] | list[_Number]:
    stored = total[:_STORED]
    return stored if max(stored) <= _INT64_MAX else [_number(value) for value in stored]


def _number(value: int) -> _Number:
    return value if value <= _INT64_MAX else str(value)


def _stored_sums(sums: dict[str, dict[str, tuple[int, int]]]) -> _StoredSums:
    return {
        kind: {entity_id: (_number(money), days) for entity_id, (money, days) in of_kind.items()}
        for kind, of_kind in sums.items()
    }


def _loaded(totals: _StoredTotals) -> Totals:
    return {
        kind: {entity_id: [*map(int, stored), NEVER] for entity_id, stored in of_kind.items()}
        for kind, of_kind in totals.items()
    }


def _loaded_sums(sums: _StoredSums) -> dict[str, dict[str, tuple[int, int]]]:
    return {
        kind: {entity_id: (int(money), days) for entity_id, (money, days) in of_kind.items()}
        for kind, of_kind in sums.items()
    }


def _check(version: int) -> None:
    if version != _VERSION:
        message = f"cost page of version {version}; this worker reads version {_VERSION}"
        raise ValueError(message)
