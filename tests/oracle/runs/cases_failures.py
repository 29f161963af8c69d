"""Failure patterns: three failures of one error within 24 hours."""

from collections.abc import Sequence

from tests.oracle.records import LogRecord
from tests.oracle.runs.writing import TIMEOUT, Case, completed, crashed, failed

SIGNATURE = "ac343299875da073"  # of `Timeout after <*>`
PATTERN_ID = "pf_42b94fadb19c4555"  # sha256 of ["acme","ac343299875da073"]
THREE = [failed("2026-03-04T10:00:00Z"), failed("2026-03-04T11:00:00Z"), failed("2026-03-04T12:00:00Z")]
ACTIVE = {"status": "active", "active": True, "cleared_at": None}


UNACKNOWLEDGED = {"acknowledged": False, "acknowledged_at": None, "acknowledged_by": None}
LONG = "x" * 90 + " " + "y" * 90 + " " + "z" * 90 + " " + "w" * 400


def _many(count: int) -> Sequence[LogRecord]:
    return [
        failed(f"2026-03-04T12:{at // 60:02}:{at % 60:02}Z", run_id=f"{at}", worker_id=f"w{at}") for at in range(count)
    ]


PATTERNS = [
    Case("two failures are no pattern", THREE[:2], []),
    Case(
        "three failures are",
        THREE,
        [
            ACTIVE
            | UNACKNOWLEDGED
            | {
                "feedback_id": PATTERN_ID,
                "tenant_id": "acme",
                "pattern_type": "failure_pattern",
                "severity": "warning",
                "signature": SIGNATURE,
                "sig_v1": "e795036f42cc317a",
                "template": "Timeout after <*>",
                "description": "3 failed runs with one error within 24 h: Timeout after <*>",
                "worker_id": "w",
                "sample_error": TIMEOUT,
                "occurrence_count": 3,
                "provenance": ["r-2026-03-04T10:00:00Z", "r-2026-03-04T11:00:00Z", "r-2026-03-04T12:00:00Z"],
                "time_window_minutes": 1440,
                "threshold_used": "threshold=3",
                "active_since": "2026-03-04T12:00:00Z",
                "as_of": "2026-03-04T12:00:00Z",
                "metadata": {"worker_id": "w"},
                "proposal_eligible": True,
                "revision": 6,
            }
        ],
    ),
    Case(
        "the 24 hours include both their ends",
        [failed("2026-03-03T12:00:00Z"), *THREE[1:]],
        [ACTIVE | {"occurrence_count": 3, "active_since": "2026-03-04T12:00:00Z"}],
    ),
    Case("a microsecond more is too long", [failed("2026-03-03T11:59:59.999999Z"), *THREE[1:]], []),
    Case("a failure that says nothing is none", [*THREE[:2], failed("2026-03-04T12:00:00Z", None)], []),
    Case(
        "an empty error is an error",
        [failed(f"2026-03-04T1{hour}:00:00Z", "") for hour in range(3)],
        [
            {
                "feedback_id": "pf_e16f351e80730e1e",
                "signature": "empty_error",
                "sig_v1": "empty_error",
                "template": "",
                "sample_error": "",
                "description": "3 failed runs with one error within 24 h: ",
            }
        ],
    ),
    Case(
        "crashed and completed runs are no failures, whatever they say",
        [
            *THREE[:2],
            crashed("2026-03-04T12:00:00Z", error=TIMEOUT),
            completed("2026-03-04T12:01:00Z", error=TIMEOUT),
        ],
        [],
    ),
    Case(
        "what varies in an error, and its capitals, do not part it",
        [
            failed("2026-03-04T10:00:00Z", "Timeout after 7 seconds"),
            failed("2026-03-04T11:00:00Z", "TIMEOUT AFTER 30 SECONDS"),
            failed("2026-03-04T12:00:00Z", "timeout after 31 seconds"),
        ],
        [{"signature": SIGNATURE, "sample_error": "Timeout after 7 seconds", "template": "Timeout after <*>"}],
    ),
    Case("different errors are parted", [*THREE[:2], failed("2026-03-04T12:00:00Z", "disk full")], []),
    Case("patterns of tenants are judged apart", [*THREE[:2], failed("2026-03-04T12:00:00Z", tenant_id="b")], []),
    Case(
        "workers are not: the earliest names worker and sample",
        [
            failed("2026-03-04T12:00:00Z", "Timeout after 3 s", worker_id="c"),
            failed("2026-03-04T11:30:00Z", "Timeout after 1 s", worker_id="a"),
            failed("2026-03-04T11:45:00Z", "Timeout after 2 s", worker_id="b"),
        ],
        [{"worker_id": "a", "sample_error": "Timeout after 1 s", "metadata": {"worker_id": "a"}}],
    ),
    Case(
        "of failures at one instant the run id says which is earliest",
        [
            failed("2026-03-04T12:00:00Z", run_id="2", worker_id="b"),
            failed("2026-03-04T12:00:00Z", run_id="10", worker_id="a"),
            failed("2026-03-04T12:00:00Z", run_id="3", worker_id="c"),
        ],
        [{"worker_id": "a", "provenance": ["10", "2", "3"], "occurrence_count": 3}],
    ),
    Case(
        "all failures count, the newest hundred are named",
        _many(101),
        [
            {
                "occurrence_count": 101,
                "provenance": [f"{at}" for at in range(1, 101)],
                "worker_id": "w0",
                "revision": 202,
                "active_since": "2026-03-04T12:00:02Z",
                "as_of": "2026-03-04T12:01:40Z",
            }
        ],
    ),
    Case(
        "texts are cut: the sample and the template after 500 characters, the template in the sentence after 120",
        [failed(f"2026-03-04T1{hour}:00:00Z", LONG) for hour in range(3)],
        [
            {
                "sample_error": LONG[:500],
                "template": LONG[:500],
                "description": f"3 failed runs with one error within 24 h: {LONG[:120]}",
            }
        ],
    ),
    Case(
        "the revision counts the tenant's ended runs up to the newest failure, whoever's and however ended",
        [
            completed("2026-03-04T09:00:00Z", worker_id="v"),
            *THREE,
            crashed("2026-03-04T12:00:00Z", worker_id="v"),
            completed("2026-03-04T12:00:00.000001Z"),
            completed("2026-03-04T12:00:00Z", tenant_id="b"),
        ],
        [{"revision": 10}],
    ),
]
