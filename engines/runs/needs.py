"""Which pages a tenant's work reads: those of the days that windows around a few days begin in, hold or end in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from engines.core.model import PageKey
from engines.core.time import US_PER_DAY, day_of
from engines.patterns import spikes
from engines.patterns.activations import WINDOW_US as PATTERN_WINDOW_US
from engines.prediction.runs import WINDOW_US
from engines.runs import odds
from engines.runs.pages import Ledger, day_key, sums_key

_SPIKE_DAYS: Final = spikes.WINDOW_US // US_PER_DAY
_PREDICTION_DAYS: Final = WINDOW_US // US_PER_DAY
FORGOTTEN_DAYS: Final = max(_SPIKE_DAYS, odds.KEPT_DAYS) + 5
"""No window of a record still to come reaches so far back."""


def of_runs(tenant_id: str, ledger: Ledger, instants_us: Collection[int]) -> Iterator[PageKey]:
    """Yield the keys of what folding runs that ended at these instants reads, of days that hold anything."""
    days = {day_of(instant_us) for instant_us in instants_us}
    predicted = {day for _, _, day in ledger.predictions}
    judged: set[int] = set()
    older: set[int] = set()
    for day in days:
        judged |= {day, day + 1} if day + 1 in ledger.days else {day}
        if day - 1 in predicted:  # it may be ended by the first run of the day after
            older.add(day - 1)
    yield from _around(tenant_id, ledger, judged, older)
    yield from _runs_of(tenant_id, ledger, _of_patterns(ledger, None))
    # where an activation that touches a failure of the first instant of a day had its own
    yield from _runs_of(tenant_id, ledger, {day_of(instant_us - PATTERN_WINDOW_US - 1) for instant_us in instants_us})


def of_open(tenant_id: str, ledger: Ledger, settled_us: int | None = None) -> Iterator[PageKey]:
    """Yield the keys of what telling of all that may still change reads; with *settled_us*, of what is settled then."""
    spiked, predicted = set[int](), set[int]()
    for spike in ledger.spikes.values():
        if settled_us is None or spike.run.occurred_us < settled_us:
            spiked.add(day_of(spike.run.occurred_us))
    for _, _, day in ledger.predictions:
        if settled_us is None or (day + 1) * US_PER_DAY <= settled_us:
            predicted |= {day, day + 1} if day + 1 in ledger.days else {day}
    yield from _around(tenant_id, ledger, spiked, predicted)
    yield from _runs_of(tenant_id, ledger, _of_patterns(ledger, settled_us))


def _around(tenant_id: str, ledger: Ledger, judged: Collection[int], predicted: Collection[int]) -> Iterator[PageKey]:
    """Yield the keys of all that judging runs of the days *judged* reads, and telling of the predictions of others."""
    # A prediction names the patterns of its time, each by its earliest failure: a day and a day before it.
    runs = {day - back for day in judged for back in (0, 1, 2, _PREDICTION_DAYS, _SPIKE_DAYS)}
    runs |= {day - back for day in predicted for back in (0, 1, 2, _PREDICTION_DAYS)}
    yield from _runs_of(tenant_id, ledger, runs)
    sums = {day - back for day in judged for back in range(_SPIKE_DAYS)}
    sums |= {day - back for day in predicted for back in range(_PREDICTION_DAYS)}
    for day in sums:
        if day in ledger.days:
            yield sums_key(tenant_id, day)


def _runs_of(tenant_id: str, ledger: Ledger, days: Iterable[int]) -> Iterator[PageKey]:
    return (day_key(tenant_id, day) for day in days if day in ledger.days)


def _of_patterns(ledger: Ledger, settled_us: int | None) -> set[int]:
    """Return the days whose runs are read to tell of patterns that may still change, or are settled at *settled_us*."""
    days: set[int] = set()
    for signature in ledger.unsettled:
        told = ledger.patterns[signature]
        if settled_us is None or told.until_us <= settled_us:
            last = day_of(told.last_us)
            days |= {last - 1, last, day_of(told.until_us - 1)}
    return days
