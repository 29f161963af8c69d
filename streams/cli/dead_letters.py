"""``outlay dead-letters list``, ``show`` and ``retry``: what was refused, why, and another try."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drivers.settings import Settings
    from engines.core.model import Position, TopicPartition
    from streams.dead_letters import DeadLetter, Wanted
    from streams.letters_again import Outcome

dead_letters = typer.Typer(
    help="Records that were refused, in the topic dead-letters.", no_args_is_help=True, rich_markup_mode=None
)

_REASON_MAX: Final = 90
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LIST_EXAMPLES: Final = """\b
Examples:
  outlay dead-letters list
  outlay dead-letters list --since 2h --field input_tokens
  outlay dead-letters list --json
"""
_SHOW_EXAMPLES: Final = """\b
Examples:
  outlay dead-letters show costs/3/17
  outlay dead-letters show costs/3/17 --json | jq -r .value
"""
_RETRY_EXAMPLES: Final = """\b
Examples:
  outlay dead-letters retry costs/3/17
  outlay dead-letters retry --all --since 2h --reason "is negative" --dry-run
  outlay dead-letters retry --all --json
"""

_Field = Annotated[
    str | None, typer.Option("--field", metavar="NAME", help="Only those that this field is to blame for.")
]
_Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Only those whose reason contains this.")]
_Topic = Annotated[str | None, typer.Option("--topic", metavar="T", help="Only records of this topic.")]
_Since = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="Refused since then: 30m, 2h, 7d or 2026-11-21T08:00:00Z.")
]
_Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@dead_letters.command("list", epilog=_LIST_EXAMPLES)
def list_(
    *,
    field: _Field = None,
    reason: _Reason = None,
    topic: _Topic = None,
    since: _Since = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 50,
    as_json: _Json = False,
) -> None:
    """Show the newest dead letters: where the record lay, when it was refused, what is to blame and why."""
    from drivers import settings
    from streams.cli import once
    from streams.dead_letters import Wanted

    wanted = Wanted(field, reason, topic)
    found = once.run(_newest(settings.load(), wanted, _since_ms(since), limit))
    if as_json:
        print(json.dumps([_row(letter) for letter in found], separators=(",", ":"), sort_keys=True))
    elif not found:
        print("There are no such dead letters." if since or not wanted.everything else "There are no dead letters.")
    else:
        _show_table(found)


@dead_letters.command(epilog=_SHOW_EXAMPLES)
def show(
    place: Annotated[str, typer.Argument(help="Where the record lay: costs/3/17.")], *, as_json: _Json = False
) -> None:
    """Show one dead letter whole: reason with traceback, key, headers, and the value as text if it is any."""
    from drivers import settings
    from engines.core.errors import OutlayError
    from streams.cli import once
    from streams.dead_letters import Wanted

    wanted = Wanted(places=frozenset({_place(place)}))
    found = once.run(_newest(settings.load(), wanted, None, 1))
    if not found:
        raise OutlayError(f"there is no dead letter of {place}: `outlay dead-letters list` shows the newest")
    if as_json:
        print(json.dumps(_whole(found[0]), separators=(",", ":"), sort_keys=True))
    else:
        _show_whole(found[0])


@dead_letters.command(epilog=_RETRY_EXAMPLES)
def retry(
    places: Annotated[list[str] | None, typer.Argument(metavar="PLACE", help="Where records lay: costs/3/17.")] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All of them, or those that the filters leave.")] = False,
    field: _Field = None,
    reason: _Reason = None,
    topic: _Topic = None,
    since: _Since = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")] = False,
    wait: Annotated[float, typer.Option("--wait", min=0, metavar="SECONDS", help="For workers to take it in.")] = 30.0,
    as_json: _Json = False,
) -> None:
    """Send records again as they were, each to its tenant's home partition, and say what became of them.

    A record that counts already is a duplicate by its id, so nothing is counted twice. Of one that died several times
    only one letter is sent. Exit code 1 when some of them are not in the totals afterwards.
    """
    from drivers import settings
    from streams.cli import once
    from streams.dead_letters import Wanted

    if bool(places) == all_:
        raise typer.BadParameter("name places, or say --all")
    if places and (field or reason or topic or since):
        raise typer.BadParameter("filters go with --all")
    chosen = frozenset(map(_place, places)) if places else None
    wanted = Wanted(field, reason, topic, chosen)
    outcomes = once.run(_retry(settings.load(), wanted, _since_ms(since), None if dry_run else wait))
    _show_outcomes(outcomes, as_json=as_json)
    if not dry_run and not all(one.counted for one in outcomes):
        raise typer.Exit(1)


async def _newest(settings: Settings, wanted: Wanted, since_ms: int | None, limit: int) -> list[DeadLetter]:
    """Return the newest *limit* of the wanted letters, the newest first, each record's place once."""
    from streams import app, fates
    from streams.letters_again import chosen

    kept: dict[str, DeadLetter] = {}
    async with app.stored_log(settings, fates.DEAD_LETTERS) as log:
        # A worker that publishes a letter twice does so soon: twice as many are enough.
        newest = 2 * limit if wanted.everything else None
        async for _, letter in chosen(log, wanted, since_ms=since_ms, newest=newest):
            kept[str(letter.place)] = letter
            if len(kept) > 4 * limit:
                kept = {str(one.place): one for one in _latest(kept.values(), limit)}
    return _latest(kept.values(), limit)


