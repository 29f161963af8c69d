"""A worker's predictions, one of each type for every UTC day: what stands of them, and when that is news (CONTRACT §7).

One invariant: the id of a day is judged by the newest of the worker's runs of that day, and ended by the first run of
the day after, or by time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engines.core.model import Effects
from engines.core.time import US_PER_DAY, day_of
from engines.prediction.reference import Prediction, cost_overrun, failure_likelihood, is_failure_likely
from engines.runs.book import RunBook
from engines.runs.event import FAILED
from engines.runs.lines import VALIDITY_US, Line, keep_prediction, prediction_line, tell_prediction
from engines.runs.pages import PredictionKey, ToldPrediction
from engines.runs.series import Run

FAILURE_LIKELIHOOD: Final = "failure_likelihood"
COST_OVERRUN: Final = "cost_overrun"

ACTIVE: Final = "active"
SUPERSEDED: Final = "superseded"
WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"

_RUNS: Final = {FAILURE_LIKELIHOOD: "ended", COST_OVERRUN: "costs"}
"""Which of a worker's runs a prediction of each type is about."""


def fold(book: RunBook, run: Run, effects: Effects) -> None:
    """Judge what *run*, which is in its book already, may change, and tell what is news."""
    for kind in (FAILURE_LIKELIHOOD, COST_OVERRUN) if run.costs else (FAILURE_LIKELIHOOD,):
        day = day_of(run.occurred_us)
        for key in ((kind, run.worker_id, day), (kind, run.worker_id, day + 1)):
            if key not in book.ledger.predictions and any(_holds(book, key, us) for us in _changed(book, key, run)):
                book.ledger.predictions[key] = ToldPrediction()
                book.touch()
        is_first = run.occurred_us <= book.key_runs(_RUNS[kind], run.worker_id, day)[0].occurred_us
        for of in (day - 1, day, day + 1) if is_first else (day, day + 1):
            told = book.ledger.predictions.get((kind, run.worker_id, of))
            if told is not None:
                _tell_news(book, (kind, run.worker_id, of), told, effects)


def _changed(book: RunBook, key: PredictionKey, run: Run) -> set[int]:
    """Return the instants of the day of *key* at which the prediction may hold because of *run*."""
    kind, _, day = key
    if kind == FAILURE_LIKELIHOOD and run.outcome != FAILED:  # then nothing that came later has become likelier
        return {run.occurred_us} if day == day_of(run.occurred_us) else set()
    return {one.occurred_us for one in book.runs_from(_RUNS[kind], run, day)}


def settle(book: RunBook, effects: Effects) -> None:
    """Tell of the predictions that expired, keep what became of the others, and forget both."""
    for key in sorted(key for key in book.ledger.predictions if (key[2] + 1) * US_PER_DAY <= book.settled_us):
        newest_us = _newest_us(book, key)
        if newest_us + VALIDITY_US > book.settled_us:
            continue
        del book.ledger.predictions[key]
        book.touch()
        status = _status(book, key, newest_us)
        if status is not None:
            tell = tell_prediction if status == EXPIRED else keep_prediction
            tell(_line(book, key, newest_us, status), effects)


def standing(book: RunBook) -> Iterator[Line]:
    """Yield the lines of the predictions that are not settled, but of those that never held in order of event time."""
    for key in book.ledger.predictions:
        newest_us = _newest_us(book, key)
        status = _status(book, key, newest_us)
        if status is not None:
            yield _line(book, key, newest_us, status)


def _tell_news(book: RunBook, key: PredictionKey, told: ToldPrediction, effects: Effects) -> None:
    newest_us = _newest_us(book, key)
    book.is_due(newest_us + VALIDITY_US)
    status = _status(book, key, newest_us) if _holds(book, key, newest_us) else WITHDRAWN
    if status is None or status == told.status or (told.status is None and status == WITHDRAWN):
        return
    line = _line(book, key, newest_us, status)
    told.status, told.revision = status, int(str(line["revision"]))
    book.touch()
    tell_prediction(line, effects)


def _newest_us(book: RunBook, key: PredictionKey) -> int:
    kind, worker_id, day = key
    return book.key_runs(_RUNS[kind], worker_id, day)[-1].occurred_us


def _status(book: RunBook, key: PredictionKey, newest_us: int) -> str | None:
    """Return what has become of a prediction, None when it held at none of the day's runs, in order of event time."""
    kind, worker_id, day = key
    if not _holds(book, key, newest_us):
        instants = {run.occurred_us for run in book.key_runs(_RUNS[kind], worker_id, day)}
        return WITHDRAWN if any(_holds(book, key, instant_us) for instant_us in instants) else None
    after = book.key_runs(_RUNS[kind], worker_id, day + 1)
    if after and after[0].occurred_us < newest_us + VALIDITY_US:
        return SUPERSEDED if _holds(book, key, after[0].occurred_us) else WITHDRAWN
    return EXPIRED if newest_us + VALIDITY_US <= book.settled_us else ACTIVE


def _holds(book: RunBook, key: PredictionKey, instant_us: int) -> bool:
    kind, worker_id, _ = key
    if kind == COST_OVERRUN:
        return book.trend(worker_id, instant_us).overruns
    ended, failed = book.ends(worker_id, instant_us)
    return is_failure_likely(failed, ended)


def _line(book: RunBook, key: PredictionKey, newest_us: int, status: str) -> Line:
    kind, worker_id, _ = key
    expires_us = newest_us + VALIDITY_US
    revision = 2 * book.ended_through(expires_us - 1) + (expires_us <= book.settled_us)
    return prediction_line((book.tenant_id, kind, worker_id), newest_us, _said(book, key, newest_us), status, revision)


def _said(book: RunBook, key: PredictionKey, newest_us: int) -> Prediction:
    kind, worker_id, _ = key
    if kind == COST_OVERRUN:
        return cost_overrun(book.trend(worker_id, newest_us))
    window = book.failure_window(worker_id, newest_us)
    return failure_likelihood(window.failed, window.ended, window.errors, book.patterns_of(worker_id, newest_us))
