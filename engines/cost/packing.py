"""Cost pages as bytes, those of many users in parts (``engines.cost.parts``).

The layout has a version, the first member of each sealed part, and a page's parts may be of two: what did not change
is not written again. A new layout keeps the reader and the writer of the one before, as both are needed while workers
of two versions run; each is a line in ``READERS`` and ``WRITERS``, over the structs of the newest layout. A reader may
go when no page of its version is left in any deployment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from engines.core.errors import Halt
from engines.cost import layouts
from engines.cost.pages import (
    BASE,
    DAY,
    ENTITY_TYPES,
    HOUR,
    JUDGED_TYPES,
    MONTH,
    SERIES,
    BasePage,
    Body,
    DayPage,
    HourPage,
    Ledger,
    MonthPage,
    Names,
    Published,
    SeriesPage,
    Totals,
)
from engines.cost.parts import USER, grow, part_of
from engines.cost.totals import RARE_BITS, Total

VERSION: Final = 2
"""Of the layout that the structs of ``engines.cost.layouts`` have."""
WRITTEN_SINCE: Sequence[tuple[int, int]] = ((0, 2),)
"""(revision of the schema, version): what is written where every worker knows that revision or a later one."""

_RARE: Final = (1 << RARE_BITS) - 1
_INT64_MAX: Final = (1 << 63) - 1
_OTHERS: Final = tuple(kind for kind in ENTITY_TYPES if kind != USER)

_DECODE: Final = {kind: msgspec.msgpack.Decoder(layout).decode for kind, layout in layouts.LAYOUTS.items()}

READERS: Final[dict[int, Callable[[str, bytes], Any]]] = {2: lambda kind, sealed: _DECODE[kind](sealed)}
"""version → from kind and bytes to a struct of the newest layout."""
WRITERS: Final[dict[int, Callable[[Any], bytes]]] = {2: msgspec.msgpack.Encoder().encode}
"""version → from a struct of the newest layout to bytes."""


def version_for(readers: int) -> int:
    """Return the version to write where workers from revision *readers* of the schema on may read it."""
    return max(version for since, version in WRITTEN_SINCE if since <= readers)


def pack(body: object, version: int = VERSION) -> list[tuple[int, bytes]]:
    """Return the parts of *body* that changed, sealed in the layout of *version*, by number."""
    encode = WRITERS[version]
    return [(number, encode(part)) for number, part in _laid_out(body)]


def _laid_out(body: object) -> Sequence[tuple[int, Any]]:
    if isinstance(body, HourPage):
        return _parts(body)
    if isinstance(body, BasePage):
        sums = {
            kind: {name: (_bytes(total), days) for name, (total, days) in of.items()} for kind, of in body.sums.items()
        }
        return [(0, layouts.Base(VERSION, sums))]
    if isinstance(body, MonthPage):
        return [(0, layouts.Month(VERSION, _stored(body.totals, _whole), body.newest_us, _told(body.published)))]
    if isinstance(body, Ledger):
        told = {day: _state(state) for day, state in body.published.items()}
        days = {day: _bytes(total) for day, total in body.days.items()}
        return [(0, layouts.Ledger(VERSION, days, body.drift, sorted(body.open), sorted(body.restated), told))]
    if isinstance(body, SeriesPage):
        spent = [(*scope, list(map(_money, days))) for scope, days in body.spent.items()]
        return [(0, layouts.Series(VERSION, body.through, spent))]
    raise TypeError(f"no cost page: {body!r}")


def unpack(kind: str, parts: Mapping[int, bytes]) -> Body:
    """Return the body of a page of *kind* sealed in *parts*.

    Raises:
        Halt: a page of a version this code does not know. No record is to blame for that.
    """
    first, *others = (_read(kind, sealed) for _, sealed in sorted(parts.items()))
    if kind in {HOUR, DAY}:
        return _joined(kind, [first, *others])
    if kind == BASE:
        base: layouts.Base = first
        return BasePage(
            {
                kind: {name: (int.from_bytes(total, "big"), days) for name, (total, days) in of.items()}
                for kind, of in base.sums.items()
            }
        )
    if kind == MONTH:
        month: layouts.Month = first
        return MonthPage(_loaded([month.totals]), month.newest_us, _untold(month.published))
    if kind == SERIES:
        series: layouts.Series = first
        return SeriesPage(series.through, {(of, name): list(map(int, days)) for of, name, days in series.spent})
    ledger: layouts.Ledger = first
    return Ledger(
        {day: int.from_bytes(total, "big") for day, total in ledger.days.items()},
        ledger.drift,
        set(ledger.open),
        set(ledger.restated),
        {day: Published(*state) for day, state in ledger.published.items()},
    )


def _parts(page: HourPage) -> Sequence[tuple[int, layouts.Part]]:
    """Return the parts of *page* that changed: the first one always, for the tenant's total stands there."""
    grow(page)
    if not page.leaves:
        return [(0, _part(page, ENTITY_TYPES, _whole, head=True))]
    leaves = page.leaves
    parts = [(0, _part(page, _OTHERS, _whole, head=True))]
    users: dict[int, list[str]] = {number: [] for number in page.changed if number}
    for user_id in _user_ids(page):
        number = part_of(user_id, leaves)
        if number in users:
            users[number].append(user_id)
    for number, names in sorted(users.items()):
        parts.append((number, _part(page, (USER,), _among(names), head=False)))
    page.changed.clear()
    return parts


