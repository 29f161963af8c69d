"""When a failure pattern is in force, when it is cleared or comes again, and who has seen it."""

from typing import Any

from tests.oracle.runs.cases_failures import ACTIVE, PATTERN_ID, THREE, UNACKNOWLEDGED
from tests.oracle.runs.tenant import Acknowledgement
from tests.oracle.runs.writing import Case, come_to, completed, failed

CLEARED_AT = "2026-03-05T10:00:00.000001Z"
CLEARED = {"status": "cleared", "active": False, "proposal_eligible": False}


def _acknowledgement(as_of: str, by: str = "ann", feedback_id: str = PATTERN_ID) -> Acknowledgement:
    return Acknowledgement("acme", feedback_id, as_of, "2026-03-04T15:00:00.5Z", by)


def _acknowledged(by: str) -> dict[str, Any]:
    return {"acknowledged": True, "acknowledged_at": "2026-03-04T15:00:00.500000Z", "acknowledged_by": by}


ACTIVATIONS = [
    Case(
        "a pattern is in force up to 24 hours after the third newest failure",
        [*THREE, come_to("2026-03-05T11:05:00Z")],
        [ACTIVE | {"revision": 6}],
    ),
    Case(
        "a microsecond later it is cleared, finally, with the runs up to then in its revision",
        [
            *THREE,
            completed("2026-03-05T10:00:00Z"),
            completed("2026-03-05T10:00:00.000001Z"),
            come_to("2026-03-05T11:05:00.000001Z"),
        ],
        [
            CLEARED
            | {
                "active_since": "2026-03-04T12:00:00Z",
                "as_of": "2026-03-04T12:00:00Z",
                "cleared_at": CLEARED_AT,
                "occurrence_count": 3,
                "revision": 9,
            }
        ],
    ),
    Case("all that is due is cleared on demand", THREE, [CLEARED | {"revision": 7}], close_all=True),
    Case(
        "a fourth failure keeps it in force until there are fewer than three",
        [*THREE, failed("2026-03-05T09:00:00Z"), come_to("2026-03-05T12:05:00Z")],
        [ACTIVE | {"occurrence_count": 4, "active_since": "2026-03-04T12:00:00Z", "as_of": "2026-03-05T09:00:00Z"}],
    ),
    Case(
        "then it is cleared, and tells of the newest failure it had",
        [*THREE, failed("2026-03-05T09:00:00Z"), come_to("2026-03-05T12:05:00.000001Z")],
        [CLEARED | {"occurrence_count": 4, "cleared_at": "2026-03-05T11:00:00.000001Z", "revision": 9}],
    ),
    Case(
        "where one failure leaves as another enters, the pattern goes on",
        [*THREE, failed(CLEARED_AT)],
        [ACTIVE | {"occurrence_count": 3, "active_since": "2026-03-04T12:00:00Z", "as_of": CLEARED_AT}],
    ),
    Case(
        "a microsecond between them, and it is a new one, under the same id",
        [*THREE, failed("2026-03-05T10:00:00.000002Z")],
        [
            ACTIVE
            | {
                "feedback_id": PATTERN_ID,
                "active_since": "2026-03-05T10:00:00.000002Z",
                "provenance": ["r-2026-03-04T11:00:00Z", "r-2026-03-04T12:00:00Z", "r-2026-03-05T10:00:00.000002Z"],
                "revision": 8,
            }
        ],
    ),
    Case(
        "a newer failure clears it at once",
        [*THREE, failed("2026-03-05T11:00:00.000001Z")],
        [CLEARED | {"as_of": "2026-03-04T12:00:00Z", "cleared_at": CLEARED_AT, "revision": 7}],
    ),
    Case(
        "one of its time that comes behind that failure lets it go on, and that failure is one of it",
        [*THREE, failed("2026-03-05T11:00:00.000001Z"), failed("2026-03-05T10:00:00.000001Z")],
        [
            ACTIVE
            | {"active_since": "2026-03-04T12:00:00Z", "as_of": "2026-03-05T11:00:00.000001Z", "occurrence_count": 3},
        ],
    ),
    Case(
        "seen by somebody, it is no proposal",
        THREE,
        [ACTIVE | _acknowledged("ann") | {"proposal_eligible": False, "revision": 8}],
        acknowledgements=[_acknowledgement("2026-03-04T12:00:00Z")],
    ),
    Case(
        "of two who saw it the last one is named, and the revision counts both",
        THREE,
        [ACTIVE | _acknowledged("bob") | {"revision": 10}],
        acknowledgements=[_acknowledgement("2026-03-04T12:00:00Z"), _acknowledgement("2026-03-04T12:00:00Z", "bob")],
    ),
    Case(
        "seen before it was in force is not seen",
        THREE,
        [ACTIVE | UNACKNOWLEDGED | {"proposal_eligible": True, "revision": 8}],
        acknowledgements=[_acknowledgement("2026-03-04T11:59:59.999999Z")],
    ),
    Case(
        "what was seen goes on as seen",
        [*THREE, failed("2026-03-04T13:00:00Z")],
        [ACTIVE | _acknowledged("ann") | {"as_of": "2026-03-04T13:00:00Z", "revision": 10}],
        acknowledgements=[_acknowledgement("2026-03-04T12:00:00Z")],
    ),
    Case(
        "what comes again is not seen yet",
        [*THREE, failed("2026-03-05T10:00:00.000002Z")],
        [ACTIVE | UNACKNOWLEDGED | {"proposal_eligible": True, "revision": 10}],
        acknowledgements=[_acknowledgement("2026-03-04T12:00:00Z")],
    ),
    Case(
        "what was seen and is cleared stays seen",
        [*THREE, come_to("2026-03-05T11:05:00.000001Z")],
        [CLEARED | _acknowledged("ann") | {"revision": 9}],
        acknowledgements=[_acknowledgement("2026-03-04T12:00:00Z")],
    ),
]
