"""That a worker becomes dearer: by its three newest runs against those before, of seven days."""

from typing import Any

from tests.oracle.runs.writing import Case, completed, costs, crashed

DAY = "2026-03-04"


def _overrun(
    projected: float | None, average: float | None, percent: float | None, confidence: float, **more: Any
) -> dict[str, Any]:
    value = {
        "predicted_outcome": "cost_overrun",
        "projected_cost_cents": projected,
        "historical_avg_cents": average,
        "overrun_percent": percent,
    }
    return {"prediction_type": "cost_overrun", "confidence_score": confidence, "prediction_value": value} | more


def _trend(recent: float | None, average: float | None, multiplier: float | None, *sizes: int | None) -> dict[str, Any]:
    return {
        "contributing_factors": [
            {"factor": "recent_avg_cost", "value": recent},
            {"factor": "historical_avg_cost", "value": average},
            {"factor": "trend_multiplier", "value": multiplier},
            {"factor": "sample_size", "recent": sizes[0], "historical": sizes[1]},
        ]
    }


OVERRUNS = [
    Case(
        "150 three times against 100 twice",
        costs(DAY, "100", "100", "150", "150", "150"),
        predictions=[
            _overrun(225.0, 100.0, 125.0, 0.95)
            | _trend(150.0, 100.0, 1.5, 3, 2)
            | {"prediction_id": "pr_b099e49be3f5ef8d", "subject_type": "worker", "subject_id": "w", "status": "active"}
        ],
    ),
    Case(
        "120 three times against 100 three times",
        costs(DAY, "100", "100", "100", "120", "120", "120"),
        predictions=[_overrun(144.0, 100.0, 44.0, 0.44) | _trend(120.0, 100.0, 1.2, 3, 3)],
    ),
    Case(
        "115 three times against 100 once: 32.25 is 32.2, and 0.3225 is 0.322",
        costs(DAY, "100", "115", "115", "115"),
        predictions=[_overrun(132.25, 100.0, 32.2, 0.322) | _trend(115.0, 100.0, 1.15, 3, 1)],
    ),
    Case("114 three times against 100 once is less than 30 %", costs(DAY, "100", "114", "114", "114"), predictions=[]),
    Case(
        "a nano-USD short of 30 %",
        costs(DAY, "1", "1.1401754", "1.1401754", "1.1401754"),
        predictions=[],
    ),
    Case(
        "with that nano-USD it holds, whatever rounding says",
        costs(DAY, "1", "1.1401754", "1.1401754", "1.1401755"),
        predictions=[_overrun(1.3, 1.0, 30.0, 0.3) | _trend(1.14, 1.0, 1.14, 3, 1)],
    ),
    Case("three runs have nothing to be compared with", costs(DAY, "1", "100", "10000"), predictions=[]),
    Case(
        "runs that cost nothing, failed or crashed do not count",
        [
            *costs(DAY, "100", "200", "200"),
            completed(f"{DAY}T12:10:00Z", "0"),
            crashed(f"{DAY}T12:11:00Z", cents="200"),
        ],
        predictions=[],
    ),
    Case(
        "at one instant the run id says which are the three newest",
        [
            *costs(DAY, "100"),
            *(completed(f"{DAY}T12:30:00Z", cents, run_id=run) for run, cents in zip("dcba", "3211", strict=True)),
        ],
        predictions=[],
    ),
    Case(
        "what held, and has too few runs at the day's last, is withdrawn and has no numbers",
        [
            completed("2026-02-25T10:00:00Z", "100"),
            completed("2026-02-25T10:01:00Z", "300"),
            completed("2026-02-25T10:02:00Z", "300"),
            completed(f"{DAY}T10:00:00Z", "300"),
            completed(f"{DAY}T12:00:00Z", "300"),
        ],
        predictions=[
            _overrun(None, None, None, 0.0, status="withdrawn", revision=10) | _trend(None, None, None, None, None)
        ],
    ),
    Case(
        "what held earlier in the day is withdrawn, and tells of the day's last",
        costs(DAY, "100", "150", "150", "150", "30"),
        predictions=[
            _overrun(96.8, 125.0, -22.6, 0.0, status="withdrawn", as_of=f"{DAY}T12:04:00Z")
            | _trend(110.0, 125.0, 0.88, 3, 2)
        ],
    ),
]
