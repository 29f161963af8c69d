from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import engines.runs.schemas
from engines.runs.event import OUTCOMES
from engines.runs.record import RunRecord, json_schema
from tests.engines.runs.written import MEMBERS

SCHEMA_FILE = Path(engines.runs.schemas.__file__).parent / "run-event.json"


def test_the_schema_file_is_current() -> None:
    assert SCHEMA_FILE.read_text() == json.dumps(json_schema(), indent=2) + "\n"


def test_the_schema_is_one_and_every_member_is_described() -> None:
    Draft202012Validator.check_schema(json_schema())
    properties = json.loads(SCHEMA_FILE.read_text())["properties"]
    assert set(properties) == set(RunRecord.model_fields)
    assert all(member["description"] for member in properties.values())
    assert sorted(properties["type"]["enum"]) == sorted(OUTCOMES)


def test_null_is_absent() -> None:
    optional = set(RunRecord.model_fields) - set(MEMBERS) | {"id"}
    record = RunRecord.model_validate({**MEMBERS, **dict.fromkeys(optional)})
    assert record == RunRecord.model_validate({name: one for name, one in MEMBERS.items() if name != "id"})
    assert {getattr(record, name) for name in optional} == {None}
    assert record.occurred_at_us == 1_773_869_281_943_000


def test_what_is_no_object_is_no_record() -> None:
    with pytest.raises(ValidationError):
        RunRecord.model_validate([MEMBERS])


def test_a_cost_is_exact_or_refused() -> None:
    assert RunRecord.model_validate({**MEMBERS, "cost_cents": Decimal("0.00000015")}).cost_nanousd == 2
    with pytest.raises(ValidationError, match="read exactly"):
        RunRecord.model_validate({**MEMBERS, "cost_cents": 0.1})


def test_the_schema_and_the_model_agree_on_errors() -> None:
    accepts = Draft202012Validator(json_schema())
    for error, good in (("", True), ("x" * 65_536, True), ("x" * 65_537, False), ("\0", False), (None, True)):
        assert accepts.is_valid({**MEMBERS, "error": error}) == good
