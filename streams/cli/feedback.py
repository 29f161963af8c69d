"""``outlay feedback list``, ``acknowledge`` and ``summary``: errors that recur in runs, and runs that cost too much."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.settings import Settings
    from engines.patterns.feedback import FeedbackSummary, Record
    from engines.runs.setting_lines import AcknowledgementLine

feedback = typer.Typer(
    help="Errors that recur in runs, and runs that cost too much.", no_args_is_help=True, rich_markup_mode=None
)

_LIST: Final = "outlay feedback list"
_LIST_EXAMPLES: Final = """\b
Examples:
  outlay feedback list
  outlay feedback list --tenant acme --status active --unacknowledged
  outlay feedback list --type failure_pattern --merge-similar
  outlay feedback list --tenant acme --type cost_spike --limit 500 --json
"""
_ACKNOWLEDGE_EXAMPLES: Final = """\b
Examples:
  outlay feedback acknowledge pf_0123456789abcdef
  outlay feedback acknowledge pf_0123456789abcdef --by ana --note "rolled back, see the release notes"
"""
_SUMMARY_EXAMPLES: Final = """\b
Examples:
  outlay feedback summary --tenant acme
  outlay feedback summary --tenant acme --json
"""
_SAYS_MAX: Final = 180
_NAME_MAX: Final = 256
_WIDTH_MIN: Final = 400


class PatternType(StrEnum):
    """What feedback is about."""

    failure_pattern = "failure_pattern"
    cost_spike = "cost_spike"


class Status(StrEnum):
    """How feedback stands."""

    active = "active"
    cleared = "cleared"
    provisional = "provisional"
    final = "final"


@feedback.command("list", epilog=_LIST_EXAMPLES)
def list_(
    *,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="T", help="Show this tenant's only.")] = None,
    type_: Annotated[PatternType | None, typer.Option("--type", help="Show this only.")] = None,
    status: Annotated[
        Status | None,
        typer.Option("--status", help="Patterns are active or cleared, spikes provisional or final."),
    ] = None,
    acknowledged: Annotated[
        bool | None,
        typer.Option("--acknowledged/--unacknowledged", help="Show what somebody has acknowledged, or nobody has."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 50,
    merge_similar: Annotated[
        bool, typer.Option("--merge-similar", help="Show failure patterns with much the same template as one.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of a table.")] = False,
) -> None:
    """Show failure patterns and cost spikes as they stand, the newest first.

    An acknowledgement is shown as soon as it was given, and until the pattern becomes active anew. To merge what is
    similar is a view: nothing is stored or counted by it.
    """
    from drivers import settings
    from engines.patterns.feedback import similar
    from streams.cli import once

    if merge_similar and type_ is PatternType.cost_spike:
        raise typer.BadParameter("spikes have no template", param_hint="--merge-similar")
    asked = PatternType.failure_pattern if merge_similar else type_
    found = once.run(_summary(settings.load(), tenant, acknowledged, limit, _value(asked), _value(status)))
    groups = similar(found.records) if merge_similar else None
    if as_json:
        _print([group._asdict() for group in groups] if groups is not None else list(found.records))
    elif not found.records:
        print("There is no such feedback." if tenant or type_ or status or acknowledged is not None else _NONE)
    elif groups is not None:
        _show_similar([group._asdict() for group in groups])
    else:
        _show(found.records)
        if found.total > len(found.records):
            print(f"and {found.total - len(found.records):,} more; --limit shows them")


@feedback.command(epilog=_ACKNOWLEDGE_EXAMPLES)
def acknowledge(
    feedback_id: Annotated[str, typer.Argument(metavar="ID", help="Which: pf_ and 16 hex digits.")],
    *,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who does [default: who is logged in here].")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why, in a few words.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The row that was written as one JSON object.")] = False,
) -> None:
    """Say that somebody has seen a pattern: it is no longer proposed to be acted on until it becomes active anew.

    What is not active, or acknowledged already, is refused.
    """
    from drivers import settings
    from streams.cli import once

    line = once.run(_acknowledged(settings.load(), feedback_id, _logged_in() if by is None else by, note))
    if as_json:
        _print(line.model_dump())
    else:
        from streams.cli import wide

        tenant, who = (wide.clean(name, _NAME_MAX) for name in (line.tenant_id, line.acknowledged_by))
        print(f"{line.feedback_id} of {tenant}: acknowledged by {who}, as of {line.as_of}")


@feedback.command(epilog=_SUMMARY_EXAMPLES)
def summary(
    *,
    tenant: Annotated[str, typer.Option("--tenant", metavar="T", help="Whose.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Count a tenant's feedback by type, and what of it nobody has acknowledged."""
    from drivers import settings
    from streams.cli import once

    chosen = settings.load()
    found = once.run(_summary(chosen, tenant, None, 1))
    unseen = once.run(_summary(chosen, tenant, False, 1))
    if as_json:
        told = {"tenant_id": tenant, "total": found.total, "by_type": found.by_type, "unacknowledged": unseen.by_type}
        _print(told)
    elif not found.total:
        print(f"There is no feedback on runs of {tenant}.")
    else:
        from streams.cli import wide

        table = wide.table("type", "all", "not acknowledged", right={"all", "not acknowledged"})
        for name, n in found.by_type.items():
            table.add_row(name, f"{n:,}", f"{unseen.by_type.get(name, 0):,}")
        wide.console().print(table)


