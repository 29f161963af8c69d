"""``python -m tests.streams.backtest``: the table of docs/predictions.md, on series whose truth is known."""

import sys

from streams.backtest.overrun import CALIBRATED, PLAIN, RUN_RATE, RUN_RATE_SPREAD, SEASONAL, backtest
from tests.engines.prediction.spending import FIRST_DAY, KINDS, spent

N = 8
_INTERVALS = (CALIBRATED, PLAIN, RUN_RATE_SPREAD)
_BUDGETS = (CALIBRATED, RUN_RATE, RUN_RATE_SPREAD, SEASONAL)


def main() -> None:
    """Print coverage of intervals, then Brier scores of overruns, by kind of series."""
    out = sys.stdout
    out.write(f"kind | forecasts | coverage: {', '.join(_INTERVALS)} | Brier: {', '.join(_BUDGETS)}\n")
    for kind in KINDS:
        series = {f"{kind} {seed}": (FIRST_DAY, spent(kind, seed)) for seed in range(N)}
        report, _ = backtest(series, 0.5, lambda _done, _of: None)
        covered = {score.name: score.coverage or 0.0 for score in report.intervals}
        brier = {score.name: score.brier for score in report.budgets}
        cells = [f"{covered[name]:.3f}" for name in _INTERVALS], [f"{brier[name]:.3f}" for name in _BUDGETS]
        out.write(f"{kind} | {report.forecasts} | {' | '.join(cells[0])} | {' | '.join(cells[1])}\n")
        out.flush()


main()
