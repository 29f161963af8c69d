"""What becomes of events: late to the microsecond, copies, ids that nobody gave."""

from tests.oracle.runs.writing import Case, completed, crashed, event, failed

AT = "2026-03-04T12:00:00Z"
LATE = "2026-03-04T10:54:59.999999Z"
OLDEST = "2026-03-04T10:55:00Z"
THREE = [failed(f"2026-03-04T{hour:02}:30:00Z") for hour in (9, 10, 11)]

FATES = [
    Case(
        "an hour behind the watermark is not late, a microsecond more is",
        [completed(AT), completed(OLDEST), completed(LATE)],
        late=[f"r-{LATE}"],
        counts={"events": 3, "accepted": 2, "late": 1},
    ),
    Case(
        "what is late counts nowhere",
        [*THREE[1:], failed(AT, run_id="other", error="disk full"), failed("2026-03-04T09:30:00Z", id="behind")],
        [],
        late=["behind"],
        counts={"accepted": 3, "late": 1},
    ),
    Case(
        "a copy that comes too late is late, not a copy",
        [completed(LATE), completed(AT), completed(LATE)],
        late=[f"r-{LATE}"],
        counts={"accepted": 2, "duplicates": 0, "late": 1},
    ),
    Case(
        "copies are counted once",
        [*THREE[:2], THREE[0], THREE[1]],
        [],
        counts={"accepted": 2, "duplicates": 2, "conflicting": 0},
    ),
    Case(
        "the first of two copies that differ stands",
        [*THREE[:2], completed("2026-03-04T12:00:00Z", id="1"), failed("2026-03-04T12:00:00Z", id="1")],
        [],
        counts={"accepted": 3, "duplicates": 1, "conflicting": 1},
    ),
    Case(
        "of one run nobody gave ids of, start and end are two events, and an end of each kind is one",
        [
            event("started", AT, run_id="1"),
            completed(AT, run_id="1"),
            failed(AT, run_id="1"),
            crashed(AT, run_id="1"),
            completed("2026-03-04T12:00:01Z", run_id="1"),
        ],
        counts={"accepted": 4, "duplicates": 1, "conflicting": 1},
    ),
    Case(
        "an id that was given is one for all types",
        [event("started", AT, id="1"), completed(AT, id="1")],
        counts={"accepted": 1, "duplicates": 1, "conflicting": 1},
    ),
    Case(
        "an id that was given is no copy of one that was not, even where both are the run's",
        [completed(AT, run_id="1"), completed(AT, run_id="1", id="1")],
        counts={"accepted": 2, "duplicates": 0},
    ),
    Case(
        "an id is one of its UTC day",
        [completed("2026-03-04T23:59:59.999999Z", run_id="1"), completed("2026-03-05T00:00:00Z", run_id="1")],
        counts={"accepted": 2, "duplicates": 0},
    ),
    Case(
        "a start is accepted and says nothing",
        [
            event("started", f"2026-03-04T12:00:0{at}Z", error="Timeout after 30 seconds", cost_cents=1)
            for at in range(9)
        ],
        [],
        [],
        counts={"accepted": 9},
    ),
    Case(
        "a type that nobody knows is refused, and moves no time",
        [event("paused", "2026-03-05T12:00:00Z"), completed(LATE)],
        counts={"accepted": 1, "dead": 1, "late": 0},
    ),
]
