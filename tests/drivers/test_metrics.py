"""``/metrics`` as Prometheus reads it."""

import socket
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from drivers.metrics import Counter, Family, Names, PartitionCollector, PartitionReading
from drivers.web import served
from engines.core.errors import SettingsError
from engines.core.model import Position
from engines.core.time import US_PER_DAY, US_PER_HOUR

NAMES = Names(
    events="events",
    fates=("accepted", "dead"),
    late_nanousd="late_nanousd",
    counters=(Counter("conflicting", "outlay_conflicting", "Conflicts."),),
    families=(Family("unpriced.", "outlay_unpriced", "reason", "Unpriced."),),
)
COUNTS = {"events": 7, "accepted": 5, "dead": 2, "late_nanousd": 1_500_000_000, "unpriced.unknown_model": 3}


def reading(partition: int, position: Position | None, period_us: int = US_PER_DAY) -> PartitionReading:
    return PartitionReading(
        topic="costs",
        partition=partition,
        position=position,
        period_us=period_us,
        held=position is not None,
        refused=position is None,
        commit_age_s=1.5 if position else None,
        commit_took_s=0.25 if position else None,
        pending_records=4,
        pending_outbox=0,
        lag=9 if position else None,
        lag_s=None,
    )


def scraped(readings: list[PartitionReading]) -> dict[tuple[str, ...], float]:
    """Return every sample of ours: (name, label values but the topic…) → value."""
    with served(PartitionCollector(lambda: readings, NAMES, {"version": "1"}), "127.0.0.1", 0) as port:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        (sample.name, *(value for label, value in sorted(sample.labels.items()) if label != "topic")): sample.value
        for sample in samples
        if sample.name.startswith("outlay_")
    }


def test_every_number_of_a_position_is_shown_with_its_unit() -> None:
    position = Position("costs", 3, "c", "t", 42, watermark_us=90_000_000, closed_through=0, counts=COUNTS)
    found = scraped([reading(3, position)])
    assert found["outlay_events_total", "3"] == 7
    assert found["outlay_records_total", "accepted", "3"] == 5
    assert found["outlay_records_total", "dead", "3"] == 2
    assert found["outlay_conflicting_total", "3"] == 0
    assert found["outlay_unpriced_total", "3", "unknown_model"] == 3
    assert found["outlay_late_usd_total", "3"] == 1.5
    assert found["outlay_commit_age_seconds", "3"] == 1.5
    assert found["outlay_commit_duration_seconds", "3"] == 0.25
    assert found["outlay_pending_records", "3"] == 4
    assert found["outlay_next_offset", "3"] == 42
    assert found["outlay_lag_offsets", "3"] == 9
    assert found["outlay_watermark_seconds", "3"] == 90
    assert found["outlay_closed_through_seconds", "3"] == 86_400
    assert found["outlay_claimed", "3"] == 1
    assert found["outlay_stopped", "3"] == 0
    assert found[("outlay_assigned_partitions",)] == 1


def test_what_closes_by_the_hour_is_closed_through_the_end_of_an_hour() -> None:
    position = Position("costs", 0, "c", "t", 42, closed_through=1)
    assert scraped([reading(0, position, US_PER_HOUR)])["outlay_closed_through_seconds", "0"] == 7_200


def test_what_is_not_known_is_left_out_and_a_stopped_partition_shows() -> None:
    found = scraped([reading(0, None)])
    assert found["outlay_stopped", "0"] == 1
    assert found["outlay_claimed", "0"] == 0
    assert not [name for name, *_ in found if name.startswith(("outlay_lag", "outlay_next", "outlay_records"))]


def test_a_port_in_use_is_a_settings_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        collector = PartitionCollector(list, NAMES, {})
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"OUTLAY_METRICS_PORT: 127.0.0.1:{port}"):
            served(collector, "127.0.0.1", port).__enter__()
