"""Drawn histories of one tenant: steps a test takes one by one, in the order of a log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from engines.core.time import HOURS_PER_DAY, US_PER_DAY, US_PER_HOUR, US_PER_MINUTE
from engines.cost.event import CostEvent
from tests.engines.cost.spending import Row, Spending, budget, rule, spent, tag

FIRST = 20_520  # 8 March 2026, so that a month ends on the way
USERS = (None, "u", "v")
FEATURES = (None, "f", "g")
DOLLARS = (None, 0, 1, 10, 14, 20, 30, 45, 60, 100)
KINDS = ("spend", "spend", "spend", "close", "learn")
WAIT_US = US_PER_HOUR + 5 * US_PER_MINUTE
"""Grace and tolerated disorder: so long after its end a day closes (CONTRACT §2)."""
LAG_MAX = 9
"""Days behind the newest that a record may be: over the week in which a restatement is judged again."""


_RECORD = st.tuples(
    st.sampled_from((0, 0, 0, 1, 1, 2, 3, LAG_MAX)),
    st.sampled_from((0, 12, 23)),
    st.sampled_from(DOLLARS),
    st.sampled_from(USERS),
    st.sampled_from(FEATURES),
    st.sampled_from(("m", "n")),
    st.sampled_from((0, 10, 40)),
    st.booleans(),
)


@dataclass(frozen=True)
class Spend:
    """Records that arrive together."""

    events: tuple[CostEvent, ...]


@dataclass(frozen=True)
class Close:
    """The close of every day up to *through*."""

    through: int


@dataclass(frozen=True)
class Learn:
    """A settings row that becomes known."""

    row: Row


Step = Spend | Close | Learn


def take(spending: Spending, step: Step) -> None:
    """Let *spending* go through *step*."""
    match step:
        case Spend(events):
            spending.fold(*events)
        case Close(through):
            spending.close(through)
        case Learn(row):
            spending.learn(row)


def together(steps: Sequence[Step]) -> list[Step]:
    """Return *steps* with records that follow each other as one."""
    joined: list[Step] = []
    for step in steps:
        last = joined[-1] if joined else None
        if isinstance(step, Spend) and isinstance(last, Spend):
            joined[-1] = Spend(last.events + step.events)
        else:
            joined.append(step)
    return joined


def events_of(steps: Sequence[Step]) -> list[CostEvent]:
    """Return all records of *steps*."""
    return [event for step in steps if isinstance(step, Spend) for event in step.events]


def day_of(event: CostEvent) -> int:
    """Return the day of a record."""
    return event.occurred_at // US_PER_HOUR // HOURS_PER_DAY


@st.composite
def histories(draw: st.DrawFn, *, rows: bool = True) -> list[Step]:
    """Draw a quiet time to compare with, then steps: records, some of them late, closes, and settings *rows*.

    Days close as the watermark says, and also before that, as they do when a partition is idle.
    """
    quiet = draw(st.integers(0, 24))
    usual = draw(st.sampled_from((10, 20)))
    head, closed = FIRST + quiet, FIRST - 1
    past = tuple(spent(FIRST + back, usual, user_id="u", feature_tag="f") for back in range(quiet))
    steps: list[Step] = [Learn(row) for row in draw(st.lists(_rows(closed), max_size=3))] if rows else []
    steps += [Spend(past)] if quiet else []
    for kind in draw(st.lists(st.sampled_from(KINDS if rows else KINDS[:-1]), min_size=4, max_size=14)):
        if kind == "close" and head - 1 > closed:
            closed = draw(st.integers(closed + 1, head - 1))
            steps.append(Close(closed))
        elif kind == "learn":
            steps.append(Learn(draw(_rows(closed))))
        else:
            head += draw(st.sampled_from((0, 0, 1, 1, 2)))
            for event in draw(st.lists(_records(head), min_size=1, max_size=4)):
                steps.append(Spend((event,)))
                due = (event.occurred_at - WAIT_US) // US_PER_DAY - 1
                if due > closed:
                    closed = due
                    steps.append(Close(closed))
    return steps


@st.composite
def _records(draw: st.DrawFn, head: int) -> CostEvent:
    lag, hour, usd, user_id, tag_name, model, tokens, retry = draw(_RECORD)
    more: dict[str, Any] = {"user_id": user_id, "feature_tag": tag_name, "model": model, "is_retry": retry}
    return spent(max(head - lag, FIRST), usd, hour=hour, input_tokens=tokens, **more)


@st.composite
def _rows(draw: st.DrawFn, closed: int) -> Row:
    since = draw(st.sampled_from((None, closed + 1, closed + 2)))
    since = closed + 1 if since is None and closed >= FIRST else since  # what is closed is decided
    return draw(st.one_of(_budgets(since), _rules(since)))


def _budgets(since: int | None) -> st.SearchStrategy[Row]:
    return st.tuples(
        st.sampled_from((("tenant", "acme"), ("tenant", "acme"), ("user", "u"), ("feature", "f"), ("user", "nobody"))),
        st.sampled_from((None, 1_500, 2_500, 4_000)),
        st.sampled_from((None, 10_000, 20_000, 30_000)),
        st.sampled_from((50, 80, 95)),
        st.sampled_from((True, True, True, False)),
    ).map(lambda of: budget(*of[0], daily=of[1], monthly=of[2], warn=of[3], active=of[4], since=since))


def _rules(since: int | None) -> st.SearchStrategy[Row]:
    return st.sampled_from(
        (
            rule("spike_pct", 120, since=since),
            rule("spike_pct", 200, since=since),
            rule("profile", "standard", since=since),
            rule("profile", "reference", since=since),
            rule("drift_days_required", 1, since=since),
            rule("budget_high_pct", 99, since=since),
            rule("consecutive_days", 1, "acme", since=since),
            rule("consecutive_days", 3, "acme", since=since),
            rule("feature_tags", "registered", since=since),
            tag("f", active=True, since=since),
            tag("f", active=False, since=since),
        )
    )
