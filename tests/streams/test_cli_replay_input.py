"""What ``outlay replay`` makes of input that is broken or late, of wrong usage, and of a rule that fails."""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from drivers.prices import Prices
from engines.core.model import Context, Effects
from engines.core.ports import Event, Pages
from engines.core.time import US_PER_DAY, parse_instant
from engines.cost.domain import CostDomain
from engines.cost.rules import STANDARD
from streams.replay import Replay
from tests.streams.commands import run
from tests.streams.replaying import NOW, START_US, adds_up, event, month, read, written

BAD = {
    "not JSON": (b"{broken", None),
    "no object": (b"[1, 2]", None),
    "null": (b"null", None),
    "invalid UTF-8": (b'{"id": "\xff"}', None),
    "NUL in a string": (event(1, START_US, user_id="a\0b"), "user_id"),
    "lone surrogate": (event(1, START_US).replace(b'"m"', b'"\\ud800"'), "model"),
    "1e400": (event(1, START_US).replace(b": 100}", b": 1e400}"), "cost_cents"),
    "400 000 nested brackets in an unknown field": (
        event(1, START_US)[:-1] + b', "x": ' + b"[" * 400_000 + b"]" * 400_000 + b"}",
        None,
    ),
    "over 1 MiB": (event(1, START_US, x="y" * (1 << 20)), None),
    "missing": (b'{"id": "1"}', None),
    "negative": (event(1, START_US, cost_cents=-1), "cost_cents"),
    "not an integer": (event(1, START_US, input_tokens=1.0), "input_tokens"),
    "future": (event(1, parse_instant(NOW) + 6 * 60_000_000), "occurred_at"),
    "carriage returns between": (b"\x00\r\x01", None),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_dead_lettered_whole_and_the_rest_is_counted(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    value, field = BAD[name]
    path = written(tmp_path / "in.jsonl", [event(2, START_US), b"  \t ", value, b"", event(3, START_US)])
    dead = tmp_path / "dead.jsonl"
    ran = run(capfd, "replay", path, "--in-memory", "--json", "--dead", dead, "--now", NOW)
    assert ran.code == 0
    assert adds_up(ran)
    assert (ran.summary["events"], ran.summary["accepted"], ran.summary["dead"]) == (3, 2, 1)
    (line,) = read(dead)
    assert base64.b64decode(line["value_base64"]) == value
    assert (line["topic"], line["partition"], line["offset"], line["key"], line["headers"]) == ("costs", 0, 1, None, [])
    assert line["reason"]
    assert field is None or line["field"] == field


def test_all_bad_lines_together_come_out_in_order_and_nothing_stops(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    values = [value for value, _ in BAD.values()] * 3
    good = [event(number, START_US + number) for number in range(100, 150)]
    mixed = [line for pair in zip(values, good, strict=False) for line in pair]
    for partitions in ("1", "4"):
        dead = tmp_path / f"dead{partitions}"
        options = ("--in-memory", "--json", "--dead", dead, "--now", NOW, "--partitions", partitions)
        ran = run(capfd, "replay", written(tmp_path / "in", mixed), *options)
        assert ran.code == 0
        assert (ran.summary["dead"], ran.summary["accepted"]) == (len(values), len(mixed) - len(values))
        lines = read(dead)
        places = [(line["partition"], line["offset"]) for line in lines]
        assert places == sorted(places)
        assert sorted(line["value_base64"] for line in lines) == sorted(base64.b64encode(v).decode() for v in values)


def test_a_last_line_without_newline_counts(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(event(1, START_US) + b"\r\n" + event(2, START_US))
    ran = run(capfd, "replay", path, "--in-memory", "--json", "--now", NOW)
    assert (ran.code, ran.summary["accepted"]) == (0, 2)


def test_an_empty_input_is_no_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    facts = tmp_path / "facts"
    ran = run(capfd, "replay", written(tmp_path / "in", []), "--in-memory", "--json", "--close-all", "--facts", facts)
    assert (ran.code, ran.summary["events"], facts.read_bytes()) == (0, 0, b"")


def test_a_record_that_was_too_late_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    late = tmp_path / "late"
    lines = [event(1, START_US), event(2, START_US + 37 * US_PER_DAY), event(3, START_US + 1)]
    path = written(tmp_path / "in", lines)
    ran = run(capfd, "replay", path, "--in-memory", "--json", "--late", late, "--now", NOW)
    assert ran.code == 0
    assert ran.summary["late"] == 1
    assert ran.err.endswith("outlay: 1 record came too late to be counted\n")
    (line,) = read(late)
    assert (line["id"], line["reason"], line["offset"]) == ("e3", "too_old", 2)
    plain = run(capfd, "replay", path, "--in-memory", "--now", NOW)
    assert "1 record came too late to be counted; --late FILE lists what came too late" in plain.err
    assert "accepted + duplicates + dead + late + forwarded = events" in plain.out


def test_a_record_of_a_closed_day_is_counted_as_restated_and_listed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    late = tmp_path / "late"
    lines = [event(1, START_US), event(2, START_US + 3 * US_PER_DAY), event(3, START_US + 1)]
    path = written(tmp_path / "in", lines)
    ran = run(capfd, "replay", path, "--in-memory", "--json", "--late", late, "--now", NOW)
    assert (ran.summary["accepted"], ran.summary["late"], ran.summary["restated"]) == (3, 0, 1)
    assert ran.err == ""
    (line,) = read(late)
    assert (line["id"], line["reason"], line["cost_nanousd"]) == ("e3", "restated", 1_000_000_000)


def test_wrong_usage_is_told_before_anything_is_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "in", [event(1, START_US)])
    for arguments, told in (
        ((path,), "--in-memory"),
        ((path, "--in-memory", "--now", "2026-01-01"), "--now"),
        ((path, "--in-memory", "--partitions", "0"), "--partitions"),
        ((path, "--in-memory", "--rules", "strict"), "--rules"),
        ((path, "--in-memory", "--facts", path), "is an input"),
        ((path, "--in-memory", "--facts", tmp_path / "x", "--dead", tmp_path / "x"), "same place"),
        ((path, "--in-memory", "--facts", tmp_path / "no" / "x"), "cannot be written"),
    ):
        ran = run(capfd, "replay", *arguments)
        assert ran.code == 2
        assert told in " ".join(ran.err.split())
        assert "Traceback" not in ran.err
    assert path.read_bytes() == event(1, START_US) + b"\n"


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(event(1, START_US) * 100)[:-20])
    for path in (tmp_path / "absent", tmp_path, cut):
        ran = run(capfd, "replay", path, "--in-memory")
        assert ran.code == 1
        assert str(path) in ran.err
        assert ran.err.count("\n") == 1


class _Faulty(CostDomain):
    """Cannot fold one event."""

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        """Fold, unless the event is there."""
        if any(one.id == "e1234" for of_tenant in events.values() for one in of_tenant):
            raise ZeroDivisionError("the fold has a bug")
        return super().fold(pages, events, context)


@pytest.mark.parametrize("partitions", [1, 3])
async def test_a_record_that_no_rule_survives_is_the_only_one_lost(partitions: int) -> None:
    lines = [value for _, value in month()]
    playing = Replay(_Faulty(Prices(), STANDARD), partitions, parse_instant(NOW) // 1000)
    await playing.start()
    await playing.feed(lines)
    ended = await playing.finish(close_all=True)
    assert ended.adds_up
    assert (ended.counts["events"], ended.counts["accepted"], ended.counts["dead"]) == (2400, 2399, 1)
    (dead,) = (json.loads(line) for line in ended.dead)
    assert "the fold has a bug" in dead["reason"]
    assert json.loads(base64.b64decode(dead["value_base64"]))["id"] == "e1234"
