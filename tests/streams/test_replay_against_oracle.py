"""What a replay prints, settings known before its first record, is what the oracle says of the same lines."""

import json
from dataclasses import replace
from typing import Any

import pytest

from engines.core.model import SettingRow
from engines.cost.domain import CostDomain
from engines.cost.rules import PROFILES, ProfileName
from streams.replay import Replay
from tests import oracle
from tests.strategies import make_rich_stream
from tests.streams.learning import content
from tests.streams.running import NOW_MS, PRICES, price
from tests.streams.test_against_oracle import PROFILES as NAMES
from tests.streams.test_against_oracle import _comparable, _numbers


def read(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("close_all", [False, True])
@pytest.mark.parametrize("seed", range(2_000, 2_008))
async def test_a_replay_prints_the_last_state_of_everything(seed: int, close_all: bool) -> None:
    rich, profile = make_rich_stream(seed), NAMES[seed % 2]
    settings = [replace(row, known_before={}) for row in rich.settings(1)]
    rows = [SettingRow(seq, *content(row)) for seq, row in enumerate(settings, 1)]
    domain = CostDomain(PRICES, PROFILES[ProfileName(profile)])
    replay = Replay(domain, 1, NOW_MS, settings=rows)
    await replay.start()
    await replay.feed(entry.value or b"" for entry in rich.log)
    ended = await replay.finish(close_all=close_all)

    log = [oracle.LogRecord(entry.value or b"", (), NOW_MS * 1000, None, 0, at) for at, entry in enumerate(rich.log)]
    wanted = oracle.evaluate(
        log, profile=profile, close_all=close_all, price=price, settings=settings, append_forwarded=False
    )
    assert read(ended.snapshots) == [_numbers(line) for line in wanted.snapshots]
    assert _comparable(read(ended.anomalies)) == _comparable(wanted.anomalies)
    assert _comparable(read(ended.facts)) == _comparable(wanted.facts)
    assert read(ended.late) == wanted.late
    assert ended.facts_by_type == wanted.summary["facts"]
    assert ended.counts.get("restated", 0) == wanted.summary["restated"]
    assert ended.adds_up
