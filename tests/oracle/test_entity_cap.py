"""A tenant's day has room for so many entities; what has a name that is new then counts under `~other`."""

from typing import Any

from tests.oracle import Line, Options, judged
from tests.oracle.cases import record

DAY = "2026-03-04"


def days(entities_max: int, *users: str, **more: Any) -> tuple[list[Line], int]:
    log = [record(f"{DAY}T0{at}:00:00Z", "1", user_id=user, **more) for at, user in enumerate(users)]
    outcome, _ = judged(log, Options(entities_max=entities_max))
    return [line for line in outcome.snapshots if line["window"] == "day"], outcome.capped


def requests(lines: list[Line]) -> dict[tuple[str, str], int]:
    return {(line["entity_type"], line["entity_id"]): line["requests"] for line in lines}


def test_names_that_come_when_the_day_is_full_are_others() -> None:
    lines, capped = days(4, "u1", "u2", "u3", "u1", "u3")
    assert requests(lines) == {
        ("tenant", "acme"): 5,
        ("model", "m"): 5,
        ("user", "u1"): 2,
        ("user", "u2"): 1,
        ("user", "~other"): 2,
    }
    assert capped == 2


def test_a_day_that_is_not_full_takes_all_names_of_a_record() -> None:
    lines, capped = days(2, "u1", "u2", feature_tag="f")
    assert requests(lines) == {
        ("tenant", "acme"): 2,
        ("model", "m"): 2,
        ("user", "u1"): 1,
        ("feature", "f"): 2,
        ("user", "~other"): 1,
    }
    assert capped == 1


def test_with_room_enough_there_are_no_others() -> None:
    lines, capped = days(5, "u1", "u2", "u3")
    assert ("user", "~other") not in requests(lines)
    assert capped == 0
