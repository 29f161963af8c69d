"""The windows of a tenant as judgements see them: what the rules say of each of their entities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from engines.core.time import month_days
from engines.cost import budgets, drift, spikes
from engines.cost.book import Book
from engines.cost.finding import BUDGET, DAILY, DAY_LEVEL, DRIFT, MONTHLY, SPIKE, Finding
from engines.cost.pages import JUDGED_TYPES, DayPage, MonthPage, Published, Sums, each_total, month_key
from engines.cost.rules import NEVER, Rules
from engines.cost.settings import Budget
from engines.cost.spikes import Day
from engines.cost.telling import Window, differs
from engines.cost.totals import Total, cost, line
from engines.cost.unpriced import unpriced_usage

Entity = tuple[str, str]
"""(entity type, entity id)."""
_NOTHING: Sums = {}


def daily_budgets(day: Day) -> Mapping[Entity, Budget]:
    """Return the budgets of *day*."""
    return day.book.settings.budgets(day.book.tenant_id, DAILY, day.day + 1)


def monthly_budgets(book: Book, month: int) -> Mapping[Entity, Budget]:
    """Return the budgets of *month*."""
    return book.settings.budgets(book.tenant_id, MONTHLY, month_days(month).stop)


def entities(day: Day) -> list[Entity]:
    """Return the entities of *day* that an open day is judged for, the tenant first."""
    return [(kind, name) for kind in JUDGED_TYPES for name in sorted(day.page.totals[kind])]


def of_open(day: Day, judged: Iterable[Entity]) -> Iterator[Finding]:
    """Yield what the rules say of *judged* entities on an open day, as far as they hold or were told of."""
    limited, published = daily_budgets(day), day.page.published
    for kind, name in judged:
        if kind not in JUDGED_TYPES:
            continue
        if spikes.fires(day, kind, name) or (SPIKE, kind, name, None) in published:
            yield spikes.spike(day, kind, name)
        if (kind, name) in limited or (BUDGET, kind, name, DAILY) in published:
            yield _daily(day, limited.get((kind, name)), (kind, name))
        if kind == "tenant":
            yield from _drifting(day)


def of_closing(day: Day, before: Sums) -> list[Finding]:
    """Return what the rules but drift say of a day that closes, of what holds or was told; in the order of ids."""
    published, found = day.page.published, dict[tuple[str, str, str, str], Finding]()
    limited = daily_budgets(day)

    def take(finding: Finding) -> None:
        if finding.holds or finding.told in published:
            found[finding.kind, finding.entity_type, finding.entity_id, finding.period or ""] = finding

    for kind in JUDGED_TYPES:
        told = {name for of, held, name, _ in published if of == SPIKE and held == kind}
        for name in day.page.streaks[kind].keys() | told:
            take(spikes.spike(day, kind, name))
    told_budgets = {(kind, name) for of, kind, name, _ in published if of == BUDGET}
    for entity in limited.keys() | told_budgets:
        take(_daily(day, limited.get(entity), entity))
    for kind, name, _ in each_total(day.page.totals):
        take(spikes.day_level(day, before, kind, name))
    take(unpriced_usage(day))
    return [finding for _, finding in sorted(found.items())]


def of_month(book: Book, month: int, page: MonthPage) -> list[Finding]:
    """Return what the monthly budgets say, of what holds or was told; in the order of ids."""
    days, limited = month_days(month), monthly_budgets(book, month)
    window, rules = (days.start, days.stop), book.settings.rules(book.tenant_id, days.stop)
    found = []
    for kind, name in sorted(limited.keys() | {told[1:3] for told in page.published}):
        total, budget = page.totals[kind].get(name, 0), limited.get((kind, name))
        finding = _usage(budget, MONTHLY, (kind, name), total, window, rules)
        if finding.holds or finding.told in page.published:
            found.append(finding)
    return found


def day_window(day: Day, before: Sums | None = None, *, closed: bool, restated: bool = False) -> Window:
    """Return *day* as telling of it needs; *before* are its snapshot baselines when it closes."""
    return Window(
        book=day.book,
        end_day=day.day + 1,
        records=partial(day.book.records, day.day),
        newest_us=day.page.newest_us,
        closed=closed,
        restated=restated,
        tenant_start=partial(_tenant_start, day, before or _NOTHING),
    )


def month_window(book: Book, month: int, page: MonthPage, *, closed: bool, restated: bool = False) -> Window:
    """Return *month* as telling of it needs."""
    budget = monthly_budgets(book, month).get(("tenant", book.tenant_id))
    days = month_days(month)

    def tenant_start(_kind: str, _period: str | None) -> int | None:
        if budget is None:
            return None
        rules = book.settings.rules(book.tenant_id, days.stop)
        total = page.totals["tenant"].get(book.tenant_id, 0)
        held = budgets.usage(budget, MONTHLY, total, (days.start, days.stop), rules).holds
        return days.start if held else None

    records = partial(book.month_records, page)
    return Window(book, days.stop, records, page.newest_us, closed, restated, tenant_start)


def arm_day(day: Day) -> None:
    """Set, for every entity of an open day, the least total at which judging it may tell something new."""
    for of_kind in day.page.watch.values():
        of_kind.clear()
    day.page.armed = day.book.settings.mark
    watched = {(kind, name) for kind in JUDGED_TYPES for name in day.base.get(kind, {})}
    for kind, name in watched | daily_budgets(day).keys() | {("tenant", day.book.tenant_id)}:
        watch(day, kind, name)
    told = {(kind, name) for _, kind, name, _ in day.page.published if kind in JUDGED_TYPES}
    if day.day in day.book.ledger.published:
        told.add(("tenant", day.book.tenant_id))
    changed = [finding for finding in of_open(day, sorted(told)) if differs(finding, published(day, finding))]
    day.page.deferred = {(finding.entity_type, finding.entity_id) for finding in changed}
    if changed:
        _set(day.page.watch["tenant"], day.book.tenant_id, 0)


def goes_on(day: Day, entity_type: str, entity_id: str) -> bool:
    """Whether an entity's spike was told, nothing has changed of it, and nothing else watches the entity."""
    told = day.page.published.get((SPIKE, entity_type, entity_id, None))
    if told is None or day.page.deferred or (entity_type, entity_id) in daily_budgets(day):
        return False
    if entity_type == "tenant" and (day.day in day.book.ledger.published or drift.may_fire(day.book, day.day)):
        return False
    return spikes.unchanged(day, entity_type, entity_id, told)


