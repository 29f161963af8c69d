"""That a worker is likely to fail: by the share of its runs of seven days that failed."""

from typing import Any

from tests.oracle.records import LogRecord
from tests.oracle.runs.writing import Case, completed, crashed, failed, outcomes

DAY = "2026-03-04"
NOTES = "Advisory: a prediction changes no run, cost, retry, schedule or policy."


def likelihood(failures: int, total: int, rate: float, confidence: float, **more: Any) -> dict[str, Any]:
    value = {
        "predicted_outcome": "high_failure_likelihood",
        "failure_rate": rate,
        "recent_failures": failures,
        "total_runs": total,
    }
    return {"prediction_type": "failure_likelihood", "confidence_score": confidence, "prediction_value": value} | more


def _factors(failures: int, rate: float, *samples: str, patterns: int | None = None) -> dict[str, Any]:
    factors: list[dict[str, Any]] = [
        {"factor": "recent_failures", "count": failures},
        {"factor": "failure_rate", "value": rate},
        {"factor": "error_samples", "samples": list(samples)},
    ]
    known = [] if patterns is None else [{"factor": "feedback_patterns", "count": patterns}]
    return {"contributing_factors": factors + known}


def _samples(*texts: str | None) -> list[LogRecord]:
    """Return failures that said this, the newest first."""
    return [failed(f"{DAY}T12:{59 - place}:00Z", text) for place, text in enumerate(texts)]


