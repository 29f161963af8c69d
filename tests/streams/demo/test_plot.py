"""The demo's picture: what is on it, and what is said when there can be none."""

import subprocess
import sys
from pathlib import Path

import pytest

from engines.core.errors import OutlayError
from engines.core.time import format_day
from streams.demo.board import Fact, Limit
from streams.demo.incidents import FIRST_DAY
from streams.demo.plot import baseline, dearest, labels, plot, refuse_plot
from streams.demo.scenario import Totals

WITHOUT_MATPLOTLIB = """
import sys
sys.modules["matplotlib"] = None
from streams.cli import main
main(sys.argv[1:])
"""


def fact(
    day: int, entity: tuple[str, str] = ("user", "ana"), breach_count: int = 1, limit: Limit | None = None
) -> Fact:
    return Fact(
        anomaly_id=f"ca_{entity}{day}",
        revision=1,
        anomaly_type="ABSOLUTE_SPIKE" if limit is None else "BUDGET_EXCEEDED",
        tenant_id="acme",
        entity_type=entity[0],
        entity_id=entity[1],
        window_start=format_day(FIRST_DAY + day),
        period=None if limit is None else "monthly",
        severity="HIGH",
        current_nanousd=30,
        expected_nanousd=10,
        deviation_pct=200.0,
        breach_count=breach_count,
        derived_cause="UNKNOWN",
        cause_evidence=None,
        budget=limit,
        restated=False,
        status="final",
    )


def test_a_baseline_is_the_mean_of_the_active_days_of_the_week_before() -> None:
    costs = {1: 100, 2: 10, 5: 20, 6: 0, 9: 900}
    assert baseline(costs, 9) == 15
    assert baseline(costs, 8) == 43
    assert baseline(costs, 1) is None


def test_of_a_run_of_days_the_last_one_is_labelled() -> None:
    run = [fact(4, breach_count=2), fact(5, breach_count=3), fact(9), fact(9, ("tenant", "acme"))]
    assert labels(run) == [
        (FIRST_DAY + 5, "user ana: UNKNOWN"),
        (FIRST_DAY + 9, "UNKNOWN"),
        (FIRST_DAY + 9, "user ana: UNKNOWN"),
    ]


def test_the_dearest_tenants_come_first_and_not_too_many_are_drawn() -> None:
    days = {(f"t{number:02d}", day): Totals(cost_nanousd=number) for number in range(30) for day in (1, 2)}
    assert dearest(days) == [f"t{number}" for number in range(29, 19, -1)]


@pytest.mark.parametrize("name,start", [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.PDF", b"%PDF")])
def test_a_picture_is_written(tmp_path: Path, name: str, start: bytes) -> None:
    path = tmp_path / name
    days = {("acme", FIRST_DAY + day): Totals(cost_nanousd=day * 10**9) for day in range(12)}
    refuse_plot(path)
    plot(path, days, [fact(4), fact(0, ("tenant", "acme"), limit=Limit(1000, 115.0))])
    assert path.read_bytes().startswith(start)
    assert path.stat().st_size > 5_000


def test_nothing_at_all_makes_an_empty_picture(tmp_path: Path) -> None:
    plot(tmp_path / "empty.png", {}, [])
    assert (tmp_path / "empty.png").exists()


@pytest.mark.parametrize(
    "name,reason",
    [("a.jpeg", "a picture's name ends with .png, .svg or .pdf"), ("nowhere/a.png", "cannot be written")],
)
def test_what_cannot_be_drawn_is_refused_before_the_demo_starts(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(OutlayError, match=reason):
        refuse_plot(tmp_path / name)


def test_without_matplotlib_the_extra_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MATPLOTLIB, "demo", "--plot", str(tmp_path / "a.png")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == "outlay: --plot needs matplotlib, the extra plot: pip install 'outlay[plot]'\n"
    assert list(tmp_path.iterdir()) == []
