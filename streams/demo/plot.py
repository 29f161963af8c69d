"""``outlay demo --plot FILE``: each tenant's spend by day, its baseline, and the facts on it, as a picture.

matplotlib is the optional extra ``plot``; it is loaded here and nowhere else.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engines.core.errors import OutlayError, SettingsError
from engines.core.money import NANOUSD_PER_USD
from streams.demo.board import Fact
from streams.demo.verdict import Days
from streams.demo.words import why

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS: Final = (".png", ".svg", ".pdf")
_TENANTS_MAX: Final = 10
_BASELINE_DAYS: Final = 7
_COLUMNS: Final = 2
_PANEL_INCHES: Final = (9.0, 3.2)
_EPOCH: Final = date(1970, 1, 1)


def refuse_plot(path: Path) -> None:
    """Raise an OutlayError when no picture could be written to *path*: found out now, not after the demo."""
    if path.suffix.lower() not in FORMATS:
        raise SettingsError(f"{path}: a picture's name ends with {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise SettingsError(f"{path}: cannot be written")
    try:
        found = importlib.util.find_spec("matplotlib") is not None
    except ValueError:  # it is there by name only
        found = False
    if not found:
        raise OutlayError("--plot needs matplotlib, the extra plot: pip install 'outlay[plot]'")


def plot(path: Path, days: Days, facts: Iterable[Fact]) -> None:
    """Draw the dearest tenants' *days*, with the *facts* on them, into the file *path*.

    Raises:
        OutlayError: the file cannot be written.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow to load

    told = [fact for fact in facts if fact.status != "withdrawn"]
    tenants = dearest(days)
    rows = max(-(-len(tenants) // _COLUMNS), 1)
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(_COLUMNS * width, rows * height), layout="constrained")
    panels: list[Axes] = list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)
    for panel, tenant in zip(panels, tenants, strict=False):
        _draw(panel, tenant, days, [fact for fact in told if fact.tenant_id == tenant])
    for panel in panels[len(tenants) :]:
        panel.set_axis_off()
    try:
        figure.savefig(path)
    except OSError as error:
        raise OutlayError(f"{path}: {error.strerror}") from error


def dearest(days: Days) -> list[str]:
    """Return the tenants that spent most, the dearest first."""
    spent: dict[str, int] = {}
    for (tenant, _), totals in days.items():
        spent[tenant] = spent.get(tenant, 0) + totals.cost_nanousd
    return sorted(spent, key=lambda tenant: (-spent[tenant], tenant))[:_TENANTS_MAX]


def baseline(costs: dict[int, int], day: int) -> int | None:
    """Return the mean of the active days of the week before *day*, as snapshots have it (CONTRACT §5)."""
    active = [costs[before] for before in range(day - _BASELINE_DAYS, day) if costs.get(before)]
    return sum(active) // len(active) if active else None


def labels(facts: Iterable[Fact]) -> list[tuple[int, str]]:
    """Return what is written at which day; of a run of days at its last one only."""
    last: dict[tuple[str, str, str, int], tuple[int, str]] = {}
    for fact in sorted(facts, key=lambda fact: fact.day):
        day = _day(fact)
        who = "" if fact.entity_type == "tenant" else f"{fact.entity_type} {fact.entity_id}: "
        who += "" if fact.anomaly_type == "ABSOLUTE_SPIKE" else f"{fact.anomaly_type}, "
        last[fact.anomaly_type, fact.entity_type, fact.entity_id, day - fact.breach_count] = (day, who + why(fact))
    return sorted(last.values())


def _draw(panel: Axes, tenant: str, days: Days, facts: Sequence[Fact]) -> None:
    costs = {day: totals.cost_nanousd for (name, day), totals in days.items() if name == tenant}
    dates = sorted(costs)
    before = [baseline(costs, day) for day in dates]
    panel.bar(dates, [_usd(costs[day]) for day in dates], color="#9db8d2", label="spend")
    known = [(day, _usd(mean)) for day, mean in zip(dates, before, strict=True) if mean is not None]
    panel.plot([day for day, _ in known], [mean for _, mean in known], color="#444444", lw=1, label="baseline")
    limited = [fact for fact in facts if fact.budget is not None]
    on_days = [fact for fact in facts if fact.budget is None]
    marked = sorted({_day(fact) for fact in on_days})
    spent = [_usd(costs.get(day, 0)) for day in marked]
    panel.plot(marked, spent, "v", color="#c0392b", label="fact")
    for number, (day, text) in enumerate(labels(on_days)):
        panel.annotate(
            text,
            (day, _usd(costs.get(day, 0))),
            xytext=(0, 6 + 10 * (number % 3)),
            textcoords="offset points",
            ha="left" if day < (dates[0] + dates[-1]) // 2 else "right",
            fontsize=8,
            color="#c0392b",
        )
    title = "; ".join([tenant, *(f"{fact.period} budget: {why(fact)}" for fact in limited)])
    panel.xaxis_date()  # its unit is the day since the epoch, as ours
    panel.set_title(title, loc="left", fontsize=10, color="#c0392b" if limited else "black")
    panel.margins(y=0.3)
    panel.set_ylabel("US$ a day")
    panel.tick_params(axis="x", labelrotation=30, labelsize=8)
    panel.legend(loc="upper left", fontsize=7, ncols=3, frameon=False)


def _day(fact: Fact) -> int:
    return (date.fromisoformat(fact.day) - _EPOCH).days


def _usd(nanousd: int) -> float:
    """Return money as a length on the axis: nothing is decided by it."""
    return nanousd / NANOUSD_PER_USD
