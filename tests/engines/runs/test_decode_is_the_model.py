"""The quick decoder and the contract's model read every event of a run alike, and accept the same ones."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from engines.core.model import Invalid
from engines.core.time import format_instant
from engines.runs.decode import _decode_usual, decode
from engines.runs.event import OUTCOMES, RunEvent
from engines.runs.record import RunRecord, json_schema
from tests.engines.core import json_texts
from tests.engines.core.json_texts import (
    FAR_FUTURE_US,
    SETTINGS,
    good_texts,
    instants_us,
    nanousd_exact,
    tokens,
    write,
)

SCHEMA = Draft202012Validator(json_schema())

errors = st.just("") | good_texts | st.builds(lambda text, times: (text * times)[:65_536], good_texts, st.just(300))


@st.composite
def members_and_events(draw: st.DrawFn) -> tuple[dict[str, str], RunEvent]:
    """A good record, its members as JSON texts, and the event it is, without asking the code under test."""
    kind = draw(st.sampled_from(list(OUTCOMES)))
    given_id = draw(st.none() | good_texts)
    run_id = draw(good_texts)
    cents = draw(st.none() | nanousd_exact)
    event = RunEvent(
        run_id if given_id is None else given_id,
        draw(good_texts),
        "",
        draw(instants_us),
        run_id,
        draw(good_texts),
        OUTCOMES[kind],
        draw(st.none() | errors),
        draw(st.none() | good_texts),
        None if cents is None else round(Fraction(cents) * 10**7),
        draw(st.none() | tokens),
        draw(st.none() | tokens),
        draw(st.none() | good_texts),
        draw(st.none() | good_texts),
        draw(st.none() | good_texts),
        given_id is None,
    )
    members: dict[str, object] = {name: getattr(event, name) for name in RunEvent.__struct_fields__}
    members |= {"type": kind, "id": given_id, "occurred_at": format_instant(event.occurred_at)}
    for name in ("source", "outcome", "cost_nanousd", "is_id_default"):
        del members[name]
    return draw(json_texts.good_members(members, cents)), event


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A record with members changed, doubled, left out, added and moved about."""
    good, _ = draw(members_and_events())
    return draw(json_texts.mutated(good, RunRecord.model_fields))


def by_the_model(value: bytes) -> RunEvent | str:
    """Read *value* by the model alone: the event, or the name of the member it blames first."""
    try:
        record = RunRecord.model_validate(json.loads(value, parse_float=Decimal))
    except ValidationError as error:
        return str(error.errors()[0]["loc"][0])
    return RunEvent(
        record.run_id if record.id is None else record.id,
        source="",
        occurred_at=record.occurred_at_us,
        outcome=OUTCOMES[record.type],
        cost_nanousd=None if record.cost_cents is None else round(Fraction(record.cost_cents) * 10**7),
        is_id_default=record.id is None,
        **record.model_dump(exclude={"type", "id", "occurred_at", "cost_cents"}),
    )


@settings(SETTINGS, max_examples=500)
@given(mutated())
@example(
    b'{"type":5,"type":"run-started","tenant_id":"t","run_id":"r","worker_id":"w","occurred_at":"1970-01-01T00:00:00Z"}'
)
def test_the_quick_decoder_agrees_with_the_model_on_every_record(value: bytes) -> None:
    expected = by_the_model(value)
    got = decode(value, (), FAR_FUTURE_US)
    assert (got.field if isinstance(got, Invalid) else got) == expected


@SETTINGS
@given(members_and_events())
def test_a_good_record_is_read_as_what_it_says_and_quickly(written: tuple[dict[str, str], RunEvent]) -> None:
    members, event = written
    value = write(list(members.items()))
    assert decode(value, (), FAR_FUTURE_US) == event
    if b"\\u0000" not in value and value.count(b"[") + value.count(b"{") <= 512:
        assert _decode_usual(value, ()) == event


@SETTINGS
@given(members_and_events(), st.data())
def test_headers_stand_for_members_that_are_missing(
    written: tuple[dict[str, str], RunEvent], data: st.DataObject
) -> None:
    members, event = written
    event.source = data.draw(st.just("") | good_texts)
    headers = [
        ("ce_id", event.id.encode()),
        ("ce_time", format_instant(event.occurred_at).encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", json.loads(members["type"]).encode()),
        ("ce_specversion", b"1.0"),
    ]
    for name in data.draw(st.sets(st.sampled_from(["id", "occurred_at", "type"]))):
        members[name] = "null"
    event.is_id_default = False
    assert decode(write(list(members.items())), data.draw(st.permutations(headers)), FAR_FUTURE_US) == event


@SETTINGS
@given(mutated())
def test_whatever_is_accepted_is_valid_by_the_schema(value: bytes) -> None:
    if isinstance(decode(value, (), FAR_FUTURE_US), RunEvent):
        SCHEMA.validate(json.loads(value))


@SETTINGS
@given(st.binary(max_size=60) | st.text('{}[]":,0e-.\\ud8null \n', max_size=60).map(str.encode))
def test_bytes_of_any_kind_are_refused_or_read_but_never_raise(value: bytes) -> None:
    assert isinstance(decode(value, (), 0), RunEvent | Invalid)


@SETTINGS
@given(members_and_events(), st.binary(min_size=1, max_size=3), st.data())
def test_a_record_with_foreign_bytes_in_it_is_judged_like_json(
    written: tuple[dict[str, str], RunEvent], foreign: bytes, data: st.DataObject
) -> None:
    value = write([*written[0].items(), ("x", '"some text"')])
    at = data.draw(st.integers(0, len(value)))
    value = value[:at] + foreign + value[at:]
    try:
        json.loads(value.decode())
    except ValueError:
        assert isinstance(decode(value, (), FAR_FUTURE_US), Invalid)
