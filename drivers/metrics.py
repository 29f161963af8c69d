"""What Prometheus is told: what each partition's owner knows, read when somebody asks.

One invariant: nothing is counted here. Every number is in the position row or beside it anyway, so a record costs no
metric and the numbers survive restarts with the state they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from engines.core.model import Position
from engines.core.money import NANOUSD_PER_USD
from engines.core.time import US_PER_SECOND

_PLACE: Final = ["topic", "partition"]


@dataclass(frozen=True, slots=True)
class PartitionReading:
    """One assigned partition as its owner sees it now.

    Attributes:
        position: as last committed; None before the first claim.
        period_us: how long the windows are that close on it.
        held: claimed, so that records are taken in.
        refused: stopped until an operator accepts its position.
        commit_age_s, commit_took_s: since the last commit, and how long that took; None without a claim.
        pending_records: folded and not committed.
        pending_outbox: messages not committed or not acknowledged by the broker.
        lag: offsets between the position and the end of the log, None when that is not known.
        lag_s: age of the newest record taken in, 0 at the end of the log; None when that is not known.
    """

    topic: str
    partition: int
    position: Position | None
    period_us: int
    held: bool
    refused: bool
    commit_age_s: float | None
    commit_took_s: float | None
    pending_records: int
    pending_outbox: int
    lag: int | None
    lag_s: float | None


class Counter(NamedTuple):
    """A key of ``Position.counts`` and the metric it is."""

    key: str
    metric: str
    text: str


class Family(NamedTuple):
    """Keys of ``Position.counts`` with one prefix, and the metric they are; what follows is the label's value."""

    prefix: str
    metric: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Names:
    """What the keys of ``Position.counts`` mean, given by whoever counts.

    Attributes:
        events: every record read.
        fates: the ends of a record; together they are ``events``.
        late_nanousd: money of records that came too late to be counted.
    """

    events: str
    fates: tuple[str, ...]
    late_nanousd: str
    counters: tuple[Counter, ...]
    families: tuple[Family, ...]


class PartitionCollector(Collector):
    """Turns readings into metric families; called by a thread of the metrics server."""

    def __init__(self, read: Callable[[], Iterable[PartitionReading]], names: Names, about: Mapping[str, str]) -> None:
        self._read = read
        self._names = names
        self._about = dict(about)

    def collect(self) -> Iterable[Metric]:
        """Return all families as they are now."""
        readings = list(self._read())
        yield InfoMetricFamily("outlay", "What runs here.", self._about)
        yield from self._counters(readings)
        yield from _gauges(readings)

    def _counters(self, readings: Iterable[PartitionReading]) -> Iterator[Metric]:
        names = self._names
        events = _counter("outlay_events", "Records read from the log, each once.")
        by_fate = _counter("outlay_records", "Records by the one end each of them came to.", "fate")
        late_usd = _counter("outlay_late_usd", "US dollars of records that came too late to be counted.")
        plain = [(key, _counter(metric, text)) for key, metric, text in names.counters]
        split = [(prefix, _counter(metric, text, label)) for prefix, metric, label, text in names.families]
        for reading in readings:
            if reading.position is None:
                continue
            place, counts = _place(reading), reading.position.counts
            events.add_metric(place, counts.get(names.events, 0))
            for fate in names.fates:
                by_fate.add_metric([*place, fate], counts.get(fate, 0))
            late_usd.add_metric(place, counts.get(names.late_nanousd, 0) / NANOUSD_PER_USD)
            for key, family in plain:
                family.add_metric(place, counts.get(key, 0))
            for prefix, family in split:
                for key, n in counts.items():
                    if key.startswith(prefix):
                        family.add_metric([*place, key.removeprefix(prefix)], n)
        yield from (events, by_fate, late_usd)
        yield from (family for _, family in (*plain, *split))


def _gauges(readings: Iterable[PartitionReading]) -> Iterator[Metric]:
    assigned = GaugeMetricFamily("outlay_assigned_partitions", "Partitions this worker is to own.", labels=["topic"])
    numbers: dict[str, int] = {}
    families = {name: _gauge(f"outlay_{name}", text) for name, text in _GAUGES.items()}
    for reading in readings:
        numbers[reading.topic] = numbers.get(reading.topic, 0) + 1
        for name, value in _values(reading).items():
            if value is not None:
                families[name].add_metric(_place(reading), value)
    for topic, n in numbers.items():
        assigned.add_metric([topic], n)
    yield assigned
    yield from families.values()


_GAUGES: Final = {
    "claimed": "1: the partition is claimed and records are taken in.",
    "stopped": "1: the partition waits for `outlay positions accept`.",
    "commit_age_seconds": "Time since the last commit; it grows while nothing arrives.",
    "commit_duration_seconds": "How long the last commit took.",
    "pending_records": "Records folded and not committed.",
    "pending_outbox": "Messages not committed or not acknowledged by the broker.",
    "next_offset": "Offset of the first record that is not part of the committed state.",
    "lag_offsets": "Offsets between the position and the end of the log.",
    "lag_seconds": "Age of the newest record taken in; 0 at the end of the log.",
    "watermark_seconds": "Event time up to which all is expected to be seen, seconds since the epoch.",
    "closed_through_seconds": "End of what is closed (whole UTC days of costs), seconds since the epoch.",
}


def _values(reading: PartitionReading) -> dict[str, float | None]:
    position = reading.position
    watermark_us = None if position is None else position.watermark_us
    closed_through = None if position is None else position.closed_through
    return {
        "claimed": int(reading.held),
        "stopped": int(reading.refused),
        "commit_age_seconds": reading.commit_age_s,
        "commit_duration_seconds": reading.commit_took_s,
        "pending_records": reading.pending_records,
        "pending_outbox": reading.pending_outbox,
        "next_offset": None if position is None else position.next_offset,
        "lag_offsets": reading.lag,
        "lag_seconds": reading.lag_s,
        "watermark_seconds": None if watermark_us is None else watermark_us / US_PER_SECOND,
        "closed_through_seconds": (
            None if closed_through is None else (closed_through + 1) * reading.period_us / US_PER_SECOND
        ),
    }


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=[*_PLACE, *labels])


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=_PLACE)


def _place(reading: PartitionReading) -> list[str]:
    return [reading.topic, str(reading.partition)]