def _latest(letters: Iterable[DeadLetter], limit: int) -> list[DeadLetter]:
    return sorted(letters, key=lambda one: (one.at_ms, one.place), reverse=True)[:limit]


async def _retry(settings: Settings, wanted: Wanted, since_ms: int | None, wait_s: float | None) -> list[Outcome]:
    """Send the wanted letters again and return what became of them; *wait_s* None: only say where they would go."""
    from engines.core.errors import OutlayError
    from streams import app, fates
    from streams.cli import once
    from streams.letters_again import Around, again, one_of_each, planned

    async with (
        app.stored_log(settings, fates.DEAD_LETTERS) as dead,
        app.stored_log(settings, fates.LATE_RECORDS) as late,
        app.resender(settings) as resender,
        app.position_tables(settings) as tables,
    ):

        async def positions() -> Mapping[TopicPartition, Position]:
            several = [(await once.with_tries(table.read))[0] for table in tables]
            return {one.position.tp: one.position for held in several for one in held}

        found = await one_of_each(dead, wanted, since_ms)
        lacking = len(wanted.places or ()) - len(found)
        if wanted.places is not None and lacking:
            raise OutlayError(f"{lacking} of these places have no dead letter; nothing was sent")
        around = Around(dead, late, resender, positions)
        at = list(found.values())
        return await (planned(around, at) if wait_s is None else again(around, at, wait_s))


def _place(text: str) -> str:
    from streams.dead_letters import Place

    try:
        return str(Place.parse(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _since_ms(text: str | None) -> int | None:
    from engines.core.time import parse_instant

    if text is None:
        return None
    if short := re.fullmatch(r"([0-9]{1,9})([smhd])", text):
        return int((time.time() - int(short[1]) * _UNIT_S[short[2]]) * 1000)
    try:
        return parse_instant(text if "T" in text else f"{text}T00:00:00Z") // 1000
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is neither such as 2h nor such as 2026-11-21T08:00:00Z", param_hint="--since"
        ) from error


def _row(letter: DeadLetter) -> dict[str, object]:
    from engines.core.time import format_instant

    return {
        "place": str(letter.place),
        "refused_at": format_instant(letter.at_ms // 1000 * 1_000_000),
        "field": letter.field,
        "reason": letter.summary,
        "bytes": len(letter.value or b""),
        "origin": letter.origin,
    }


def _whole(letter: DeadLetter) -> dict[str, object]:
    def encoded(data: bytes | None) -> str | None:
        return None if data is None else base64.b64encode(data).decode()

    return _row(letter) | {
        "reason": letter.reason,
        "key": encoded(letter.key),
        "headers": [[name, encoded(value)] for name, value in letter.headers],
        "value_base64": encoded(letter.value),
        "value": None if letter.value is None else _text(letter.value),
    }


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _readable(data: bytes | None) -> str:
    """Return *data* for a terminal: as text without anything that could steer it, or else in base64."""
    if data is None:
        return "(none)"
    text = _text(data)
    return f"base64 {base64.b64encode(data).decode()}" if text is None else _plain(text)


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)


def _show_table(found: Sequence[DeadLetter]) -> None:
    from streams.cli import wide

    table = wide.table("place", "refused at", "field", "bytes", "reason", right={"bytes"})
    for letter in found:
        row = _row(letter)
        reason = wide.clean(letter.summary, _REASON_MAX)
        again = "" if letter.origin == str(letter.place) else f" (sent again, first at {wide.clean(letter.origin)})"
        cells = (str(row["place"]), str(row["refused_at"]), letter.field or "-", str(row["bytes"]), reason + again)
        table.add_row(*map(escape, cells))
    wide.console().print(table)


def _show_whole(letter: DeadLetter) -> None:
    row = _row(letter)
    print(f"place       {row['place']}")
    if row["origin"] != row["place"]:
        print(f"first at    {_plain(letter.origin)}")
    print(f"refused at  {row['refused_at']}")
    print(f"field       {letter.field or '-'}")
    print(f"reason      {_plain(letter.reason)}")
    print(f"key         {_readable(letter.key)}")
    for name, value in letter.headers:
        print(f"header      {_plain(name)}: {_readable(value)}")
    print(f"value       {row['bytes']} bytes")
    print(_readable(letter.value))


def _show_outcomes(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    if as_json:
        rows = [{"place": one.letter, "sent_to": _maybe(one), "fate": one.fate} for one in outcomes]
        print(json.dumps(rows, separators=(",", ":"), sort_keys=True))
        return
    if not outcomes:
        print("There are no such dead letters.")
        return
    from streams.cli import wide

    table = wide.table("place", "sent to", "what became of it")
    for one in outcomes:
        table.add_row(*map(escape, (one.letter, _maybe(one) or "-", wide.clean(one.fate, _REASON_MAX))))
    wide.console().print(table)


def _maybe(one: Outcome) -> str | None:
    return None if one.sent_to is None else str(one.sent_to)
