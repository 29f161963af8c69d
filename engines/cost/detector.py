"""When a day's spend is an anomaly, and which changes of that are news.

Streaks are derived: a breach day carries the first day of its run, taken from the day before, so nothing is
incremented in place and a replay derives the same (CONTRACT §6).
"""

from __future__ import annotations

from collections.abc import Sequence

from engines.core.model import Effects
from engines.core.ports import Pages
from engines.cost.anomalies import (
    FINAL,
    PROVISIONAL,
    WITHDRAWN,
    Rules,
    Spike,
    anomaly_row,
    fact,
    fact_message,
    observed_us,
    spike_line,
)
from engines.cost.pages import JUDGED_TYPES, DayPage, Published, day_key
from engines.cost.rules import AnomalySeverity, AnomalyType, DerivedCause
from engines.cost.totals import cost, unpriced

_STREAK_THRESHOLD_PCT = 40
_TRIPLE_THRESHOLD_PCT = 200
_DOUBLE_THRESHOLD_PCT = 100


class CostAnomalyDetector:
    """Judges the days of tenants by one set of rules (reference rules "M29", as CONTRACT §6 reads it)."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def crossed(
        self, pages: Pages, tenant_id: str, day: int, entities: Sequence[tuple[str, str]], effects: Effects
    ) -> None:
        """Take in that a record raised *entities* (type, id) of *day* to a line they watch.

        An open day after this one may stand on its streak, so it is judged again, too.
        """
        page = self._page(pages, tenant_id, day)
        if page is None:
            return
        for entity_type, entity_id in entities:
            lines = page.lines(entity_type, entity_id, self.rules.profile)
            if entity_id not in page.streaks[entity_type] and _cost(page, entity_type, entity_id) >= lines.breach:
                self._begin(pages, tenant_id, day, entity_type, entity_id)
            page.watch_next(entity_type, entity_id, self.rules.profile)
        pages.touch(day_key(tenant_id, day))
        for judged in (day, day + 1):
            for entity_type, entity_id in entities:
                self._judge(pages, tenant_id, judged, entity_type, entity_id, effects, closed=False)

    def close(self, pages: Pages, tenant_id: str, day: int, effects: Effects) -> None:
        """Fix the judgement of every entity of *tenant_id* on *day*: final where it holds, else withdrawn."""
        page = self._page(pages, tenant_id, day)
        if page is None:
            return
        told = {key for key, state in page.published.items() if state.status != WITHDRAWN}
        flagged = {(kind, entity_id) for kind in JUDGED_TYPES for entity_id in page.streaks[kind]}
        for entity_type, entity_id in sorted(told | flagged):
            self._judge(pages, tenant_id, day, entity_type, entity_id, effects, closed=True)

    def standing(self, pages: Pages, tenant_id: str, day: int) -> list[tuple[dict[str, object], dict[str, object]]]:
        """Return the anomaly lines and facts of an open *day* as they stand now, published so or not (CONTRACT §5)."""
        page = self._page(pages, tenant_id, day)
        if page is None:
            return []
        lines = []
        for entity_type in JUDGED_TYPES:
            for entity_id in page.streaks[entity_type]:
                if self._streak_if_firing(page, day, entity_type, entity_id) is not None:
                    spike = self._spike(pages, page, tenant_id, day, entity_type, entity_id, closed=False)
                    line = spike_line(spike, PROVISIONAL, self.rules)
                    lines.append((line, fact(line, observed_us(spike, PROVISIONAL))))
        return lines

    def _begin(self, pages: Pages, tenant_id: str, day: int, entity_type: str, entity_id: str) -> None:
        """Mark a breach of *day*: it continues the run of the day before and is continued by the day after."""
        page, before = self._page(pages, tenant_id, day), self._page(pages, tenant_id, day - 1)
        if page is None:
            return
        start = day if before is None else before.streaks[entity_type].get(entity_id, day)
        page.streaks[entity_type][entity_id] = start
        after = self._page(pages, tenant_id, day + 1)
        if after is not None and entity_id in after.streaks[entity_type]:
            after.streaks[entity_type][entity_id] = start
            pages.touch(day_key(tenant_id, day + 1))

    def _judge(
        self,
        pages: Pages,
        tenant_id: str,
        day: int,
        entity_type: str,
        entity_id: str,
        effects: Effects,
        *,
        closed: bool,
    ) -> None:
        page = self._page(pages, tenant_id, day)
        if page is None:
            return
        published = page.published.get((entity_type, entity_id))
        holds = self._streak_if_firing(page, day, entity_type, entity_id) is not None
        if not holds and (published is None or published.status == WITHDRAWN):
            return
        spike = self._spike(pages, page, tenant_id, day, entity_type, entity_id, closed=closed)
        status = WITHDRAWN if not holds else FINAL if closed else PROVISIONAL
        state = Published(
            AnomalyType.ABSOLUTE_SPIKE.value, spike.severity, spike.streak_start, spike.cause.value, status
        )
        if state == published and not closed:
            return
        page.published[entity_type, entity_id] = state
        pages.touch(day_key(tenant_id, day))
        line = spike_line(spike, status, self.rules)
        effects.rows.append(anomaly_row(line))
        effects.outgoing.append(fact_message(fact(line, observed_us(spike, status))))
        effects.count(f"facts.{line['anomaly_type']}")

    def _streak_if_firing(self, page: DayPage, day: int, entity_type: str, entity_id: str) -> int | None:
        """Return the first day of the streak when the entity's spike holds on *day*, else None."""
        start = page.streaks[entity_type].get(entity_id)
        if start is None:
            return None
        if day - start + 1 >= self.rules.profile.consecutive_days:
            return start
        total = _cost(page, entity_type, entity_id)
        return start if total >= page.lines(entity_type, entity_id, self.rules.profile).alone else None

    def _spike(
        self, pages: Pages, page: DayPage, tenant_id: str, day: int, entity_type: str, entity_id: str, *, closed: bool
    ) -> Spike:
        total = page.totals[entity_type][entity_id]
        current = cost(total)
        base, base_days = page.spike_base[entity_type][entity_id]
        start = page.streaks[entity_type].get(entity_id, day)
        before = self._page(pages, tenant_id, day - 1)
        if day - start + 1 >= self.rules.profile.consecutive_days:
            threshold = _STREAK_THRESHOLD_PCT
        else:
            triple = page.lines(entity_type, entity_id, self.rules.profile).triple
            threshold = _TRIPLE_THRESHOLD_PCT if current >= triple else _DOUBLE_THRESHOLD_PCT
        return Spike(
            tenant_id=tenant_id,
            entity_type=entity_type,
            entity_id=entity_id,
            day=day,
            current=current,
            base=base,
            base_days=base_days,
            streak_start=start,
            threshold_pct=threshold,
            tenant_streak_start=self._streak_if_firing(page, day, "tenant", tenant_id),
            unpriced_requests=unpriced(total),
            records=page.records_before + page.records(tenant_id) + (before.records(tenant_id) if before else 0),
            newest_us=page.newest_us,
            severity=AnomalySeverity.HIGH.value,
            cause=DerivedCause.UNKNOWN,
            closed=closed,
        )

    @staticmethod
    def _page(pages: Pages, tenant_id: str, day: int) -> DayPage | None:
        key = day_key(tenant_id, day)
        body = pages.get(key) if pages.known(key) else None
        return body if isinstance(body, DayPage) else None


def _cost(page: DayPage, entity_type: str, entity_id: str) -> int:
    return cost(page.totals[entity_type][entity_id])
