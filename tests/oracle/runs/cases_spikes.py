"""Cost spikes: 50 % over the mean of four and more runs of the worker in the thirty days before."""

from typing import Any

from tests.oracle.runs.tenant import Acknowledgement
from tests.oracle.runs.writing import Case, come_to, completed, costs, crashed, failed

DAY = "2026-03-04"
FOUR = ("100", "100", "100", "100")
NEWEST = f"{DAY}T12:04:00Z"
SPIKE_ID = "pf_b23277a256e3f73c"  # sha256 of ["acme","w","r-2026-03-04T12:04:00Z"]


def _numbers(average: float, recent: float, percent: float, before: int) -> dict[str, Any]:
    return {
        "metadata": {
            "worker_id": "w",
            "avg_cost_cents": average,
            "recent_cost_cents": recent,
            "spike_percent": percent,
            "baseline_run_count": before,
        }
    }


def _acknowledgement(as_of: str = NEWEST, feedback_id: str = SPIKE_ID) -> Acknowledgement:
    return Acknowledgement("acme", feedback_id, as_of, "2026-03-05T08:00:00Z", "ann")


THRESHOLD = [
    Case(
        "150 against four times 100 is exactly half as much again, and fires",
        costs(DAY, *FOUR, "150"),
        [
            _numbers(100.0, 150.0, 50.0, 4)
            | {
                "feedback_id": SPIKE_ID,
                "tenant_id": "acme",
                "pattern_type": "cost_spike",
                "severity": "warning",
                "status": "provisional",
                "active": True,
                "signature": "cost_spike_w",
                "sig_v1": None,
                "template": None,
                "description": f"run r-{NEWEST} cost 150.0 cents, 50.0 % over the mean of 4 runs before it",
                "worker_id": "w",
                "sample_error": None,
                "occurrence_count": 1,
                "provenance": [f"r-{NEWEST}"],
                "time_window_minutes": None,
                "threshold_used": "spike_threshold=50.0%",
                "active_since": NEWEST,
                "as_of": NEWEST,
                "cleared_at": None,
                "acknowledged": False,
                "acknowledged_at": None,
                "acknowledged_by": None,
                "proposal_eligible": False,
                "revision": 10,
            }
        ],
    ),
    Case("149 against four times 100 does not", costs(DAY, *FOUR, "149"), []),
    Case(
        "a nano-USD less than half as much again does not",
        costs(DAY, *FOUR, "149.9999999"),
        [],
    ),
    Case("500 against four times 100", costs(DAY, *FOUR, "500"), [_numbers(100.0, 500.0, 400.0, 4)]),
    Case("percentages have one decimal", costs(DAY, *FOUR, "233.36"), [_numbers(100.0, 233.36, 133.4, 4)]),
    Case(
        "5 against six that sum to 20 is exactly half as much again, though doubles say less",
        costs(DAY, "5", "5", "4", "3", "2", "1", "5"),
        [_numbers(3.33, 5.0, 50.0, 6)],
    ),
    Case("three before are too few", costs(DAY, "100", "100", "100", "900"), []),
    Case(
        "every run is judged, not only the newest: a dear one stands when cheap ones follow",
        costs(DAY, *FOUR, "150", "100", "100"),
        [_numbers(100.0, 150.0, 50.0, 4)],
    ),
    Case(
        "a spike is part of what later runs are compared with",
        costs(DAY, *FOUR, "150", "165"),
        [_numbers(100.0, 150.0, 50.0, 4), _numbers(110.0, 165.0, 50.0, 5) | {"revision": 12}],
    ),
    Case(
        "what does not fire beside a spike would beside four ordinary runs",
        costs(DAY, *FOUR, "150", "164.9999999"),
        [_numbers(100.0, 150.0, 50.0, 4)],
    ),
    Case(
        "percentages and means are rounded half-even once: 0.125 is 0.12, 62.5 stays",
        costs(DAY, "0.1", "0.15", "0.1", "0.15", "0.203125"),
        [_numbers(0.12, 0.2, 62.5, 4)],
    ),
]

