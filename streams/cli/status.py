"""``outlay status``: where each partition stands, and whether every record came to one end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from drivers.postgres.operator import Held
    from drivers.settings import Settings
    from engines.core.model import Position, TopicPartition

_ASK_BROKER_S: Final = 5.0
EXAMPLES: Final = """\b
Examples:
  outlay status
  outlay status --json | jq .partitions[].lag
"""
_COLUMNS: Final = ("accepted", "duplicates", "dead", "late", "forwarded")


def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False
) -> None:
    """Show each partition's position, lag, watermark, closed days and the ends its records came to.

    Exit code 1 when some partition's accepted + duplicates + dead + late + forwarded differ from its events.
    """
    from drivers import settings
    from streams.cli import once

    report = once.run(_report(settings.load()))
    if as_json:
        print(json.dumps(report, separators=(",", ":"), sort_keys=True))
    else:
        show(report)
    if not report["adds_up"]:
        raise typer.Exit(1)


async def _report(settings: Settings) -> dict[str, object]:
    from engines.core.errors import Transient
    from streams import app
    from streams.cli import once

    held: list[Held] = []
    async with app.position_tables(settings) as tables:
        for table in tables:
            held += (await once.with_tries(table.read))[0]
    held.sort(key=lambda one: one.position.tp)
    ends: dict[TopicPartition, int] = {}
    if held:
        try:
            async with app.log_bounds(settings, timeout_s=_ASK_BROKER_S) as bounds:
                ends = await bounds.ends([one.position.tp for one in held])
        except Transient as error:
            print(f"outlay: lag is not known: {error}", file=sys.stderr)
    return summed_up(held, ends)


def summed_up(held: Sequence[Held], ends: Mapping[TopicPartition, int]) -> dict[str, object]:
    """Return the whole status as JSON has it.

    Args:
        held: positions and what they have not published.
        ends: where logs end, of those partitions for which that is known.
    """
    from drivers import topics

    periods = {topic.name: topic.period_us for topic in topics.load().topics}
    partitions = [
        _line(one.position, sum(one.unpublished.values()), ends.get(one.position.tp), periods.get(one.position.topic))
        for one in held
    ]
    return {
        "partitions": partitions,
        "published": _published(held),
        "adds_up": all(line["adds_up"] for line in partitions),
    }


def _line(position: Position, waiting: int, end: int | None, period_us: int | None) -> dict[str, object]:
    from engines.core.time import format_instant
    from streams import fates

    counts = position.counts
    events = counts.get(fates.EVENTS, 0)
    return {
        "topic": position.topic,
        "partition": position.partition,
        "position": position.next_offset,
        "log_end": end,
        "lag": None if end is None else end - position.next_offset,
        "watermark": None if position.watermark_us is None else format_instant(position.watermark_us),
        "closed_through": closed(position.closed_through, period_us),
        "events": events,
        **{fate: counts.get(fate, 0) for fate in fates.FATES},
        "conflicting": counts.get(fates.CONFLICTING, 0),
        "restated": counts.get(fates.RESTATED, 0),
        "unpriced": under("unpriced.", counts),
        "unpublished": waiting,
        "adds_up": sum(counts.get(fate, 0) for fate in fates.FATES) == events,
    }


def closed(closed_through: int | None, period_us: int | None) -> str | None:
    """Return the last closed day; of a topic whose windows are shorter, the instant through which all is closed."""
    from engines.core.time import US_PER_DAY, format_day, format_instant

    if closed_through is None or period_us is None:
        return None
    if period_us == US_PER_DAY:
        return format_day(closed_through)[:10]
    return format_instant((closed_through + 1) * period_us)


def _minute(closed_through: str) -> str:
    """Return what `closed` says, an instant without its seconds: windows close on whole minutes."""
    return f"{closed_through.removesuffix(':00Z')}Z" if closed_through.endswith(":00Z") else closed_through


def _published(held: Iterable[Held]) -> dict[str, int]:
    """Return how many messages each output topic has got: those written and acknowledged."""
    from streams import fates

    published: dict[str, int] = {}
    for one in held:
        for topic, n in under(fates.SENT, one.position.counts).items():
            published[topic] = published.get(topic, 0) + n - one.unpublished.get(topic, 0)
    return dict(sorted(published.items()))


def under(prefix: str, counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counters whose names begin with *prefix*, by the rest of their names."""
    return {name.removeprefix(prefix): n for name, n in sorted(counts.items()) if name.startswith(prefix)}


def show(report: dict[str, object]) -> None:
    """Print the whole status, as `summed_up` has it, for people."""
    from streams.cli import wide

    console = wide.console()
    lines = report["partitions"]
    published = report["published"]
    assert isinstance(lines, list)  # noqa: S101 built above
    assert isinstance(published, dict)  # noqa: S101 built above
    if not lines:
        console.print("No partition has been claimed yet: start `outlay worker`.")
        return
    head = ("partition", "position", "lag", "watermark", "closed through", "events", *_COLUMNS)
    table = wide.table(*head, right=("position", "lag", "events", *_COLUMNS))
    for line in lines:
        table.add_row(
            f"{line['topic']}/{line['partition']}",
            str(line["position"]),
            "?" if line["lag"] is None else str(line["lag"]),
            wide.second(line["watermark"]) if line["watermark"] else "-",
            _minute(line["closed_through"] or "-"),
            *(f"{line[name]}" for name in ("events", *_COLUMNS)),
        )
    totals = [str(sum(line[name] for line in lines)) for name in ("events", *_COLUMNS)]
    lags = [line["lag"] for line in lines]
    table.add_row("all", "", "?" if None in lags else str(sum(lags)), "", "", *totals)
    console.print(table)
    for topic, n in published.items():
        console.print(f"published to {topic}: {n}", highlight=False)
    waiting = sum(line["unpublished"] for line in lines)
    if waiting:
        console.print(f"not published yet: {waiting}", highlight=False)
    wrong = [f"{line['topic']}/{line['partition']}" for line in lines if not line["adds_up"]]
    if wrong:
        console.print(f"THE COUNTS DO NOT ADD UP on {', '.join(wrong)}: this is a bug", style="bold red")
    else:
        console.print("accepted + duplicates + dead + late + forwarded = events, on every partition", highlight=False)
