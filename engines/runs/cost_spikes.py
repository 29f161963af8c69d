"""Cost spikes: which runs cost too much, and when that is news (CONTRACT §7)."""

from __future__ import annotations

from collections.abc import Iterator

from engines.core.model import Effects
from engines.patterns.spikes import is_spike
from engines.runs.book import RunBook
from engines.runs.lines import Feedback, Line, feedback_id, spike_line, tell_feedback
from engines.runs.pages import ToldSpike
from engines.runs.series import Run, order


def fold(book: RunBook, run: Run, effects: Effects) -> None:
    """Judge *run*, which is in its book already, and those after it that it is compared with; tell what is news."""
    if not run.costs:
        return
    spikes = book.ledger.spikes
    for later, runs_before, cost_before in book.costs_from(run):
        fires = is_spike(later.costs, runs_before, cost_before)
        one = spikes.get(order(later)) if spikes else None
        if one is None:
            if not fires:
                continue
            one = spikes[order(later)] = ToldSpike(later, withdrawn=True, revision=-1)
            book.is_due(later.occurred_us + 1)
        if fires == one.withdrawn:
            one.withdrawn = not fires
            _tell(book, one, _line(book, later, "provisional" if fires else "withdrawn"), effects)


def settle(book: RunBook, effects: Effects) -> None:
    """Tell for good of the spikes that are settled, and forget them."""
    for one in list(book.ledger.spikes.values()):
        if one.run.occurred_us < book.settled_us:
            if not one.withdrawn:
                _tell(book, one, _line(book, one.run, "final"), effects)
            del book.ledger.spikes[order(one.run)]
            book.touch()


def standing(book: RunBook) -> Iterator[Line]:
    """Yield the lines of the spikes that are not told for good."""
    for one in book.ledger.spikes.values():
        if not one.withdrawn:
            yield _line(book, one.run, "final" if one.run.occurred_us < book.settled_us else "provisional")


def _tell(book: RunBook, one: ToldSpike, line: Line, effects: Effects) -> None:
    one.revision = int(str(line["revision"]))
    book.touch()
    tell_feedback(line, effects)


def _line(book: RunBook, run: Run, status: str) -> Line:
    identifier = feedback_id(book.tenant_id, run.worker_id, run.run_id)
    stands = Feedback(
        book.tenant_id,
        identifier,
        status,
        run.occurred_us,
        run.occurred_us,
        book.settings.of(identifier, run.occurred_us),
        2 * (book.place_of(run) + book.settings.count(identifier)) + (status == "final"),
    )
    return spike_line(stands, run, *book.costs_before(run))
