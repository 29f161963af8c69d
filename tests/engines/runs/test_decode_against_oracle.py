"""The decoder and the oracle, which knows nothing of it, accept the same events and read them alike."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.core.model import Invalid
from engines.runs.decode import decode
from engines.runs.event import OUTCOMES, RunEvent, identity
from engines.runs.record import RunRecord
from tests.engines.core import json_texts
from tests.engines.core.json_texts import FAR_FUTURE_US, SETTINGS
from tests.engines.runs.written import MEMBERS, Headers, value_of, with_raw, without
from tests.oracle.records import Bad
from tests.oracle.runs import Run
from tests.oracle.runs import decode as oracle_decode

FULL = {name: json.dumps(member) for name, member in MEMBERS.items()} | {"error": '"it broke"', "cost_cents": "1.5"}
IDS = st.sampled_from([None, "run-1", "event-1"])
TYPES = st.sampled_from(list(OUTCOMES))


def by_the_oracle(value: bytes, headers: Headers = ()) -> RunEvent | None:
    run = oracle_decode(value, [(name, header) for name, header in headers if header is not None])
    if isinstance(run, Bad):
        return None
    return RunEvent(
        run.id,
        run.tenant_id,
        run.source,
        run.occurred_us,
        run.run_id,
        run.worker_id,
        OUTCOMES[run.type],
        run.error,
        run.error_type,
        run.cost_nanousd,
        run.input_tokens,
        run.output_tokens,
        run.model,
        run.feature_tag,
        run.request_id,
        run.defaulted,
    )


@SETTINGS
@given(json_texts.mutated(FULL, RunRecord.model_fields))
def test_they_agree_on_members(value: bytes) -> None:
    read = decode(value, (), FAR_FUTURE_US)
    assert (None if isinstance(read, Invalid) else read) == by_the_oracle(value)


HEADERS = [
    ("ce_id", b"from-header"),
    ("ce_id", b""),
    ("ce_id", b"\xff"),
    ("ce_type", b"run-crashed"),
    ("ce_type", b"cost-record"),
    ("ce_time", b"2026-03-18T22:28:01.943+01:00"),
    ("ce_time", b"today"),
    ("ce_source", b"/scheduler"),
    ("ce_source", b"\0"),
    ("ce_source", b"x" * 257),
]


@SETTINGS
@given(st.lists(st.sampled_from(HEADERS), max_size=4), st.sets(st.sampled_from(["id", "occurred_at", "type"])))
def test_they_agree_on_headers(headers: Headers, missing: set[str]) -> None:
    value = without(*missing)
    read = decode(value, headers, FAR_FUTURE_US)
    assert (None if isinstance(read, Invalid) else read) == by_the_oracle(value, headers)


@SETTINGS
@given(IDS, IDS, TYPES, TYPES)
def test_they_agree_on_which_events_are_copies(
    first_id: str | None, second_id: str | None, first_type: str, second_type: str
) -> None:
    values = [value_of(id=first_id, type=first_type), value_of(id=second_id, type=second_type)]
    one, other = (decode(value, (), FAR_FUTURE_US) for value in values)
    told = [oracle_decode(value) for value in values]
    assert isinstance(one, RunEvent)
    assert isinstance(other, RunEvent)
    assert isinstance(told[0], Run)
    assert isinstance(told[1], Run)
    assert (identity(one) == identity(other)) == (told[0].identity == told[1].identity)


@pytest.mark.parametrize("raw", ['""', '"\\u0000"', '"' + "x" * 65_537 + '"', '"' + "x" * 65_536 + '"', "5", "null"])
def test_they_agree_on_errors(raw: str) -> None:
    value = with_raw("error", raw)
    read = decode(value, (), FAR_FUTURE_US)
    assert (None if isinstance(read, Invalid) else read) == by_the_oracle(value)
