"""The bodies of cost pages: what one tenant did in one hour or one day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from engines.core.model import PageKey
from engines.core.time import HOURS_PER_DAY
from engines.cost.rules import NO_LINES, Profile, SpikeLines, spike_lines
from engines.cost.totals import RARE_BITS, Total, cost, line, requests

HOUR: Final = "cost.hour"
DAY: Final = "cost.day"


ENTITY_TYPES: Final = ("tenant", "user", "feature", "model")
JUDGED_TYPES: Final = ("tenant", "user", "feature")

Totals = dict[str, dict[str, Total]]
"""entity type → entity id → total."""

_VERSION: Final = 1
_INT64_MAX: Final = (1 << 63) - 1
_RARE: Final = (1 << RARE_BITS) - 1


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
        watch: entity type → id → the least total at which the entity crosses its next line; derived, never stored.
        baselines: entity type → id → (sum, active days) of D-7 … D-1, None until the close fixes it.
    """

    totals: Totals = field(default_factory=no_totals)
    newest_us: int = 0
    records_before: int = 0
    spike_base: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    streaks: dict[str, dict[str, int]] = field(default_factory=lambda: {kind: {} for kind in JUDGED_TYPES})
    published: dict[tuple[str, str], Published] = field(default_factory=dict)
    baselines: dict[str, dict[str, tuple[int, int]]] | None = None
    watch: Totals = field(default_factory=no_totals)

    def records(self, tenant_id: str) -> int:
        """Return how many records of *tenant_id* the day holds."""
        total = self.totals["tenant"].get(tenant_id)
        return 0 if total is None else requests(total)

    def lines(self, entity_type: str, entity_id: str, profile: Profile) -> SpikeLines:
        """Return the spike lines of an entity on this day."""
        base = self.spike_base.get(entity_type, {}).get(entity_id)
        return NO_LINES if base is None else spike_lines(*base, profile)

    def watch_all(self, profile: Profile) -> None:
        """Set the next line of every entity that has a baseline."""
        for entity_type in JUDGED_TYPES:
            for entity_id in self.spike_base.get(entity_type, {}):
                self.watch_next(entity_type, entity_id, profile)

    def watch_next(self, entity_type: str, entity_id: str, profile: Profile) -> None:
        """Set the next line that an entity's total may cross."""
        lines = self.lines(entity_type, entity_id, profile)
        if entity_id not in self.streaks[entity_type]:
            self.watch[entity_type][entity_id] = line(lines.breach)
        elif cost(self.totals[entity_type][entity_id]) < lines.alone:
            self.watch[entity_type][entity_id] = line(lines.alone)
        else:
            self.watch[entity_type].pop(entity_id, None)


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
    totals = [_stored(body.totals[kind]) for kind in ENTITY_TYPES]
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
    page.watch_all(profile)
    return page


# msgpack integers end at 64 bits; sums of money need not. Larger ones travel as text.
_Number = int | str
_StoredTotals = list[tuple[dict[str, bytes], dict[str, bytes]]]
"""By ``ENTITY_TYPES``: the upper bits of each total, and the rare lower bits of those that have any."""
_StoredSums = dict[str, dict[str, tuple[_Number, int]]]
_StoredState = tuple[str, str, str, str, int, str, str]
_encode = msgspec.msgpack.Encoder().encode
_decode_hour = msgspec.msgpack.Decoder(tuple[int, _StoredTotals]).decode
_decode_day = msgspec.msgpack.Decoder(
    tuple[int, _StoredTotals, int, int, _StoredSums, dict[str, dict[str, int]], list[_StoredState], _StoredSums | None]
).decode


def _stored(totals: dict[str, Total]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    rare = {entity_id: _bytes(total & _RARE) for entity_id, total in totals.items() if total & _RARE}
    return {entity_id: _bytes(total >> RARE_BITS) for entity_id, total in totals.items()}, rare


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) >> 3, "big")


def _number(value: int) -> _Number:
    return value if value <= _INT64_MAX else str(value)


def _stored_sums(sums: dict[str, dict[str, tuple[int, int]]]) -> _StoredSums:
    return {
        kind: {entity_id: (_number(money), days) for entity_id, (money, days) in of_kind.items()}
        for kind, of_kind in sums.items()
    }


def _loaded(stored: _StoredTotals) -> Totals:
    totals: Totals = {}
    for kind, (common, rare) in zip(ENTITY_TYPES, stored, strict=True):
        totals[kind] = {entity_id: int.from_bytes(upper, "big") << RARE_BITS for entity_id, upper in common.items()}
        for entity_id, lower in rare.items():
            totals[kind][entity_id] |= int.from_bytes(lower, "big")
    return totals


def _loaded_sums(sums: _StoredSums) -> dict[str, dict[str, tuple[int, int]]]:
    return {
        kind: {entity_id: (int(money), days) for entity_id, (money, days) in of_kind.items()}
        for kind, of_kind in sums.items()
    }


def _check(version: int) -> None:
    if version != _VERSION:
        message = f"cost page of version {version}; this worker reads version {_VERSION}"
        raise ValueError(message)
