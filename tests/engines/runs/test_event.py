from __future__ import annotations

from itertools import combinations

import msgspec
import pytest

from engines.core.time import US_PER_DAY
from engines.runs.event import COMPLETED, FAILED, OUTCOMES, STARTED, RunEvent, content_crc, identity, stamp

EVENT = RunEvent("event-1", "acme", "", 20_530 * US_PER_DAY, "run-1", "triage", FAILED, "it broke", cost_nanousd=7)
UNNAMED = msgspec.structs.replace(EVENT, id="run-1", is_id_default=True)


def test_an_identity_is_sixteen_bytes_of_tenant_source_id_and_day_alone() -> None:
    other = msgspec.structs.replace(
        EVENT,
        occurred_at=EVENT.occurred_at + US_PER_DAY - 1,
        run_id="run-2",
        worker_id="x",
        outcome=COMPLETED,
        error=None,
        cost_nanousd=None,
    )
    assert len(identity(EVENT)) == 16
    assert identity(other) == identity(EVENT)


def test_another_tenant_source_id_or_day_is_another_identity() -> None:
    for event in (EVENT, UNNAMED):
        others = [
            event,
            msgspec.structs.replace(event, tenant_id="acme2"),
            msgspec.structs.replace(event, source="acme"),
            msgspec.structs.replace(event, id="event-2"),
            msgspec.structs.replace(event, occurred_at=event.occurred_at + US_PER_DAY),
            msgspec.structs.replace(event, occurred_at=event.occurred_at - 1),
        ]
        assert len({identity(one) for one in others}) == len(others)


def test_an_id_that_was_taken_from_the_run_is_one_of_its_type() -> None:
    events = [msgspec.structs.replace(UNNAMED, outcome=outcome) for outcome in OUTCOMES.values()]
    named = msgspec.structs.replace(UNNAMED, is_id_default=False)
    assert len({identity(event) for event in (*events, named)}) == 5
    assert identity(msgspec.structs.replace(UNNAMED, error="other words")) == identity(UNNAMED)


def test_an_identity_is_the_same_in_every_release() -> None:
    assert identity(EVENT).hex() == "b4116dcc5cb4f41294f50ebc6690f21c"
    assert identity(UNNAMED).hex() == "a4ba991880ea332f152374d0de650dc9"
    assert OUTCOMES == {"run-completed": 0, "run-failed": 1, "run-crashed": 2, "run-started": 3}


def test_strings_that_join_to_the_same_text_do_not_share_an_identity() -> None:
    parts = [("ab", "c", "d"), ("a", "bc", "d"), ("a", "b", "cd"), ("abc", "", "d"), ("", "abc", "d")]
    events = [msgspec.structs.replace(EVENT, tenant_id=tenant, source=source, id=id_) for tenant, source, id_ in parts]
    for one, other in combinations(events, 2):
        assert identity(one) != identity(other)


@pytest.mark.parametrize("name", RunEvent.__struct_fields__)
def test_a_change_of_any_field_shows_in_the_checksum(name: str) -> None:
    value = getattr(EVENT, name)
    changed = f"{value}x" if value is None or isinstance(value, str) else value + 1
    assert content_crc(msgspec.structs.replace(EVENT, **{name: changed})) != content_crc(EVENT)


def test_a_stamp_is_the_identity_and_then_the_checksum() -> None:
    assert stamp(EVENT) == identity(EVENT) + content_crc(EVENT).to_bytes(4, "big")
    assert content_crc(EVENT) == 3825952469


def test_an_empty_error_and_a_cost_of_nothing_are_something_that_was_said() -> None:
    assert content_crc(msgspec.structs.replace(EVENT, error="")) != content_crc(
        msgspec.structs.replace(EVENT, error=None)
    )
    assert content_crc(msgspec.structs.replace(EVENT, cost_nanousd=0)) != content_crc(
        msgspec.structs.replace(EVENT, cost_nanousd=None)
    )


def test_ends_of_one_instant_are_ordered_by_what_became_of_the_run() -> None:
    assert [name for name, outcome in OUTCOMES.items() if outcome < STARTED] == [
        "run-completed",
        "run-failed",
        "run-crashed",
    ]
