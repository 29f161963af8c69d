"""How long a prediction stands, and what becomes of it."""

from tests.oracle.runs.cases_likelihoods import DAY, likelihood
from tests.oracle.runs.writing import Case, come_to, completed, failed, outcomes

STATUSES = [
    Case(
        "a prediction stands for 24 hours after the day's last event",
        [*outcomes(DAY, "ccf"), come_to("2026-03-05T13:06:59.999999Z")],
        predictions=[{"status": "active", "revision": 6}],
    ),
    Case(
        "then it is expired, finally",
        [*outcomes(DAY, "ccf"), come_to("2026-03-05T13:07:00Z")],
        predictions=[{"status": "expired", "revision": 7}],
    ),
    Case(
        "all that is due expires on demand",
        outcomes(DAY, "ccf"),
        predictions=[{"status": "expired", "revision": 7}],
        close_all=True,
    ),
    Case(
        "the next day's first event supersedes it when it holds again",
        [*outcomes(DAY, "ccf"), failed("2026-03-05T12:01:59.999999Z")],
        predictions=[
            likelihood(1, 3, 0.333, 0.5, status="superseded", as_of=f"{DAY}T12:02:00Z", revision=8),
            likelihood(2, 4, 0.5, 0.75, status="active", as_of="2026-03-05T12:01:59.999999Z", revision=8),
        ],
    ),
    Case(
        "and withdraws it when it does not",
        [*outcomes(DAY, "ccf"), completed("2026-03-05T12:01:59.999999Z")],
        predictions=[likelihood(1, 3, 0.333, 0.5, status="withdrawn", revision=8)],
    ),
    Case(
        "an event at the instant of its end does not end it: time does, when it is settled",
        [*outcomes(DAY, "ccf"), completed("2026-03-05T12:02:00Z")],
        predictions=[likelihood(1, 3, 0.333, 0.5, status="active", revision=6)],
    ),
    Case(
        "a run of the instant of its end may come when it is settled, and is not counted",
        [
            *outcomes(DAY, "ccf"),
            completed("2026-03-05T13:07:00Z", worker_id="v"),
            completed("2026-03-05T12:02:00Z", worker_id="v"),
        ],
        predictions=[likelihood(1, 3, 0.333, 0.5, status="expired", revision=7)],
    ),
    Case(
        "superseded and withdrawn ones are final, too",
        [*outcomes(DAY, "ccf"), failed("2026-03-05T11:00:00Z"), come_to("2026-03-05T13:07:00Z")],
        predictions=[{"status": "superseded", "revision": 9}, {"status": "active", "revision": 8}],
    ),
    Case(
        "what held earlier in the day, and not at its last event, is withdrawn",
        outcomes(DAY, "fccc"),
        predictions=[likelihood(1, 4, 0.25, 0.375, status="withdrawn", as_of=f"{DAY}T12:03:00Z", revision=8)],
    ),
    Case(
        "what never held at an event of the day is nothing",
        outcomes(DAY, "cccfc"),
        predictions=[],
    ),
    Case(
        "an event that comes later, but belongs between, may make it never have held",
        [
            *(completed(f"{DAY}T12:0{at}:00Z") for at in range(2)),
            failed(f"{DAY}T12:05:00Z"),
            completed(f"{DAY}T12:04:00Z"),
        ],
        predictions=[],
    ),
    Case(
        "days are UTC days: a run of midnight is one of the new day",
        [*outcomes(DAY, "ccf"), failed("2026-03-05T00:00:00Z")],
        predictions=[
            {"as_of": f"{DAY}T12:02:00Z", "status": "superseded"},
            {"as_of": "2026-03-05T00:00:00Z", "status": "active", "expires_at": "2026-03-06T00:00:00Z"},
        ],
    ),
]
