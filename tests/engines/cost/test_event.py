from __future__ import annotations

from itertools import combinations

import msgspec
import pytest

from engines.core.time import US_PER_DAY
from engines.cost.event import CostEvent, content_crc, identity

EVENT = CostEvent("call-1", "acme", "", 20_530 * US_PER_DAY, "gpt-5", 10, 5, cost_nanousd=7)


def test_an_identity_is_sixteen_bytes_of_tenant_source_id_and_day_alone() -> None:
    later = msgspec.structs.replace(
        EVENT, occurred_at=EVENT.occurred_at + US_PER_DAY - 1, model="x", input_tokens=99, cost_nanousd=None
    )
    assert len(identity(EVENT)) == 16
    assert identity(later) == identity(EVENT)


def test_an_identity_is_the_same_in_every_release() -> None:
    assert identity(EVENT).hex() == "92aca3409a7c30370a6e3217f1bb9f45"


def test_another_tenant_source_id_or_day_is_another_identity() -> None:
    others = [
        EVENT,
        msgspec.structs.replace(EVENT, tenant_id="acme2"),
        msgspec.structs.replace(EVENT, source="acme"),
        msgspec.structs.replace(EVENT, id="call-2"),
        msgspec.structs.replace(EVENT, occurred_at=EVENT.occurred_at + US_PER_DAY),
        msgspec.structs.replace(EVENT, occurred_at=EVENT.occurred_at - 1),
    ]
    assert len({identity(event) for event in others}) == len(others)


def test_strings_that_join_to_the_same_text_do_not_share_an_identity() -> None:
    parts = [
        ("ab", "c", "d"),
        ("a", "bc", "d"),
        ("a", "b", "cd"),
        ("abc", "", "d"),
        ("abcd", "", "x"),
        ("", "abc", "d"),
    ]
    events = [msgspec.structs.replace(EVENT, tenant_id=tenant, source=source, id=id_) for tenant, source, id_ in parts]
    for one, other in combinations(events, 2):
        assert identity(one) != identity(other)


@pytest.mark.parametrize("name", CostEvent.__struct_fields__)
def test_a_change_of_any_field_shows_in_the_checksum(name: str) -> None:
    value = getattr(EVENT, name)
    changed = f"{value}x" if value is None or isinstance(value, str) else value + 1
    assert content_crc(msgspec.structs.replace(EVENT, **{name: changed})) != content_crc(EVENT)


def test_a_cost_of_nothing_is_not_a_cost_to_be_found() -> None:
    free = msgspec.structs.replace(EVENT, cost_nanousd=0)
    unpriced = msgspec.structs.replace(EVENT, cost_nanousd=None)
    assert content_crc(free) != content_crc(unpriced)


def test_a_checksum_is_the_same_in_every_release() -> None:
    assert content_crc(EVENT) == 3697877482
