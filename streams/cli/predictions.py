"""``outlay predictions list`` and ``summary``: what may become of a worker's runs. Advice, and nothing more."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.prediction.summary import PredictionSummary, Record

predictions = typer.Typer(
    help="What may become of a worker's runs: advice, nothing acts on it.", no_args_is_help=True, rich_markup_mode=None
)

_LIST_EXAMPLES: Final = """\b
Examples:
  outlay predictions list
  outlay predictions list --tenant acme --type cost_overrun
  outlay predictions list --tenant acme --subject billing-bot --include-expired
  outlay predictions list --as-of 2026-11-21T08:00:00Z --json
"""
_SUMMARY_EXAMPLES: Final = """\b
Examples:
  outlay predictions summary
  outlay predictions summary --tenant acme --include-expired --json
"""


_WIDTH_MIN: Final = 300


class PredictionType(StrEnum):
    """What is predicted."""

    failure_likelihood = "failure_likelihood"
    cost_overrun = "cost_overrun"
    failure_probability = "failure_probability"
    month_end_spend = "month_end_spend"


Tenant = Annotated[str | None, typer.Option("--tenant", metavar="T", help="Of this tenant only.")]
Type = Annotated[PredictionType | None, typer.Option("--type", help="Of this kind only.")]
Expired = Annotated[
    bool, typer.Option("--include-expired", help="Also those that a newer one superseded, or whose time is over.")
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="Those that were valid then, e.g. 2026-11-21T08:00:00Z [default: those that are].",
    ),
]


@predictions.command("list", epilog=_LIST_EXAMPLES)
def list_(
    *,
    tenant: Tenant = None,
    type_: Type = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="S", help="About this worker only.")] = None,
    include_expired: Expired = False,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of a table.")] = False,
) -> None:
    """Show the predictions that are valid as far as the workers have come in event time, the newest first.

    Withdrawn ones are not shown. With --as-of it is the newest of each subject that was made by then and had not
    expired, with --include-expired all that were made by then.
    """
    found = _read(tenant, type_, subject, include_expired=include_expired, as_of=as_of, limit=limit)
    if as_json:
        _print(list(found.records))
    elif not found.records:
        print("There are no such predictions.")
    else:
        _show(found.records)
        if found.total > len(found.records):
            print(f"and {found.total - len(found.records):,} more; --limit shows them")


@predictions.command(epilog=_SUMMARY_EXAMPLES)
def summary(
    *,
    tenant: Tenant = None,
    type_: Type = None,
    include_expired: Expired = False,
    as_of: AsOf = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Count predictions by type, and say how sure they are."""
    from engines.prediction.summary import HIGH_CONFIDENCE

    found = _read(tenant, type_, None, include_expired=include_expired, as_of=as_of, limit=1)
    if as_json:
        told = {
            "total": found.total,
            "by_type": found.by_type,
            "by_subject_type": found.by_subject_type,
            "avg_confidence": found.avg_confidence,
            "high_confidence_count": found.high_confidence_count,
            "advisory_compliance": found.advisory_compliance,
        }
        _print(told)
    elif not found.total:
        print("There are no such predictions.")
    else:
        print(f"{found.total:,} prediction{'s' * (found.total != 1)}, mean confidence {found.avg_confidence}")
        print(f"{found.high_confidence_count:,} of them over {HIGH_CONFIDENCE}; all are advice")
        for name, n in found.by_type.items():
            print(f"  {name}: {n:,}")


def _read(
    tenant: str | None,
    type_: PredictionType | None,
    subject: str | None,
    *,
    include_expired: bool,
    as_of: str | None,
    limit: int,
) -> PredictionSummary:
    from drivers import settings
    from engines.prediction.summary import get_prediction_summary
    from streams.cli import once, readers

    as_of_us = _instant(as_of)
    chosen = settings.load()
    kind = None if type_ is None else type_.value

    async def read() -> PredictionSummary:
        async with readers.of_predictions(chosen) as lent:
            return await once.with_tries(
                lambda: get_prediction_summary(
                    lent, tenant, kind, include_expired, limit, subject_id=subject, as_of_us=as_of_us
                )
            )

    return once.run(read())


def _instant(text: str | None) -> int | None:
    from engines.core.time import parse_instant

    try:
        return None if text is None else parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}", param_hint="--as-of") from error


def _print(told: object) -> None:
    print(json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True))


def _show(records: Sequence[Record]) -> None:
    from streams.cli import wide

    head = ("tenant", "subject", "type", "status", "confidence", "as of", "expires", "says")
    table = wide.table(*head, right={"confidence"})
    for line in records:
        who = (wide.clean(line["tenant_id"]), wide.clean(line["subject_id"]))
        stands = (line["prediction_type"], line["status"], str(line["confidence_score"]))
        times = (wide.second(line["as_of"]), wide.second(line["expires_at"]))
        table.add_row(*map(escape, (*who, *stands, *times, _says(line))))
    wide.console(_WIDTH_MIN).print(table)


def _says(line: Record) -> str:
    from streams.cli import wide

    value = line["prediction_value"]
    if line["prediction_type"] == PredictionType.failure_likelihood:
        return f"{value['recent_failures']} of {value['total_runs']} runs failed in 7 days"
    if line["prediction_type"] == PredictionType.failure_probability:
        return f"{value['probability']:.1%} of its next runs fail"
    if line["prediction_type"] == PredictionType.month_end_spend:
        low, high, limit = (wide.usd(value[f"{name}_nanousd"]) for name in ("low", "high", "limit"))
        return f"{value['month']} ends between {low} and {high}, and over {limit} at {value['exceeds_probability']:.1%}"
    return f"a run costs {value['projected_cost_cents']} cents instead of {value['historical_avg_cents']}"
