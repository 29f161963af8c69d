"""Which windows of a tenant hold an anomaly, and which changes of that are news.

Open windows are judged as records come; closed ones once, and once more when they were restated (CONTRACT §2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from engines.core.model import Effects
from engines.core.time import month_days, month_of
from engines.cost import drift, parts, spikes, windows
from engines.cost.anomalies import WITHDRAWN
from engines.cost.book import KEPT_DAYS, SNAPSHOT_WINDOW, SPIKE_WINDOW, Book
from engines.cost.finding import DRIFT, Finding
from engines.cost.pages import JUDGED_TYPES, Published
from engines.cost.spikes import Day
from engines.cost.telling import Line, Window, news, stands
from engines.cost.windows import Entity, published


class CostAnomalyDetector:
    """Judges tenants by their rules (reference rules "M29" and "M27", as CONTRACT §6 reads them)."""

    def grown(self, book: Book, day: int, entities: Sequence[Entity], effects: Effects) -> None:
        """Take in that a record of an open *day* brought *entities* to lines they watch.

        Most often their spike was told and goes on: then only its cause may have changed.
        """
        judged = spikes.open_day(book, day)
        if judged is None:
            return
        if day == book.last_open and all(windows.goes_on(judged, *entity) for entity in entities):
            return
        self.touched(book, day, entities, effects)

    def touched(self, book: Book, day: int, entities: Sequence[Entity], effects: Effects) -> None:
        """Take in that a record of *day* may have brought *entities* to lines they watch, on *day* or later.

        Later open days may stand on its streak, hold it in their baselines, or its spend in their week.
        """
        judged_entities = [entity for entity in entities if entity[0] in JUDGED_TYPES]
        for number in sorted(number for number in book.ledger.open if number >= day):
            judged = spikes.open_day(book, number)
            if judged is None:
                continue
            due = judged.page.deferred.difference(judged_entities)
            held = [entity for entity in judged_entities if judged.total(*entity)] + sorted(due)
            judged.page.deferred = set()
            changed = [spikes.flag(judged, *entity) for entity in held]
            if any(changed):
                book.touch_day(number)
            self._tell_open(judged, held, effects)
            for entity in (*judged_entities, *due):
                windows.watch(judged, *entity)

    def rejudge(self, book: Book, effects: Effects) -> None:
        """Judge every open window again: settings, or flags of closed days, have changed."""
        for number in sorted(book.ledger.open):
            day = spikes.open_day(book, number)
            if day is None:
                continue
            if spikes.flag_all(day):
                book.touch_day(number)
            self._tell_open(day, windows.entities(day), effects)
            windows.arm_day(day)
        for month in book.open_months():
            self.judge_month(book, month, effects)

    def standing(self, book: Book) -> list[tuple[Line, Line | None]]:
        """Return (line, fact) of what there is to say of the open windows, as of now."""
        found = []
        for number in sorted(book.ledger.open):
            day = spikes.open_day(book, number)
            if day is not None:
                window = windows.day_window(day, closed=False)
                findings = windows.of_open(day, windows.entities(day))
                found += [stands(window, finding, published(day, finding)) for finding in findings]
        for month in book.open_months():
            page = book.month(month)
            if page is not None:
                window = windows.month_window(book, month, page, closed=False)
                findings = iter(windows.of_month(book, month, page))
                found += [stands(window, finding, page.published.get(finding.told)) for finding in findings]
        return [each for each in found if each is not None]

    def close(self, book: Book, day: int, effects: Effects) -> None:
        """Fix the judgement of *day*, judge restated days before it again, and a month that ends."""
        ledger = book.ledger
        kept = bool(ledger.days or ledger.drift or ledger.published or ledger.open)
        if day in ledger.open:
            book.fix(day, book.total(day))
            ledger.open.discard(day)
        again = restated_days(book, day)
        ledger.restated.clear()
        for number in again:
            changed = self._judge_day(book, number, effects, restated=True)
            spikes.carry_on(book, number, changed, max(day, book.last_open))
        changed = self._judge_day(book, day, effects, restated=False)
        spikes.carry_on(book, day, changed, book.last_open)
        ended = month_of(day) if day == month_days(month_of(day)).stop - 1 else None
        for month in sorted({month_of(number) for number in again} - {ended}):
            if month_days(month).stop - 1 < day:
                self.judge_month(book, month, effects, closed=True, restated=True)
        if ended is not None:
            self.judge_month(book, ended, effects, closed=True)
        _forget(book, day)
        if kept:
            book.keep()
        if again:
            book.closed = day
            self.rejudge(book, effects)

    def judge_month(
        self, book: Book, month: int, effects: Effects, *, closed: bool = False, restated: bool = False
    ) -> None:
        """Judge the monthly budgets of *month*, also one that became known after its last record."""
        held = book.held(month_days(month))
        page = windows.ensure_month(book, month) if held else None
        if page is None:
            return
        window = windows.month_window(book, month, page, closed=closed, restated=restated)
        for finding in windows.of_month(book, month, page):
            state = news(window, finding, page.published.get(finding.told), effects)
            if state is not None:
                page.published[finding.told] = state
                book.touch_month(month)
        windows.arm_month(book, month, page)

    def _judge_day(self, book: Book, number: int, effects: Effects, *, restated: bool) -> list[Entity]:
        """Judge a day at its close, or again; return the entities whose breach flag changed.

        Known are its page, those of the seven days before, and when judged again those of its spike baseline.
        """
        page, changed = book.day(number), list[Entity]()
        if page is not None:
            base = None if restated else book.base(number)
            sums = book.sums(number, SPIKE_WINDOW) if base is None else base.sums
            page.costs_before = None
            day = Day(book, number, page, sums, book.settings.rules(book.tenant_id, number + 1))
            # An open day's flags follow its records; but settings may have come that none of them was judged by.
            changed = spikes.flag_all(day)
            before = book.sums(number, SNAPSHOT_WINDOW)
            if page.baselines is None:
                page.baselines = windows.baselines(page, before)
            parts.mark_all(page)
            book.touch_day(number)
            window = windows.day_window(day, before, closed=True, restated=restated)
            for finding in windows.of_closing(day, before):
                _keep(day, finding, news(window, finding, published(day, finding), effects))
        self._judge_drift(book, number, effects, restated=restated)
        return changed

    def _judge_drift(self, book: Book, number: int, effects: Effects, *, restated: bool) -> None:
        ledger = book.ledger
        if drift.drift_of(book, number).breaches:
            ledger.drift[number] = ledger.drift.get(number - 1, number)
        else:
            ledger.drift.pop(number, None)
        after = number + 1
        while after in ledger.drift:  # a day judged again may begin, join or cut a run of closed days
            ledger.drift[after] = ledger.drift.get(after - 1, after)
            after += 1
        start, before = ledger.drift.get(number), ledger.published.get(number)
        if before is None and not drift.long_enough(book, number, start):
            return
        page = book.day(number)
        window = Window(
            book=book,
            end_day=number + 1,
            records=partial(book.records, number),
            newest_us=0 if page is None else page.newest_us,
            closed=True,
            restated=restated,
            tenant_start=lambda _kind, _period: None,
        )
        state = news(window, drift.drift(book, number, start), before, effects)
        if state is not None:
            ledger.published[number] = state

    @staticmethod
    def _tell_open(day: Day, entities: Iterable[Entity], effects: Effects) -> None:
        window: Window | None = None
        for finding in windows.of_open(day, entities):
            before = published(day, finding)
            if not finding.holds and (before is None or before.status == WITHDRAWN):
                continue
            window = window or windows.day_window(day, closed=False)
            _keep(day, finding, news(window, finding, before, effects))


def restated_days(book: Book, day: int) -> list[int]:
    """Return the days that the close of *day* judges again, oldest first (CONTRACT §2)."""
    return sorted(number for number in book.ledger.restated if day - len(SNAPSHOT_WINDOW) <= number < day)


def _keep(day: Day, finding: Finding, state: Published | None) -> None:
    """Remember what was told of *finding*."""
    if state is None:
        return
    if finding.kind == DRIFT:
        day.book.ledger.published[day.day] = state
        day.book.keep()
        return
    day.page.published[finding.told] = state
    parts.mark(day.page, finding.entity_type, finding.entity_id)
    day.book.touch_day(day.day)


def _forget(book: Book, day: int) -> None:
    """Drop from the ledger what no judgement can ask for any more."""
    first, ledger = day - KEPT_DAYS, book.ledger
    for of_days in (ledger.days, ledger.drift, ledger.published):
        for old in [number for number in of_days if number < first]:
            del of_days[old]
