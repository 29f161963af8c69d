"""Failure patterns: what stands of each, and when that is news (CONTRACT §7)."""

from __future__ import annotations

from collections.abc import Iterator

from engines.core.model import Effects
from engines.core.time import US_PER_DAY, day_of
from engines.patterns.activations import WINDOW_US, Activation, activations
from engines.runs.book import RunBook
from engines.runs.lines import Feedback, Line, feedback_id, pattern_line, tell_feedback
from engines.runs.pages import ToldPattern
from engines.runs.series import Run


def fold(book: RunBook, run: Run, effects: Effects) -> None:
    """Take in a failure that is in its book already, and tell what is news."""
    if run.failure is None:
        return
    signature, at_us = run.failure.signature, run.occurred_us
    told = book.told(signature)
    if told is not None and told.starts[-1] <= at_us <= told.until_us and not is_over(told):
        _go_on(book, signature, told, max(told.last_us, at_us))
    else:
        told = _walk(book, signature, told, at_us)
    if told is not None:
        book.touch_pattern(signature)
        _tell_news(book, signature, told, effects)


def settle(book: RunBook, effects: Effects) -> None:
    """Tell for good of the patterns of which it is settled that they are over, and forget them.

    What is over before *settled* no failure still to come goes on with, and what that begins counts more runs, so its
    revision is higher. One at the very instant would go on.
    """
    for signature in sorted(book.ledger.unsettled):
        told = book.ledger.patterns[signature]
        if told.until_us > book.settled_us:
            continue
        told.final = True
        book.ledger.unsettled.remove(signature)
        book.touch_pattern(signature)
        line = _line(book, signature, told, cleared=True)
        if line["revision"] != told.revision:
            _tell(told, line, effects)
        if told.until_us < book.settled_us:
            del book.ledger.patterns[signature]


def rejudge(book: RunBook, effects: Effects) -> None:
    """Tell of active patterns that were acknowledged."""
    for signature in sorted(book.ledger.unsettled):
        told = book.ledger.patterns[signature]
        if not told.cleared:
            _tell_news(book, signature, told, effects)


def standing(book: RunBook) -> Iterator[Line]:
    """Yield the lines of all patterns but those whose end was told for good."""
    for signature in book.ledger.unsettled:
        told = book.ledger.patterns[signature]
        cleared = is_over(told) or told.until_us <= book.settled_us
        yield _line(book, signature, told, cleared=cleared)


def _go_on(book: RunBook, signature: str, told: ToldPattern, last_us: int) -> None:
    """Take in a failure of an activation that holds all that came after it: none begins anew, so none is looked for."""
    newest = book.failure_times(signature, last_us + 1, last_us)
    _holds(book, signature, told, activations(newest, last_us, told.starts[-1])[-1])


def _walk(book: RunBook, signature: str, told: ToldPattern | None, first_us: int) -> ToldPattern | None:
    """Take in a failure that may begin an activation, or make those after it begin elsewhere; None: there is none."""
    times = book.failure_times(signature, first_us, (day_of(first_us) + 2) * US_PER_DAY - 1)
    earlier = [] if told is None else [start for start in told.starts if start < first_us]
    found = activations(times, first_us, earlier[-1] if earlier else None)
    if told is None:
        if not found:
            return None
        told = book.ledger.patterns[signature] = ToldPattern([], 0, 0, 0)
    told.newest_us = max(told.newest_us, times[-1])
    if found:
        told.starts = [*earlier, *(one.since_us for one in found if one.since_us >= first_us)]
        _holds(book, signature, told, found[-1])
    return told


def _holds(book: RunBook, signature: str, told: ToldPattern, last: Activation) -> None:
    """Keep that the pattern's *last* activation is as it is."""
    told.starts = _needed(told.starts, book.settled_us)
    told.newest_us = max(told.newest_us, last.last_us)
    told.last_us, told.until_us = last.last_us, last.until_us
    told.final = False
    book.ledger.unsettled.add(signature)
    book.is_due(told.until_us)


def is_over(told: ToldPattern) -> bool:
    """Return whether a newer failure than those of the last activation tells that it is over."""
    return told.newest_us >= told.until_us


def _needed(starts: list[int], settled_us: int) -> list[int]:
    """Return those of *starts* that a failure still to come may ask for: it asks for the last one before it."""
    first = max((at for at, start in enumerate(starts) if start < settled_us), default=0)
    return starts[first:]


def _tell_news(book: RunBook, signature: str, told: ToldPattern, effects: Effects) -> None:
    cleared, since_us = is_over(told), told.starts[-1]
    acknowledged = book.settings.of(_id(book, signature), since_us) is not None
    told_of = (told.cleared, told.since_us, told.cleared or told.acknowledged)
    if told.revision < 0 or told_of != (cleared, since_us, cleared or acknowledged):
        book.touch_pattern(signature)
        _tell(told, _line(book, signature, told, cleared=cleared), effects)


def _tell(told: ToldPattern, line: Line, effects: Effects) -> None:
    """Tell *line*; of two that tell something else the newer one counts more runs, so its revision is higher."""
    told.cleared = line["status"] == "cleared"
    told.acknowledged = line["acknowledged"] is True
    told.since_us = told.starts[-1]
    told.revision = int(str(line["revision"]))
    tell_feedback(line, effects)


def _id(book: RunBook, signature: str) -> str:
    return feedback_id(book.tenant_id, signature)


def _line(book: RunBook, signature: str, told: ToldPattern, *, cleared: bool) -> Line:
    identifier, since_us = _id(book, signature), told.starts[-1]
    runs = book.ended_through(told.until_us - 1 if cleared else told.last_us)
    stands = Feedback(
        book.tenant_id,
        identifier,
        "cleared" if cleared else "active",
        since_us,
        told.last_us,
        book.settings.of(identifier, since_us),
        2 * (runs + book.settings.count(identifier)) + cleared,
        told.until_us if cleared else None,
    )
    return pattern_line(stands, book.failures(signature, told.last_us - WINDOW_US, told.last_us))
