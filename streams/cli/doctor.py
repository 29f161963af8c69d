"""``outlay doctor``: broker and database against what the guarantees assume."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drivers.postgres.facts import DatabaseFacts
    from drivers.postgres.operator import Held as HeldRow
    from drivers.settings import Settings
    from drivers.topics import Topic
    from engines.core.model import LogBounds, TopicPartition
    from streams.doctor import Finding, Held, Needs

_BESIDE_THE_POOL: Final = 3
"""Connections for news of settings, for health and for retention."""
EXAMPLES: Final = """\b
Examples:
  outlay doctor
  outlay doctor --restore-days 14
  outlay doctor --json | jq .ok
"""
_STYLES: Final = {"OK": "green", "WARN": "yellow", "FAIL": "bold red"}


def doctor(
    *,
    restore_days: Annotated[
        int, typer.Option("--restore-days", min=1, help="How old a backup may be that you would restore.")
    ] = 7,
    watch: Annotated[
        float, typer.Option("--watch", min=0, metavar="SECONDS", help="How long to look whether partitions move.")
    ] = 3.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Check broker and databases against what the guarantees assume, and say what to do. Changes nothing.

    A line is OK, WARN (holds now, not in every case that can be foreseen) or FAIL (a promise does not hold, or workers
    refuse to start). Exit code 1 when one is FAIL.
    """
    from drivers import settings
    from streams.cli import once
    from streams.doctor import Level, Needs

    chosen = settings.load()
    chosen.databases  # noqa: B018 -- says so when there is none
    needs = Needs(restore_days, chosen.idle_margin_s, chosen.database_pool + _BESIDE_THE_POOL)
    findings = once.run(_examined(chosen, needs, watch))
    failed = any(one.level is Level.FAIL for one in findings)
    if as_json:
        lines = [{"level": one.level, "check": one.check, "says": one.says, "do": one.do or None} for one in findings]
        print(json.dumps({"ok": not failed, "checks": lines}, separators=(",", ":"), sort_keys=True))
    else:
        _show(findings)
    if failed:
        raise typer.Exit(1)


def _show(findings: Sequence[Finding]) -> None:
    from streams.cli import wide

    table = wide.table("", "check", "finding")
    for one in findings:
        what = escape(one.says) + (f"\n[dim]→ {escape(one.do)}[/dim]" if one.do else "")
        table.add_row(f"[{_STYLES[one.level]}]{one.level}[/]", escape(one.check), what)
    wide.print_folded(table)


async def _examined(settings: Settings, needs: Needs, watch_s: float) -> list[Finding]:
    """Return everything that is found, in the order in which it matters."""
    facts = await _databases(settings)
    findings = _of_databases(facts, needs)
    usable = all(not isinstance(one, str) and one.schema_problem is None and not one.rights_lacking for one in facts)
    return findings + await _broker(settings, needs, watch_s if usable else None)


async def _databases(settings: Settings) -> list[DatabaseFacts | str]:
    """Return the facts of each database, or why there are none."""
    from engines.core.errors import OutlayError
    from streams import app

    async def read(number: int) -> DatabaseFacts | str:
        try:
            return await app.database_facts(settings, number)
        except OutlayError as error:
            return str(error)

    return [await read(number) for number in range(len(settings.databases))]


def _of_databases(facts: Sequence[DatabaseFacts | str], needs: Needs) -> list[Finding]:
    from streams import doctor as judge

    findings: list[Finding] = []
    for number, one in enumerate(facts):
        if isinstance(one, str):
            do = "is it running? are address, login and TLS in OUTLAY_DATABASE_URL right?"
            findings.append(judge.Finding(judge.Level.FAIL, f"database {number}", one, do))
        else:
            findings += judge.database(number, one, needs)
    return findings


async def _broker(settings: Settings, needs: Needs, watch_s: float | None) -> list[Finding]:
    """Return what is found on the broker; *watch_s* None: no database tells of positions."""
    from drivers import topics
    from engines.core.errors import OutlayError
    from streams import app
    from streams import doctor as judge

    listed = topics.load().topics
    findings: list[Finding] = []
    try:
        states = await app.topic_states(settings, [one.name for one in listed])
        findings += [one for topic in listed for one in judge.topic(topic, states.get(topic.name), needs)]
        findings += judge.copies(states)
        there = [topic for topic in listed if topic.writes and topic.name in states]
        for topic in there:
            findings += await _reach(settings, topic, needs)
        if watch_s is not None and there:
            findings += await _positions(settings, {one.name: states[one.name].partitions for one in there}, watch_s)
    except OutlayError as error:  # what was found before still holds
        do = "is it running? are OUTLAY_KAFKA_BOOTSTRAP_SERVERS, TLS, SASL and our rights right?"
        findings.append(judge.Finding(judge.Level.FAIL, "broker", str(error), do))
    return findings


async def _reach(settings: Settings, topic: Topic, needs: Needs) -> list[Finding]:
    """Return how far the logs of *topic* reach back, and whether its newest record is of the future."""
    from engines.core.model import TopicPartition
    from streams import app
    from streams import doctor as judge

    newest_ms: int | None = None
    async with app.stored_log(settings, topic.name) as log:
        oldest = {TopicPartition(topic.name, number): at_ms for number, at_ms in (await log.oldest_ms()).items()}
        starts = {TopicPartition(topic.name, number): start for number, start in (await log.starts()).items()}
        async for records in log.records(newest=1):
            newest_ms = max(*(one.timestamp for one in records), newest_ms or 0, 0)
    now_ms = time.time_ns() // 1_000_000
    found = (*judge.reach(oldest, starts, now_ms, needs), *judge.broker_clock(newest_ms, now_ms, needs))
    return [replace(one, check=f"topic {topic.name}: {one.check}") for one in found]


async def _positions(settings: Settings, partitions: Mapping[str, int], watch_s: float) -> list[Finding]:
    """Return whether positions and logs fit, and whether partitions that are behind move."""
    from engines.core.model import TopicPartition
    from streams import app
    from streams import doctor as judge

    tps = [TopicPartition(topic, number) for topic, n in partitions.items() for number in range(n)]
    async with app.position_tables(settings) as tables, app.log_bounds(settings) as reader:
        before = [await table.read() for table in tables]
        bounds: dict[TopicPartition, LogBounds] = {tp: await reader.bounds(tp) for tp in tps}
        pins = {pin.topic: pin.partitions for _, several in before for pin in several}
        await asyncio.sleep(watch_s)
        now = [(await table.read())[0] for table in tables]
    held = _paired([rows for rows, _ in before], now)
    found: list[Any] = [judge.placed(held, len(tables)), judge.logs(bounds, held, pins)]
    return [one for several in (*found, judge.progress(bounds, held, watch_s)) for one in several]


def _paired(before: Sequence[Sequence[HeldRow]], now: Sequence[Sequence[HeldRow]]) -> list[Held]:
    """Return the positions that were there at both looks, in the order of partitions."""
    from streams.doctor import Held

    held = []
    for number, (earlier, later) in enumerate(zip(before, now, strict=True)):
        first = {row.position.tp: row.position for row in earlier}
        held += [Held(first[one.position.tp], one.position, number) for one in later if one.position.tp in first]
    return sorted(held, key=lambda one: one.now.tp)
