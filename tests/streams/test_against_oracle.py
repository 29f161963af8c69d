"""Whatever the stream, the chunks and the partitions: what the shell stores and publishes equals the oracle."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.oracle import comparable
from tests.strategies import make_quiet_stream, make_rich_stream, make_stream, streams
from tests.streams.running import Line, Ran, price, run

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
Profile = Literal["standard", "reference"]
PROFILES: tuple[Profile, Profile] = ("standard", "reference")


def check(ran: Ran, profile: Profile, partitions: int, settings: Sequence[oracle.Setting] = ()) -> None:
    """Hold a run against the oracle's reading of the very log it read."""
    wanted = oracle.evaluate(
        ran.log,
        profile=profile,
        partitions=partitions,
        price=price,
        append_forwarded=False,
        settings=settings,
    )
    for partition, end in wanted.ends.items():
        position = ran.positions[partition]
        assert (position.next_offset, position.watermark_us, position.closed_through) == (
            end.next_offset,
            end.watermark_us,
            end.closed_through,
        )
    fates = ("events", "accepted", "duplicates", "conflicting", "dead", "late", "forwarded", "restated")
    assert {fate: ran.counts.get(fate, 0) for fate in fates} == {fate: wanted.summary[fate] for fate in fates}
    assert ran.snapshots == [_numbers(line) for line in wanted.snapshots]
    assert _comparable(ran.anomalies) == _comparable(wanted.anomalies)
    assert _comparable(ran.facts) == _comparable(wanted.facts)
    assert _places(ran.dead) == _places(wanted.dead)
    assert _sorted(ran.late) == _sorted(wanted.late)


def _numbers(line: Line) -> Line:
    percents: Line = {"deviation_pct": None if line["deviation_pct"] is None else float(line["deviation_pct"])}
    if line.get("budget"):
        percents["budget"] = {name: float(value) for name, value in line["budget"].items()}
    return {**line, **percents}


def _comparable(lines: list[Line]) -> list[Line]:
    return [_numbers(comparable(line)) for line in lines]


def _places(lines: list[Line]) -> list[tuple[object, ...]]:
    return sorted((line["partition"], line["offset"], line["value_base64"], line["field"]) for line in lines)


def _sorted(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (line["partition"], line["offset"]))


@FEW
@given(streams(), st.integers(1, 50), st.integers(1, 4), st.sampled_from(PROFILES))
def test_a_run_equals_the_oracle(stream: list[oracle.LogRecord], chunk: int, partitions: int, profile: Profile) -> None:
    ran = asyncio.run(run(stream, lambda: chunk, partitions=partitions, profile=profile))
    check(ran, profile, partitions)


@pytest.mark.parametrize("seed", range(40))
def test_a_long_run_equals_the_oracle(seed: int) -> None:
    random = Random(seed)
    profile, partitions = PROFILES[seed % 2], 1 + seed % 3
    ran = asyncio.run(run(make_stream(seed), lambda: random.randint(1, 80), partitions=partitions, profile=profile))
    check(ran, profile, partitions)


@pytest.mark.parametrize("seed", range(100, 112))
def test_what_is_published_on_the_way_depends_on_the_log_alone(seed: int) -> None:
    stream = make_stream(seed)
    profile = PROFILES[seed % 2]
    whole = asyncio.run(run(stream, lambda: 5_000, profile=profile))
    single = asyncio.run(run(stream, lambda: 1, profile=profile))
    wanted = [
        told.fact for told in oracle.publications(whole.log, profile=profile, price=price, append_forwarded=False)
    ]
    assert _by_id(whole.publications) == _by_id(single.publications) == _by_id(wanted)


@pytest.mark.parametrize("seed", range(36))
def test_all_rules_restatements_and_settings_on_the_way_equal_the_oracle(seed: int) -> None:
    random, rich = Random(seed), make_rich_stream(seed)
    profile, partitions = PROFILES[seed % 2], 1 + seed % 3
    settings = rich.settings(partitions)
    sizes = [1, 7, 30, 80, 500]
    ran = asyncio.run(
        run(rich.log, lambda: random.choice(sizes), partitions=partitions, profile=profile, settings=settings)
    )
    check(ran, profile, partitions, settings)


@pytest.mark.parametrize("seed", range(1_000, 1_008))
def test_what_all_rules_publish_on_the_way_depends_on_the_log_and_the_settings_alone(seed: int) -> None:
    rich, profile = make_rich_stream(seed), PROFILES[seed % 2]
    settings = rich.settings(1)
    whole = asyncio.run(run(rich.log, lambda: 5_000, profile=profile, settings=settings))
    single = asyncio.run(run(rich.log, lambda: 1, profile=profile, settings=settings))
    publications = oracle.publications(
        whole.log, profile=profile, price=price, append_forwarded=False, settings=settings
    )
    wanted = [told.fact for told in publications]
    assert _by_id(whole.publications) == _by_id(single.publications) == _by_id(wanted)


@pytest.mark.parametrize("seed", range(24))
def test_nothing_fires_on_quiet_streams_under_the_standard_rules(seed: int) -> None:
    ran = asyncio.run(run(make_quiet_stream(seed), lambda: 500))
    assert ran.counts["accepted"] > 0
    assert ran.anomalies == []


def _by_id(facts: list[Line]) -> dict[str, list[Line]]:
    told: dict[str, list[Line]] = {}
    for fact in facts:
        told.setdefault(fact["anomaly_id"], []).append(_numbers(comparable(fact)))
    return told