LIKELIHOODS = [
    Case(
        "one of three failed is enough",
        outcomes(DAY, "ccf"),
        predictions=[
            likelihood(1, 3, 0.333, 0.5)
            | _factors(1, 0.333, "Timeout after 30 seconds")
            | {
                "prediction_id": "pr_6e71e218062655a7",
                "tenant_id": "acme",
                "subject_type": "worker",
                "subject_id": "w",
                "as_of": f"{DAY}T12:02:00Z",
                "expires_at": "2026-03-05T12:02:00Z",
                "is_advisory": True,
                "notes": NOTES,
                "status": "active",
                "revision": 6,
            }
        ],
    ),
    Case("one of four is not", outcomes(DAY, "cccf"), predictions=[]),
    Case("two of seven are not", outcomes(DAY, "cccccff"), predictions=[]),
    Case(
        "crashed runs are not failed, but have ended", outcomes(DAY, "xxf"), predictions=[likelihood(1, 3, 0.333, 0.5)]
    ),
    Case("crashed runs alone say nothing", outcomes(DAY, "xxx"), predictions=[]),
    Case(
        "confidence is one and a half times the rate", outcomes(DAY, "cccff"), predictions=[likelihood(2, 5, 0.4, 0.6)]
    ),
    Case("and never more than 1", outcomes(DAY, "cff"), predictions=[likelihood(2, 3, 0.667, 1.0)]),
    Case("one failure alone is a rate of 1", outcomes(DAY, "f"), predictions=[likelihood(1, 1, 1.0, 1.0)]),
    Case("0.5625 is 0.562", outcomes(DAY, "cccccfff"), predictions=[likelihood(3, 8, 0.375, 0.562)]),
    Case(
        "a failure that says nothing is a failure",
        [completed(f"{DAY}T11:00:00Z"), completed(f"{DAY}T11:01:00Z"), failed(f"{DAY}T12:00:00Z", None)],
        predictions=[likelihood(1, 3, 0.333, 0.5) | _factors(1, 0.333, "unknown")],
    ),
    Case(
        "three distinct samples, the newest first",
        _samples("b", "a", "b", "c", "d"),
        predictions=[_factors(5, 1.0, "b", "a", "c")],
    ),
    Case(
        "samples are those of the five newest failures",
        _samples("a", "a", "b", "a", "b", "c"),
        predictions=[_factors(6, 1.0, "a", "b", patterns=1)],
    ),
    Case(
        "samples have a hundred characters, and nothing said is unknown, once",
        _samples("x" * 100 + "1", "", None, "x" * 100 + "2", "y"),
        predictions=[_factors(5, 1.0, "x" * 100, "unknown", "y")],
    ),
    Case(
        "patterns in force that name the worker are counted",
        outcomes(DAY, "fff"),
        predictions=[_factors(3, 1.0, "Timeout after 30 seconds", patterns=1)],
    ),
    Case(
        "the earliest failure of a pattern says whom it names",
        [
            failed(f"{DAY}T12:00:00Z", worker_id="v"),
            failed(f"{DAY}T12:01:00Z"),
            failed(f"{DAY}T12:02:00Z"),
            failed(f"{DAY}T12:03:00Z", "disk full", worker_id="v"),
        ],
        predictions=[
            _factors(2, 1.0, "disk full", "Timeout after 30 seconds", patterns=1) | {"subject_id": "v"},
            _factors(2, 1.0, "Timeout after 30 seconds") | {"subject_id": "w"},
        ],
    ),
    Case(
        "whom a pattern names is said by what had failed by then",
        [
            failed("2026-03-03T10:00:00Z", worker_id="v"),
            failed("2026-03-03T11:00:00Z"),
            failed("2026-03-03T12:00:00Z"),
            failed("2026-03-04T10:30:00Z"),
        ],
        predictions=[
            {"subject_id": "v"},
            _factors(2, 1.0, "Timeout after 30 seconds") | {"subject_id": "w"},
            _factors(3, 1.0, "Timeout after 30 seconds", patterns=1) | {"subject_id": "w"},
        ],
    ),
    Case(
        "and by the 24 hours up to its newest failure, not up to the prediction",
        [
            failed("2026-03-03T10:00:00Z", worker_id="v"),
            *(failed(f"2026-03-03T1{hour}:00:00Z") for hour in (1, 2, 3)),
            failed("2026-03-04T10:30:00Z", "disk full"),
        ],
        predictions=[{}, {}, _factors(4, 1.0, "disk full", "Timeout after 30 seconds") | {"subject_id": "w"}],
    ),
    Case(
        "failures before those are nothing to it",
        [failed("2026-03-01T10:00:00Z", worker_id="v"), *outcomes(DAY, "fff")],
        predictions=[{}, _factors(3, 1.0, "Timeout after 30 seconds", patterns=1) | {"subject_id": "w"}],
    ),
    Case(
        "a pattern counts while it is in force",
        [*outcomes("2026-03-03", "fff"), failed("2026-03-04T12:00:00Z", "disk full")],
        predictions=[
            {"status": "superseded"},
            _factors(4, 1.0, "disk full", "Timeout after 30 seconds", patterns=1),
        ],
    ),
    Case(
        "and no more a microsecond later",
        [*outcomes("2026-03-03", "fff"), failed("2026-03-04T12:00:00.000001Z", "disk full")],
        predictions=[{"status": "superseded"}, _factors(4, 1.0, "disk full", "Timeout after 30 seconds")],
    ),
    Case(
        "a run of seven days before counts",
        [
            *(completed(f"2026-02-25T12:00:0{at}Z") for at in range(3)),
            failed("2026-03-04T12:00:00Z"),
        ],
        predictions=[],
    ),
    Case(
        "a microsecond more, and it does not",
        [
            completed("2026-02-25T11:59:59.999999Z"),
            *(completed(f"2026-02-25T12:00:0{at}Z") for at in range(2)),
            failed("2026-03-04T12:00:00Z"),
        ],
        predictions=[likelihood(1, 3, 0.333, 0.5)],
    ),
    Case(
        "likelihoods of workers are judged apart",
        [*outcomes(DAY, "ccc"), failed(f"{DAY}T12:30:00Z", worker_id="v"), crashed(f"{DAY}T12:31:00Z")],
        predictions=[likelihood(1, 1, 1.0, 1.0, subject_id="v")],
    ),
]