def _user_ids(page: HourPage) -> Collection[str]:
    if isinstance(page, DayPage):
        told = {entity_id for _, kind, entity_id, _ in page.published if kind == USER}
        return page.totals[USER].keys() | page.streaks[USER].keys() | told
    return page.totals[USER].keys()


_Choice = Callable[[str, Mapping[str, object]], Collection[str]]
"""(entity type, what is stored by entity id) → the entity ids that go along."""


def _whole(_: str, names: Mapping[str, object]) -> Collection[str]:
    return names


def _among(chosen: Collection[str]) -> _Choice:
    def choose(_: str, names: Mapping[str, object]) -> Collection[str]:
        return [name for name in chosen if name in names]

    return choose


def _part(page: HourPage, kinds: Sequence[str], choose: _Choice, *, head: bool) -> layouts.Part:
    part = layouts.Part(VERSION, page.leaves, _stored(page.totals, choose, kinds), _restated(page, kinds, choose))
    if isinstance(page, DayPage):
        part.newest_us = page.newest_us if head else 0
        part.streaks = {
            kind: {name: page.streaks[kind][name] for name in choose(kind, page.streaks[kind])}
            for kind in kinds
            if kind in page.streaks
        }
        part.published = _told(
            {key: state for key, state in page.published.items() if key[1] in kinds and choose(key[1], {key[2]: None})}
        )
        if page.baselines is not None:
            part.baselines = {
                kind: {name: _stored_sum(*page.baselines[kind][name]) for name in choose(kind, page.baselines[kind])}
                for kind in kinds
                if kind in page.baselines
            }
    return part


def _joined(kind: str, parts: Sequence[layouts.Part]) -> HourPage:
    restated: Names = {kind: set() for kind in ENTITY_TYPES}
    for part in parts:
        for of_kind, names in part.restated.items():
            restated[of_kind].update(names)
    totals, leaves = _loaded([part.totals for part in parts]), parts[0].leaves
    if kind == HOUR:
        return HourPage(totals, restated, leaves)
    page = DayPage(totals, restated, leaves, newest_us=parts[0].newest_us)
    page.streaks = {of: {} for of in JUDGED_TYPES}
    for part in parts:
        for of, streaks in part.streaks.items():
            page.streaks[of].update(streaks)
        page.published.update(_untold(part.published))
        if part.baselines is not None:
            page.baselines = page.baselines or {}
            for of, sums in part.baselines.items():
                page.baselines.setdefault(of, {}).update(
                    {name: (int(money), days) for name, (money, days) in sums.items()}
                )
    return page


def _restated(page: HourPage, kinds: Sequence[str], choose: _Choice) -> dict[str, list[str]]:
    return {kind: sorted(choose(kind, dict.fromkeys(page.restated[kind]))) for kind in kinds if page.restated[kind]}


def _stored(totals: Totals, choose: _Choice, kinds: Sequence[str] = ENTITY_TYPES) -> layouts.StoredTotals:
    if choose is _whole:  # every page of all but a few tenants
        return {kind: _halves(totals[kind]) for kind in kinds}
    return {kind: _halves({name: totals[kind][name] for name in choose(kind, totals[kind])}) for kind in kinds}


def _halves(totals: Mapping[str, Total]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    rare = {entity_id: _bytes(total & _RARE) for entity_id, total in totals.items() if total & _RARE}
    return {entity_id: _bytes(total >> RARE_BITS) for entity_id, total in totals.items()}, rare


def _loaded(stored: Sequence[layouts.StoredTotals]) -> Totals:
    totals: Totals = {kind: {} for kind in ENTITY_TYPES}
    for part in stored:
        for kind, (common, rare) in part.items():
            of_kind = totals[kind]
            for entity_id, upper in common.items():
                of_kind[entity_id] = int.from_bytes(upper, "big") << RARE_BITS
            for entity_id, lower in rare.items():
                of_kind[entity_id] |= int.from_bytes(lower, "big")
    return totals


def _told(published: Mapping[tuple[str, str, str, str | None], Published]) -> list[layouts.StoredTold]:
    return [(*key, *_state(state)) for key, state in published.items()]


def _state(state: Published) -> tuple[str, str, int, str, str, bool, int]:
    said = (state.anomaly_type, state.severity, state.streak_start, state.cause, state.status)
    return (*said, state.high, state.revision)


def _untold(stored: Sequence[layouts.StoredTold]) -> dict[tuple[str, str, str, str | None], Published]:
    return {told[:4]: Published(*told[4:]) for told in stored}


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) >> 3, "big")


def _stored_sum(money: int, days: int) -> tuple[layouts.Number, int]:
    return (_money(money), days)


def _money(nanousd: int) -> layouts.Number:
    return nanousd if nanousd <= _INT64_MAX else str(nanousd)


def _read(kind: str, sealed: bytes) -> Any:  # noqa: ANN401 one of ``layouts.LAYOUTS``
    version = sealed[1]  # behind the one byte that says how many members there are
    if version not in READERS:
        known = " and ".join(map(str, sorted(READERS)))
        raise Halt(f"a cost page is of version {version}, this Outlay reads {known}: run the one that wrote it")
    return READERS[version](kind, sealed)
