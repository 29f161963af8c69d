"""Failure patterns: what stands of each, and when that is news (CONTRACT §7)."""

from __future__ import annotations

from collections.abc import Iterator

from engines.core.model import Effects
from engines.core.time import US_PER_DAY, day_of
from engines.patterns.activations import WINDOW_US, activations
from engines.runs.book import RunBook
from engines.runs.lines import Feedback, Line, feedback_id, pattern_line, tell_feedback
from engines.runs.pages import Run, ToldPattern


def fold(book: RunBook, run: Run, effects: Effects) -> None:
    """Take in a failure that is in its book already, and tell what is news."""
    if run.failure is None:
        return
    signature, first_us = run.failure.signature, run.occurred_us
    told = book.told(signature)
    end_us = (day_of(first_us) + 2) * US_PER_DAY
    times = book.failure_times(signature, first_us, end_us - 1)
    earlier = [] if told is None else [start for start in told.starts if start < first_us]
    found = activations(times, first_us, earlier[-1] if earlier else None)
    if told is None:
        if not found:
            return
        told = book.ledger.patterns[signature] = ToldPattern([], 0, 0, 0)
    told.newest_us = max(told.newest_us, times[-1])
    if found:
        told.starts = _needed([*earlier, *(one.since_us for one in found if one.since_us >= first_us)], book.settled_us)
        told.last_us, told.until_us = found[-1].last_us, found[-1].until_us
        told.final = False
        book.ledger.unsettled.add(signature)
        book.is_due(told.until_us)
    book.touch_pattern(signature)
    _tell_news(book, signature, told, effects)


def settle(book: RunBook, effects: Effects) -> None:
    """Tell for good of the patterns of which it is settled that they are over."""
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


def is_over(told: ToldPattern) -> bool:
    """Return whether a newer failure than those of the last activation tells that it is over."""
    return told.newest_us >= told.until_us


def _needed(starts: list[int], settled_us: int) -> list[int]:
    """Return those of *starts* that a failure still to come may ask for: it asks for the last one before it."""
    first = max((at for at, start in enumerate(starts) if start < settled_us), default=0)
    return starts[first:]


def _tell_news(book: RunBook, signature: str, told: ToldPattern, effects: Effects) -> None:
    cleared = is_over(told)
    line = None
    if told.revision < 0 or cleared != told.cleared or _since(told) != told.since_us:
        line = _line(book, signature, told, cleared=cleared)
    elif not cleared and book.settings.count(_id(book, signature)):
        line = _line(book, signature, told, cleared=False)
        if line["acknowledged"] == told.acknowledged:
            return
    if line is not None:
        book.touch_pattern(signature)
        _tell(told, line, effects)


def _since(told: ToldPattern) -> int:
    return told.starts[-1]


def _tell(told: ToldPattern, line: Line, effects: Effects) -> None:
    """Tell *line*; of two that tell something else the newer one counts more runs, so its revision is higher."""
    told.cleared = line["status"] == "cleared"
    told.acknowledged = line["acknowledged"] is True
    told.since_us = _since(told)
    told.revision = int(str(line["revision"]))
    tell_feedback(line, effects)


def _id(book: RunBook, signature: str) -> str:
    return feedback_id(book.tenant_id, signature)


def _line(book: RunBook, signature: str, told: ToldPattern, *, cleared: bool) -> Line:
    identifier, since_us = _id(book, signature), _since(told)
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