async def _summary(
    settings: Settings,
    tenant: str | None,
    acknowledged: bool | None,
    limit: int,
    pattern_type: str | None = None,
    status: str | None = None,
) -> FeedbackSummary:
    from engines.patterns.feedback import get_feedback_summary
    from streams.cli import once, readers

    async with readers.of_feedback(settings) as lent:
        return await once.with_tries(
            lambda: get_feedback_summary(lent, tenant, acknowledged, limit, pattern_type=pattern_type, status=status)
        )


async def _acknowledged(settings: Settings, feedback_id: str, by: str, note: str | None) -> AcknowledgementLine:
    """Append the row where the tenant's runs live, and return it."""
    from drivers.postgres.settings_writer import SettingsTable
    from engines.core.errors import OutlayError, SettingsError, Transient
    from engines.patterns.feedback import refusal
    from engines.runs.setting_lines import acknowledgement
    from streams.chosen import postgres_limits
    from streams.cli import once, settings_shared, wide

    number, found = await once.with_tries(lambda: _find(settings, feedback_id))
    problem = refusal(found)
    if problem is not None:
        raise SettingsError(f"{feedback_id} {wide.clean(problem, 2 * _NAME_MAX)}")
    at_us = settings_shared.now_us()
    line = acknowledgement(found["tenant_id"], feedback_id, found["as_of"], at_us=at_us, by=by, note=note)
    table = SettingsTable(settings.databases[number], postgres_limits(settings))
    try:
        await table.append([line.setting()], now_us=at_us)
    except Transient as error:  # not tried again: a row that did get there would be appended twice
        raise OutlayError(f"{error}; whether it was written, `{_LIST}` shows") from error
    finally:
        await table.close()
    return line


async def _find(settings: Settings, feedback_id: str) -> tuple[int, Record]:
    """Return the newest line of *feedback_id*, and the number of the database that holds it."""
    from engines.core.errors import SettingsError
    from streams.cli import readers

    async with readers.of_feedback(settings) as lent:
        for number, reader in enumerate(lent):
            found = await reader.find(feedback_id)
            if found is not None and found.partition % len(lent) == number:
                return number, found.line
    raise SettingsError(f"there is no feedback {feedback_id}: `{_LIST}` shows what there is")


def _logged_in() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError) as error:
        raise typer.BadParameter("nobody is logged in here: say who", param_hint="--by") from error


def _value(chosen: StrEnum | None) -> str | None:
    return None if chosen is None else chosen.value


def _print(told: object) -> None:
    print(json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True))


_NONE: Final = "There is no feedback yet: it comes of the events on the topic runs."


def _show(records: Sequence[Record]) -> None:
    from streams.cli import wide

    head = ("feedback", "tenant", "type", "status", "since", "as of", "acknowledged by", "says")
    table = wide.table(*head)
    for line in records:
        kind = (line["pattern_type"], line["status"], wide.second(line["active_since"]), wide.second(line["as_of"]))
        by = wide.clean(line["acknowledged_by"]) if line["acknowledged"] else "-"
        says = wide.clean(line["description"], _SAYS_MAX)
        table.add_row(*map(escape, (line["feedback_id"], wide.clean(line["tenant_id"]), *kind, by, says)))
    wide.console(_WIDTH_MIN).print(table)


def _show_similar(groups: Sequence[dict[str, Any]]) -> None:
    from streams.cli import wide

    table = wide.table(
        "tenant", "patterns", "runs", "active", "as of", "one of their templates", right={"patterns", "runs"}
    )
    for one in groups:
        numbers = (
            f"{len(one['feedback_ids']):,}",
            f"{one['occurrence_count']:,}",
            "yes" if one["active"] else "no",
            wide.second(one["as_of"]),
        )
        template = wide.clean(one["templates"][0], _SAYS_MAX)
        table.add_row(*map(escape, (wide.clean(one["tenant_id"]), *numbers, template)))
    wide.console(_WIDTH_MIN).print(table)
