from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import engines.cost.schemas
from engines.cost.record import CostRecord, json_schema

SCHEMA_FILE = Path(engines.cost.schemas.__file__).parent / "cost-record.json"
MEMBERS = {
    "id": "call-1",
    "tenant_id": "acme",
    "occurred_at": "2026-03-18T21:28:01.943Z",
    "model": "gpt-5",
    "input_tokens": 10,
    "output_tokens": 5,
}


def test_the_schema_file_is_current() -> None:
    assert SCHEMA_FILE.read_text() == json.dumps(json_schema(), indent=2) + "\n"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json_schema())


def test_every_member_is_described() -> None:
    properties = json.loads(SCHEMA_FILE.read_text())["properties"]
    assert set(properties) == set(CostRecord.model_fields)
    assert all(member["description"] for member in properties.values())


def test_null_is_absent() -> None:
    optional = set(CostRecord.model_fields) - set(MEMBERS)
    record = CostRecord.model_validate({**MEMBERS, **dict.fromkeys(optional)})
    assert record == CostRecord.model_validate(MEMBERS)
    assert (record.type, record.cached_input_tokens, record.is_retry) == ("cost-record", 0, False)
    assert (record.user_id, record.cost_cents, record.cost_nanousd) == (None, None, None)
    assert record.occurred_at_us == 1_773_869_281_943_000


def test_what_is_no_object_is_no_record() -> None:
    with pytest.raises(ValidationError):
        CostRecord.model_validate([MEMBERS])


def test_a_cost_that_went_through_a_double_is_refused() -> None:
    with pytest.raises(ValidationError, match="read exactly"):
        CostRecord.model_validate({**MEMBERS, "cost_cents": 0.1})


def test_a_cost_that_is_no_number_is_refused() -> None:
    for cost in ("1.5", True, [1], Decimal("Infinity"), Decimal("-Infinity")):
        with pytest.raises(ValidationError):
            CostRecord.model_validate({**MEMBERS, "cost_cents": cost})


@pytest.mark.parametrize(
    "cents,nanousd",
    [
        ("0", 0),
        ("1", 10_000_000),
        ("0.0000001", 1),
        ("0.00000005", 0),
        ("0.00000015", 2),
        ("0.000000150000000000000000000000000000000000000000001", 2),
        ("0.00000005000000000000000000000000000000000000000001", 1),
        ("1e-999999", 0),
        ("100000000", 10**15),
        ("99999999.99999995", 10**15),
    ],
)
def test_a_cost_rounds_half_even_and_once(cents: str, nanousd: int) -> None:
    assert CostRecord.model_validate({**MEMBERS, "cost_cents": Decimal(cents)}).cost_nanousd == nanousd