WHO = [
    Case(
        "free, failed and crashed runs are no cost runs, whatever they say they cost",
        [
            *costs(DAY, "100", "100", "100"),
            completed(f"{DAY}T12:03:00Z", "0"),
            completed(f"{DAY}T12:03:10Z"),
            failed(f"{DAY}T12:03:20Z", cents="100"),
            crashed(f"{DAY}T12:03:30Z", cents="100"),
            completed(f"{DAY}T12:03:40Z", "0.00000004"),
            completed(NEWEST, "900"),
        ],
        [],
    ),
    Case(
        "spikes of workers are judged apart",
        [
            *costs(DAY, "100", "100", "100"),
            completed(f"{DAY}T12:03:00Z", "100", worker_id="v"),
            completed(NEWEST, "900"),
        ],
        [],
    ),
    Case(
        "spikes of tenants are judged apart",
        [
            *costs(DAY, "100", "100", "100"),
            completed(f"{DAY}T12:03:00Z", "100", tenant_id="b"),
            completed(NEWEST, "900"),
        ],
        [],
    ),
    Case(
        "at one instant the run id decides which comes before: z is dear, a is not",
        [
            *costs(DAY, *FOUR),
            completed(NEWEST, "150", run_id="z"),
            completed(NEWEST, "100", run_id="a"),
        ],
        [_numbers(100.0, 150.0, 50.0, 5) | {"provenance": ["z"], "revision": 12}],
    ),
    Case(
        "at one instant the run id decides which comes before: a has four before it, z has a among five",
        [
            *costs(DAY, *FOUR),
            completed(NEWEST, "159", run_id="z"),
            completed(NEWEST, "150", run_id="a"),
        ],
        [_numbers(100.0, 150.0, 50.0, 4) | {"provenance": ["a"], "revision": 10}],
    ),
    Case(
        "of two runs of one id the later stands, for its revision is greater",
        [
            *costs(DAY, *FOUR),
            completed(NEWEST, "200", run_id="twice", id="1"),
            completed(f"{DAY}T12:05:00Z", "300", run_id="twice", id="2"),
        ],
        [_numbers(120.0, 300.0, 150.0, 5) | {"as_of": f"{DAY}T12:05:00Z", "revision": 12}],
    ),
]

THIRTY_DAYS = [
    Case(
        "a run exactly thirty days before counts",
        [completed("2026-02-02T12:04:00Z", "100"), *costs(DAY, "100", "100", "100"), completed(NEWEST, "150")],
        [_numbers(100.0, 150.0, 50.0, 4)],
    ),
    Case(
        "a run a microsecond more than thirty days before does not",
        [completed("2026-02-02T12:03:59.999999Z", "100"), *costs(DAY, "100", "100", "100"), completed(NEWEST, "150")],
        [],
    ),
]

FINAL = [
    Case(
        "a spike is provisional while a run of its instant may come",
        [*costs(DAY, *FOUR, "150"), come_to(f"{DAY}T13:09:00Z")],
        [{"status": "provisional", "revision": 10}],
    ),
    Case(
        "a spike is final a microsecond after",
        [*costs(DAY, *FOUR, "150"), come_to(f"{DAY}T13:09:00.000001Z")],
        [{"status": "final", "active": True, "revision": 11}],
    ),
    Case(
        "all that is due is closed on demand",
        costs(DAY, *FOUR, "150"),
        [{"status": "final", "revision": 11}],
        close_all=True,
    ),
    Case(
        "a run that comes later, but belongs before, may undo a spike",
        [*costs(DAY, *FOUR), completed(NEWEST, "150"), completed(f"{DAY}T11:00:00Z", "101")],
        [],
    ),
    Case(
        "an acknowledged spike says so, and is no proposal",
        costs(DAY, *FOUR, "150"),
        [
            {
                "acknowledged": True,
                "acknowledged_at": "2026-03-05T08:00:00Z",
                "acknowledged_by": "ann",
                "proposal_eligible": False,
                "revision": 12,
            }
        ],
        acknowledgements=[_acknowledgement()],
    ),
    Case(
        "acknowledgements of other ids are nothing to it",
        costs(DAY, *FOUR, "150"),
        [{"acknowledged": False, "revision": 10}],
        acknowledgements=[_acknowledgement(feedback_id="pf_0000000000000000")],
    ),
]

SPIKES = [*THRESHOLD, *WHO, *THIRTY_DAYS, *FINAL]
