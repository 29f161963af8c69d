"""``outlay backtest --plot FILE``: what was told and what happened, as a picture.

matplotlib is the optional extra ``plot``; it is loaded here only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engines.core.errors import OutlayError
from engines.core.money import NANOUSD_PER_USD
from engines.core.time import month_of
from engines.prediction.scores import Bin
from streams.backtest.cases import Case
from streams.backtest.failures import FailureReport
from streams.backtest.overrun import OverrunReport, calibrated, run_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES: Final = (13.0, 4.6)
_TOLD: Final = "#1f5a94"
_CAME: Final = "#c0392b"


def plot_failures(path: Path, report: FailureReport) -> None:
    """Draw the reliability of the told probabilities, and the scores, into the file *path*. Raises OutlayError."""
    figure = _figure()
    left, right = figure.subplots(1, 2)
    _reliability(left, report.reliability, "share of runs that failed")
    shown = [score for score in report.scores if score.skill is not None][::-1]
    right.barh([score.name for score in shown], [score.skill or 0.0 for score in shown], color=_TOLD)
    right.axvline(0, color="#444444", lw=1)
    right.set_title("Brier skill against the base rate", loc="left", fontsize=10)
    figure.suptitle(f"failures, told before {report.held_out} runs from {report.held_out_from} on", fontsize=11)
    _save(figure, path)


def plot_overrun(path: Path, report: OverrunReport, held_out: Sequence[Case]) -> None:
    """Draw the month's end of the dearest series as told day by day, and the reliability, into *path*."""
    figure = _figure()
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    spent: dict[str, int] = {}
    for case in held_out:
        spent[case.series] = spent.get(case.series, 0) + case.month_so_far[-1]
    dearest = min(spent, key=lambda name: (-spent[name], name))
    _months(left, [case for case in held_out if case.series == dearest])
    left.set_title(f"{dearest}: spend at the month's end, as told on each day", loc="left", fontsize=10)
    _reliability(right, report.reliability, "share of budgets overrun")
    coverage = report.intervals[0].coverage or 0.0
    figure.suptitle(f"{report.forecasts} forecasts; the 80 % interval held what came in {coverage:.1%}", fontsize=11)
    _save(figure, path)


def _months(panel: Axes, cases: Sequence[Case]) -> None:
    named = False
    for month in sorted({month_of(case.day) for case in cases}):
        part = [case for case in cases if month_of(case.day) == month]
        days = [case.day for case in part]
        told = [calibrated(case) for case in part]
        spent = [case.spent for case in part]
        low = [_usd(so_far + (one.low or 0)) for so_far, one in zip(spent, told, strict=True)]
        high = [_usd(so_far + (one.high or 0)) for so_far, one in zip(spent, told, strict=True)]
        middle = [_usd(so_far + one.middle) for so_far, one in zip(spent, told, strict=True)]
        naive = [_usd(so_far + run_rate(case).middle) for so_far, case in zip(spent, part, strict=True)]
        names = ("80 % interval", "median", "run-rate", "what came") if not named else ("",) * 4
        panel.fill_between(days, low, high, color=_TOLD, alpha=0.25, lw=0, label=names[0])
        panel.plot(days, middle, color=_TOLD, lw=1.5, label=names[1])
        panel.plot(days, naive, color="#888888", lw=1, ls=":", label=names[2])
        panel.plot(days, [_usd(case.spent + case.actual) for case in part], color=_CAME, lw=1.5, label=names[3])
        named = True
    panel.xaxis_date()  # its unit is the day since the epoch, as ours
    panel.set_ylabel("US$ a month")
    panel.set_yscale("log")
    panel.tick_params(axis="x", labelrotation=30, labelsize=8)
    panel.legend(fontsize=8, frameon=False)


def _reliability(panel: Axes, bins: Sequence[Bin], label: str) -> None:
    panel.plot([0, 1], [0, 1], color="#888888", lw=1, ls="--")
    panel.plot([row.told_mean for row in bins], [row.happened_mean for row in bins], "o-", color=_TOLD)
    for row in bins:
        panel.annotate(
            f"{row.told}", (row.told_mean, row.happened_mean), xytext=(4, -9), textcoords="offset points", fontsize=7
        )
    panel.set_xlabel("probability told (numbers: how often)")
    panel.set_ylabel(label)
    panel.set_title("reliability", loc="left", fontsize=10)


def _figure() -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow to load

    return Figure(figsize=_INCHES, layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path)
    except OSError as error:
        raise OutlayError(f"{path}: {error.strerror}") from error


def _usd(nanousd: float) -> float:
    """Return money as a length on the axis: nothing is decided by it."""
    return nanousd / NANOUSD_PER_USD
