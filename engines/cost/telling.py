"""Which findings are news, and what goes out when they are: a row for people, a fact for machines (CONTRACT §5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engines.core.model import Effects
from engines.core.time import US_PER_DAY
from engines.cost import budgets
from engines.cost.anomalies import FINAL, PROVISIONAL, WITHDRAWN, anomaly_row, fact, fact_message, line
from engines.cost.book import Book
from engines.cost.finding import DAY_LEVEL, Finding
from engines.cost.pages import Published
from engines.cost.rules import AnomalySeverity

Line = dict[str, object]


@dataclass(frozen=True, slots=True)
class Window:
    """The window a finding was made in, as telling of it needs.

    Attributes:
        end_day: the first day after it.
        records: returns the tenant's records that count for the revision.
        newest_us: the tenant's greatest event time in it.
        closed: its judgement is being fixed; restated: again.
        tenant_start: returns the day the tenant's own episode of (kind, period) began, None when it has none.
    """

    book: Book
    end_day: int
    records: Callable[[], int]
    newest_us: int
    closed: bool
    restated: bool
    tenant_start: Callable[[str, str | None], int | None]

    @property
    def revision(self) -> int:
        """The number of a revision made now (CONTRACT §5)."""
        rows = self.book.settings.count(self.book.tenant_id, self.end_day)
        return 2 * (self.records() + rows) + self.closed


def news(window: Window, finding: Finding, before: Published | None, effects: Effects) -> Published | None:
    """Tell of *finding* if that is news, and return what was told; None when nothing was.

    News is the first crossing, a change of type, severity, episode or cause, and the close; of what no longer holds,
    that it was told before. What a close changed on an open day waits for the tenant's next record, for a revision has
    one content (CONTRACT §5).
    """
    if not window.closed and not differs(finding, before):
        return None
    if not finding.holds and (before is None or before.status == WITHDRAWN):
        return None
    revision = window.revision
    if before is not None and not window.closed and before.revision == revision:
        return None
    finding = budgets.as_last(before, finding)
    state = _state_of(finding, before, revision, closed=window.closed)
    told = _line(window, finding, state)
    effects.rows.append(anomaly_row(told))
    if state.high:
        effects.outgoing.append(fact_message(_fact(window, told)))
        effects.count(f"facts.{told['anomaly_type']}")
    return state


def differs(finding: Finding, before: Published | None) -> bool:
    """Whether *finding*, of an open window, says something else than what was told *before*."""
    if before is None:
        return finding.holds
    if not finding.holds:
        return before.status != WITHDRAWN
    said = (before.anomaly_type, before.severity, before.streak_start, before.cause, before.status)
    cause = finding.cause.cause.value
    return said != (finding.anomaly_type, finding.severity, finding.streak_start, cause, PROVISIONAL)


def stands(window: Window, finding: Finding, before: Published | None) -> tuple[Line, Line | None] | None:
    """Return the line of an open window's *finding* as it stands, and its fact if it has one.

    None: nothing to say, or that it was withdrawn, which was told.
    """
    if not finding.holds and (before is None or before.status == WITHDRAWN):
        return None
    finding = budgets.as_last(before, finding)
    state = _state_of(finding, before, window.revision, closed=False)
    told = _line(window, finding, state)
    return told, _fact(window, told) if state.high else None


def _state_of(finding: Finding, before: Published | None, revision: int, *, closed: bool) -> Published:
    high = finding.severity == AnomalySeverity.HIGH.value and finding.holds
    high = high or (before is not None and before.high)
    status = WITHDRAWN if not finding.holds else FINAL if closed else PROVISIONAL
    cause = finding.cause.cause.value
    return Published(finding.anomaly_type, finding.severity, finding.streak_start, cause, status, high, revision)


def _line(window: Window, finding: Finding, state: Published) -> Line:
    tenant_start = None
    if finding.entity_type != "tenant":
        kind = DAY_LEVEL["tenant"] if finding.kind in DAY_LEVEL.values() else finding.kind
        tenant_start = window.tenant_start(kind, finding.period)
    restated = window.restated
    return line(window.book.tenant_id, finding, state.status, state.revision, tenant_start, restated=restated)


def _fact(window: Window, told: Line) -> Line:
    return fact(told, window.end_day * US_PER_DAY if told["status"] == FINAL else window.newest_us)
