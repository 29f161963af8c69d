"""How ``outlay top`` looks: a screen of its own on a terminal, plain tables elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from streams.cli import wide
from streams.cli.fitted import Fitted
from streams.cli.top import freshness

if TYPE_CHECKING:
    from drivers.postgres.overview import Anomaly, BudgetUsage, Spend
    from streams.cli.top import Sight

_NOTHING: Final = "No data yet: start `outlay worker` and publish records."
_BAR: Final = ""
"""The head of the column that draws a budget's usage."""
_BAR_LENGTH: Final = 20
_FULL_PCT: Final = 100
_HIGH_PCT: Final = 40
_LINES_MIN: Final = 3
_LINES_AROUND: Final = 3
"""Lines of a section that are no lines of its table: a blank one, its title and its head."""
_SECTION_MIN: Final = _LINES_MIN + _LINES_AROUND
_COLOURS: Final = {
    "critical": "bold red",
    "high": "bold red",
    "medium": "yellow",
    "exceeded": "bold red",
    "warning": "yellow",
}
_NUMBERS: Final = ("spent", "baseline", "deviation", "requests", "unpriced", "expected", "used", "limit", "usage")


class Screen:
    """A terminal taken over while the block runs."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._sight: Sight | None = None

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, traceback)

    def show(self, sight: Sight) -> None:
        """Show *sight*."""
        self._sight = sight
        self._live.update(rendered(sight, self._console.height), refresh=True)

    def away(self, why: str) -> None:
        """Say that this is no longer how things stand, above what was last seen."""
        said = Text(f"{wide.clean(why, len(why))}; trying again", "bold red", no_wrap=True)
        last = [] if self._sight is None else [rendered(self._sight, self._console.height - 1)]
        self._live.update(Group(said, *last), refresh=True)


def show(sight: Sight) -> None:
    """Print *sight* on standard output."""
    wide.console().print(rendered(sight))


def rendered(sight: Sight, height: int | None = None) -> RenderableType:
    """Return *sight* as it is shown, cut to *height* lines when that is given."""
    overview = sight.overview
    if overview is None:
        return Text(_NOTHING)
    kinds = list(dict.fromkeys(one.entity_type for one in overview.spend))
    head = [_head(sight), _freshness(freshness(overview.reach, sight.now_ms))]
    if height is not None and len(kinds) > (room := max(1, (height - len(head)) // _SECTION_MIN - 2)):
        left_out = ", ".join(kinds[room:])  # rather than anomalies and budgets, which come last
        head.append(Text(f"no room for {left_out}: --by {kinds[room]}, or a higher terminal", "yellow"))
        kinds = kinds[:room]
    sections: list[tuple[str, Sequence[Any], Callable[[Sequence[Any]], Fitted]]] = [
        (f"spend by {kind}", [one for one in overview.spend if one.entity_type == kind], partial(_spend_table, kind))
        for kind in kinds
    ]
    sections.append(("open anomalies, newest first", overview.anomalies, _anomaly_table))
    sections.append(("budgets", overview.budgets, _budget_table))
    if sight.tenant_id is not None and not overview.tenants:
        nobody = (
            f"No record of tenant {wide.clean(sight.tenant_id)} on this day: `outlay top --once` shows whose there are"
        )
        head.append(Text(nobody, "yellow"))
    lines = None if height is None else max((height - len(head)) // len(sections) - _LINES_AROUND, _LINES_MIN)
    shown: list[RenderableType] = [*head]
    for title, rows, table in sections:
        shown += [Text(f"\n{title}", "bold"), table(rows[:lines]) if rows else Text("none")]
    return Group(*shown)


def _head(sight: Sight) -> Text:
    overview = sight.overview
    assert overview is not None  # noqa: S101 asked for by the caller
    status = "complete" if {one.status for one in overview.spend} == {"complete"} else "so far"
    unpriced = f", {overview.unpriced_requests:,} without a price" if overview.unpriced_requests else ""
    return Text(
        f"{sight.day} UTC {status}: {wide.usd(overview.cost_nanousd)} in {overview.requests:,}"
        f" request{'' if overview.requests == 1 else 's'}{unpriced},"
        f" {overview.tenants:,} tenant{'' if overview.tenants == 1 else 's'}",
        "bold",
        no_wrap=True,
        overflow="ellipsis",
    )


def _freshness(fresh: dict[str, Any]) -> Text:
    if fresh["watermark"] is None:
        return Text("no record has been counted yet")
    said = [f"event time {fresh['watermark']}, {_age(fresh['behind_s'])} behind the clock"]
    if fresh["watermark_slowest"] != fresh["watermark"]:
        said.append(f"slowest partition {fresh['watermark_slowest']}")
    if fresh["last_append_s"] is not None:
        said.append(f"last record {_age(fresh['last_append_s'])} ago")
    if fresh["unshown"]:
        said.append(f"up to {fresh['unshown']:,} records not shown yet")
    return Text("; ".join(said), "dim", no_wrap=True, overflow="ellipsis")


def _spend_table(kind: str, rows: Sequence[Spend]) -> Fitted:
    names = (kind,) if kind == "tenant" else ("tenant", kind)
    head = (*names, "spent", "baseline", "deviation", "requests", "unpriced")
    filled = [(_spend_cells(one), _by_deviation(one)) for one in rows]
    return Fitted(head, filled, names, ("unpriced", "requests"), _NUMBERS)


def _anomaly_table(rows: Sequence[Anomaly]) -> Fitted:
    head = ("day", "severity", "anomaly", "tenant", "who", "spent", "expected", "deviation", "cause", "status")
    filled = [(_anomaly_cells(one), _COLOURS.get(one.severity.lower(), "")) for one in rows]
    return Fitted(head, filled, ("anomaly", "tenant", "who"), ("status", "cause", "deviation"), _NUMBERS)


def _budget_table(rows: Sequence[BudgetUsage]) -> Fitted:
    head = ("tenant", "budget", "period", "used", "limit", "usage", _BAR, "level")
    filled = [(_budget_cells(one), _COLOURS.get(one.level, "")) for one in rows]
    return Fitted(head, filled, ("tenant", "budget"), (_BAR,), _NUMBERS)


def _spend_cells(one: Spend) -> tuple[str, ...]:
    names = (one.tenant_id,) if one.entity_type == "tenant" else (one.tenant_id, one.entity_id)
    deviation = "-" if one.deviation_pct is None else f"{one.deviation_pct:+,.0f} %"
    numbers = (wide.usd(one.cost_nanousd), wide.usd(one.baseline_nanousd), deviation)
    return (*(wide.clean(name) for name in names), *numbers, f"{one.requests:,}", f"{one.unpriced_requests:,}")


def _by_deviation(one: Spend) -> str:
    if one.deviation_pct is None or one.deviation_pct < _HIGH_PCT:
        return ""
    return "bold red" if one.deviation_pct >= _FULL_PCT else "yellow"


def _anomaly_cells(one: Anomaly) -> tuple[str, ...]:
    is_month = one.period == "monthly"
    return (
        f"{one.first_day:%Y-%m}" if is_month else f"{one.first_day}",
        one.severity,
        one.anomaly_type,
        wide.clean(one.tenant_id),
        f"{one.entity_type} {wide.clean(one.entity_id)}",
        wide.usd(one.current_nanousd),
        wide.usd(one.expected_nanousd),
        f"{one.deviation_pct:,.0f} %",
        one.derived_cause,
        one.status,
    )


def _budget_cells(one: BudgetUsage) -> tuple[str, ...]:
    filled = min(int(one.usage_pct) * _BAR_LENGTH // _FULL_PCT, _BAR_LENGTH)
    whose = one.budget_type if one.budget_type == "tenant" else f"{one.budget_type} {wide.clean(one.entity_id)}"
    return (
        wide.clean(one.tenant_id),
        whose,
        one.period,
        wide.usd(one.used_nanousd),
        wide.usd(one.limit_nanousd),
        f"{one.usage_pct:,.1f} %",
        "█" * filled + "·" * (_BAR_LENGTH - filled),
        one.level,
    )


def _age(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
