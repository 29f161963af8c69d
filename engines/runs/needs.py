"""Which pages a tenant's work reads: those of the days that windows around a few days begin in, hold or end in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from engines.core.model import PageKey
from engines.core.time import US_PER_DAY, day_of
from engines.patterns import spikes
from engines.prediction.runs import WINDOW_US
from engines.runs import failure_patterns, odds
from engines.runs.pages import Ledger, day_key, sums_key

_SPIKE_DAYS: Final = spikes.WINDOW_US // US_PER_DAY
_PREDICTION_DAYS: Final = WINDOW_US // US_PER_DAY
_RUNS_OF: Final = (
    -_SPIKE_DAYS,
    -_SPIKE_DAYS + 1,  # of a run that follows after midnight
    -_PREDICTION_DAYS - 1,  # of the prediction of the day before
    -_PREDICTION_DAYS,
    -_PREDICTION_DAYS + 1,
    -3,  # where a pattern that may still change had its failures
    -2,
    -1,
    0,
    1,
)
"""The days, from one that something happens on, whose runs are read one by one."""
_SUMS_OF: Final = range(-_SPIKE_DAYS, 2)
FORGOTTEN_DAYS: Final = max(_SPIKE_DAYS, odds.KEPT_DAYS) + 5
"""No window of a record still to come reaches so far back."""


def around(tenant_id: str, ledger: Ledger, days: Iterable[int]) -> Iterator[PageKey]:
    """Yield the keys of what judging anything on *days* reads, of days that hold anything."""
    for day in days:
        for of in _RUNS_OF:
            if day + of in ledger.days:
                yield day_key(tenant_id, day + of)
        for of in _SUMS_OF:
            if day + of in ledger.days:
                yield sums_key(tenant_id, day + of)


def of_open(ledger: Ledger, settled_us: int | None = None) -> set[int]:
    """Return the days of what was told and may still change; with *settled_us*, of what is settled then."""
    days: set[int] = set()
    for spike in ledger.spikes:
        if settled_us is None or spike.run.occurred_us < settled_us:
            days.add(day_of(spike.run.occurred_us))
    days |= {day for _, _, day in ledger.predictions if settled_us is None or (day + 1) * US_PER_DAY <= settled_us}
    for told in ledger.patterns.values():
        if not told.final and (settled_us is None or told.until_us <= settled_us):
            days.update(failure_patterns.anchors(told))
    return days
