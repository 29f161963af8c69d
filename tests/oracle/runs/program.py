"""The plain program that reads all runs at once: CONTRACT §7 as a function of a set of records and an instant."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.oracle.records import HOUR_US, LogRecord
from tests.oracle.runs import failures, predictions, spikes
from tests.oracle.runs.lines import dead_line, feedback_order, late_line, prediction_order
from tests.oracle.runs.record import Run
from tests.oracle.runs.tenant import Acknowledgement, Line, Tenant, tenant_of
from tests.oracle.runs.walk import Judged, Walk, forwarded_copies
from tests.oracle.walk import GRACE_US, placed


@dataclass(frozen=True)
class End:
    """Where a partition stands after its last record; `settled_us`: every record before it has come."""

    next_offset: int
    watermark_us: int | None
    settled_us: int | None


@dataclass(frozen=True)
class Outcome:
    """The state at the end of a log, in the order of files; `ends` are by partition."""

    feedback: list[Line]
    predictions: list[Line]
    dead: list[Line]
    late: list[Line]
    summary: Line
    fates: list[Judged]
    ends: dict[int, End]


def evaluate(
    log: Sequence[LogRecord],
    *,
    partitions: int = 1,
    close_all: bool = False,
    now_us: int | None = None,
    append_forwarded: bool = True,
    settled_us: Mapping[int, int] | None = None,
    acknowledgements: Sequence[Acknowledgement] = (),
) -> Outcome:
    """Return the state at the end of *log*.

    Args:
        close_all: settle each partition through the last hour in which anything is due.
        now_us: the clock at the start, for records without append time; None: nothing is in the future.
        append_forwarded: put the copies of forwarded records at the end of their home partitions' logs; False when
            the log already holds them.
        settled_us: by partition, up to where it is settled, in place of its watermark less the grace.
        acknowledgements: rows, all of them known, in the order in which they were appended.
    """
    whole = placed(log, partitions)
    if append_forwarded:
        whole = placed([*whole, *forwarded_copies(whole, partitions, now_us)], partitions)
    fates: list[Judged] = []
    ends: dict[int, End] = {}
    tenants: list[Tenant] = []
    for walk in [Walk(at, partitions, now_us) for at in range(partitions)]:
        part = list(walk.fates([entry for entry in whole if entry.partition == walk.partition]))
        end = _end(walk, part, settled_us or {})
        runs = [judged.run for judged in part if judged.fate == "accepted" and judged.run is not None]
        found = list(_tenants(runs, acknowledgements, end))
        if close_all:
            end = replace(end, settled_us=_last_due(found, end.settled_us))
            found = list(_tenants(runs, acknowledgements, end))
        fates += part
        ends[walk.partition] = end
        tenants += found
    feedback = [line for one in tenants for line in [*failures.patterns(one), *spikes.spikes(one)]]
    predicted = [line for one in tenants for line in predictions.predictions(one)]
    return Outcome(
        feedback=sorted(feedback, key=feedback_order),
        predictions=sorted(predicted, key=prediction_order),
        dead=[dead_line(judged) for judged in fates if judged.fate == "dead"],
        late=[late_line(judged) for judged in fates if judged.fate == "late"],
        summary=_summary(fates, feedback, predicted),
        fates=fates,
        ends=ends,
    )


def whole_hours(watermark_us: int) -> int:
    """Return up to where a worker that closes hours has settled a partition of this watermark."""
    return (watermark_us - GRACE_US) // HOUR_US * HOUR_US


def _end(walk: Walk, fates: Sequence[Judged], settled_us: Mapping[int, int]) -> End:
    watermark_us = walk.watermark.at_us
    own_us = None if watermark_us is None else watermark_us - GRACE_US
    return End(fates[-1].offset + 1 if fates else 0, watermark_us, settled_us.get(walk.partition, own_us))


def _tenants(runs: Sequence[Run], acknowledgements: Sequence[Acknowledgement], end: End) -> Iterator[Tenant]:
    for tenant_id in sorted({run.tenant_id for run in runs}):
        assert end.settled_us is not None
        yield tenant_of(tenant_id, runs, acknowledgements, end.settled_us)


def _last_due(tenants: Iterable[Tenant], settled_us: int | None) -> int | None:
    """Return the end of the last hour in which anything is due; time never goes back."""
    due = [at_us for one in tenants for at_us in [*spikes.dues(one), *failures.dues(one), *predictions.dues(one)]]
    ends = [(at_us // HOUR_US + 1) * HOUR_US for at_us in due]
    return max(ends if settled_us is None else [*ends, settled_us], default=None)


def _summary(fates: Sequence[Judged], feedback: Sequence[Line], predicted: Sequence[Line]) -> Line:
    counts = Counter(judged.fate for judged in fates)
    return {
        "events": len(fates),
        "accepted": counts["accepted"],
        "duplicates": counts["duplicate"],
        "conflicting": sum(judged.conflicting for judged in fates),
        "dead": counts["dead"],
        "late": counts["late"],
        "forwarded": counts["forwarded"],
        "feedback": dict(Counter(line["pattern_type"] for line in feedback)),
        "predictions": dict(Counter(line["prediction_type"] for line in predicted)),
    }