def watch(day: Day, entity_type: str, entity_id: str) -> None:
    """Set the next line that the total of an entity may cross."""
    least = spikes.next_line(day, entity_type, entity_id)
    budget = daily_budgets(day).get((entity_type, entity_id))
    if budget is not None:
        least = min(least, budgets.next_line(budget, DAILY, day.total(entity_type, entity_id), day.rules))
    if entity_type == "tenant":
        least = min(least, drift.next_line(day.book, day.day))
    _set(day.page.watch[entity_type], entity_id, least)


def untracked(book: Book, month: int) -> bool:
    """Whether *month* has a budget whose entity's spend is not kept yet."""
    page, limited = book.month(month), monthly_budgets(book, month)
    return bool(limited) and (page is None or any(name not in page.totals[kind] for kind, name in limited))


def ensure_month(book: Book, month: int) -> MonthPage | None:
    """Return the page of *month*, None when it has and had no budget; what a new budget asks is read from its days."""
    page = book.month(month)
    if not untracked(book, month):
        return page
    if page is None:
        page = MonthPage()
        book.pages.put(month_key(book.tenant_id, month), page)
    tracked = {("tenant", book.tenant_id)} | monthly_budgets(book, month).keys()
    missing = [(kind, name) for kind, name in tracked if name not in page.totals[kind]]
    for kind, name in missing:
        page.totals[kind][name] = 0
    for number in book.held(month_days(month)):
        of_day = book.day(number)
        if of_day is None:
            continue
        page.newest_us = max(page.newest_us, of_day.newest_us)
        for kind, name in missing:
            page.totals[kind][name] += of_day.totals[kind].get(name, 0)
    book.touch_month(month)
    page.armed = None
    return page


def arm_month(book: Book, month: int, page: MonthPage) -> None:
    """Set the next line of every budget of *month*."""
    for of_kind in page.watch.values():
        of_kind.clear()
    page.armed = book.settings.mark
    rules = book.settings.rules(book.tenant_id, month_days(month).stop)
    for (kind, name), budget in monthly_budgets(book, month).items():
        _set(page.watch[kind], name, budgets.next_line(budget, MONTHLY, page.totals[kind].get(name, 0), rules))


def published(day: Day, finding: Finding) -> Published | None:
    """Return what was last told of the id of *finding*."""
    if finding.kind == DRIFT:
        return day.book.ledger.published.get(day.day)
    return day.page.published.get(finding.told)


def baselines(page: DayPage, before: Sums) -> dict[str, dict[str, tuple[int, int]]]:
    """Return the snapshot baselines of the entities of *page*: cost and number of their active days D-7 … D-1."""
    return {
        kind: {name: of_sums(before, kind, name) for name in names if name in before.get(kind, {})}
        for kind, names in page.totals.items()
    }


def of_sums(sums: Sums, kind: str, name: str) -> tuple[int, int]:
    """Return (cost in nano-USD, active days) of an entity in *sums*."""
    total, days = sums[kind][name]
    return cost(total), days


def _set(of_kind: dict[str, Total], name: str, least: int) -> None:
    if least < NEVER:
        of_kind[name] = line(least)
    else:
        of_kind.pop(name, None)


def _tenant_start(day: Day, before: Sums, kind: str, _period: str | None) -> int | None:
    tenant_id = day.book.tenant_id
    if kind == SPIKE:
        return day.started("tenant", tenant_id) if spikes.fires(day, "tenant", tenant_id) else None
    if kind == BUDGET:
        budget = daily_budgets(day).get(("tenant", tenant_id))
        return day.day if budget is not None and _daily(day, budget, ("tenant", tenant_id)).holds else None
    if kind == DAY_LEVEL["tenant"]:
        return day.day if spikes.day_level(day, before, "tenant", tenant_id).holds else None
    return None


def _drifting(day: Day) -> Iterator[Finding]:
    book, told = day.book, day.day in day.book.ledger.published
    if told or drift.may_fire(book, day.day):
        start = drift.run_start(book, day.day)
        if told or drift.long_enough(book, day.day, start):
            yield drift.drift(book, day.day, start)


def _daily(day: Day, budget: Budget | None, entity: Entity) -> Finding:
    return _usage(budget, DAILY, entity, day.total(*entity), (day.day, day.day + 1), day.rules)


def _usage(
    budget: Budget | None, period: str, entity: Entity, total: Total, window: tuple[int, int], rules: Rules
) -> Finding:
    if budget is None:
        return budgets.gone(entity, period, total, window, rules)
    return budgets.usage(budget, period, total, window, rules)
