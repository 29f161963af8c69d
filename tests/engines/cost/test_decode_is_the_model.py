"""The quick decoder and the contract's model read every record alike, and accept the same ones."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from engines.core.model import Invalid
from engines.core.time import format_instant
from engines.cost.decode import CostEvent, _decode_usual, decode
from engines.cost.record import CostRecord, json_schema

FAR_FUTURE_US = 1 << 62
SCHEMA = Draft202012Validator(json_schema())

SETTINGS = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""The first look at Unicode's tables takes a second."""

Members = list[tuple[str, str]]

escapes = st.sampled_from(
    [r"\ud800", r"\udc00", r"\ud83d\ude00", r"\u0000", r"\"", r"\\u0000", r"\/", r"\u00e9", "\\\\"]
)
texts = st.one_of(
    st.builds(lambda text, ascii_only: json.dumps(text, ensure_ascii=ascii_only), st.text(max_size=8), st.booleans()),
    st.builds(lambda *parts: f'"{"".join(parts)}"', st.sampled_from(["", "a"]), escapes, st.sampled_from(["", "a"])),
    st.builds(
        lambda length, letter: f'"{letter * length}"', st.integers(255, 257), st.sampled_from(["a", "é", "\U0001f600"])
    ),
)
numbers = st.one_of(
    st.integers(-2, 10).map(str),
    st.integers(10**12 - 2, 10**12 + 2).map(str),
    st.integers().map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.builds(
        lambda whole, half: f"{whole}.{half}5", st.integers(0, 10**8), st.from_regex(r"[0-9]{7,9}", fullmatch=True)
    ),
    st.floats(0, 1e9, allow_nan=False).map(repr),
    st.sampled_from(["-0", "-0.0", "100000000", "100000000.0", "100000000.00000001", "1e8", "1e400", "1e-400"]),
)
others = st.sampled_from(
    ["null", "true", "false", "[]", "{}", '["x"]', '{"id":1}', '"cost-record"', '"2026-03-18T21:28:01Z"']
)
anything = st.one_of(texts, numbers, others)

nanousd_exact = st.decimals(0, 10**8, allow_nan=False, allow_infinity=False, places=9)
good_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=256)
instants_us = st.integers(0, 253_370_764_799_999_999)
tokens = st.integers(0, 10**12)


@st.composite
def members_and_events(draw: st.DrawFn) -> tuple[dict[str, str], CostEvent]:
    """A good record, its members as JSON texts, and the event it is, without asking the code under test."""
    occurred_at = draw(instants_us)
    input_tokens = draw(tokens)
    cached = draw(st.none() | st.integers(0, input_tokens))
    cents = draw(st.none() | nanousd_exact)
    retry = draw(st.sampled_from([None, True, False]))
    optional = {name: draw(st.none() | good_texts) for name in CostEvent.__struct_fields__[7:13]}
    event = CostEvent(
        draw(good_texts),
        draw(good_texts),
        "",
        occurred_at,
        draw(good_texts),
        input_tokens,
        draw(tokens),
        **optional,
        cached_input_tokens=cached or 0,
        is_retry=retry or False,
        cost_nanousd=None if cents is None else round(Fraction(cents) * 10**7),
    )
    members: dict[str, object] = {name: getattr(event, name) for name in CostEvent.__struct_fields__}
    members |= {"occurred_at": format_instant(occurred_at), "cached_input_tokens": cached, "is_retry": retry}
    del members["source"], members["cost_nanousd"]
    ascii_only = draw(st.booleans())
    written = {name: json.dumps(member, ensure_ascii=ascii_only) for name, member in members.items()}
    written["cost_cents"] = "null" if cents is None else format(cents, "f")
    nulls = [name for name, text in written.items() if text == "null"]
    left_out = draw(st.sets(st.sampled_from(nulls))) if nulls else set()
    return {name: text for name, text in written.items() if name not in left_out}, event


def write(members: Members) -> bytes:
    return ("{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in members) + "}").encode()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A record with members changed, doubled, left out, added and moved about."""
    good, _ = draw(members_and_events())
    members = list(good.items())
    names = st.sampled_from([*CostRecord.model_fields, "source", "cost_nanousd", "x"])
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(members)))
        match draw(st.sampled_from(["change", "put", "drop"])):
            case "change" if at < len(members):
                members[at] = (members[at][0], draw(anything))
            case "drop" if at < len(members):
                del members[at]
            case _:
                members.insert(at, (draw(names), draw(anything)))
    return write(draw(st.permutations(members)) if draw(st.booleans()) else members)


def by_the_model(value: bytes) -> CostEvent | str:
    """Read *value* by the model alone: the event, or the name of the member it blames first."""
    try:
        record = CostRecord.model_validate(json.loads(value, parse_float=Decimal))
    except ValidationError as error:
        return str(error.errors()[0]["loc"][0])
    return CostEvent(
        record.id,
        record.tenant_id,
        "",
        record.occurred_at_us,
        cost_nanousd=None if record.cost_cents is None else round(Fraction(record.cost_cents) * 10**7),
        **record.model_dump(exclude={"type", "id", "tenant_id", "occurred_at", "cost_cents"}),
    )


@settings(SETTINGS, max_examples=500)
@given(mutated())
@example(
    b'{"id":5,"id":"a","tenant_id":"t","occurred_at":"1970-01-01T00:00:00Z","model":"m",'
    b'"input_tokens":1,"output_tokens":1}'
)
def test_the_quick_decoder_agrees_with_the_model_on_every_record(value: bytes) -> None:
    expected = by_the_model(value)
    got = decode(value, (), FAR_FUTURE_US)
    assert (got.field if isinstance(got, Invalid) else got) == expected


@SETTINGS
@given(members_and_events())
def test_a_good_record_is_read_as_what_it_says_and_quickly(written: tuple[dict[str, str], CostEvent]) -> None:
    members, event = written
    value = write(list(members.items()))
    assert decode(value, (), FAR_FUTURE_US) == event
    if b"\\u0000" not in value:
        assert _decode_usual(value, ()) == event


@SETTINGS
@given(members_and_events(), st.data())
def test_headers_stand_for_members_that_are_missing(
    written: tuple[dict[str, str], CostEvent], data: st.DataObject
) -> None:
    members, event = written
    event.source = data.draw(st.just("") | good_texts)
    headers = [
        ("ce_id", event.id.encode()),
        ("ce_time", format_instant(event.occurred_at).encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", b"cost-record"),
        ("ce_specversion", b"1.0"),
    ]
    for name in data.draw(st.sets(st.sampled_from(["id", "occurred_at"]))):
        members[name] = "null"
    assert decode(write(list(members.items())), data.draw(st.permutations(headers)), FAR_FUTURE_US) == event


@SETTINGS
@given(mutated())
def test_whatever_is_accepted_is_valid_by_the_schema(value: bytes) -> None:
    if isinstance(decode(value, (), FAR_FUTURE_US), CostEvent):
        SCHEMA.validate(json.loads(value))


@SETTINGS
@given(st.binary(max_size=60) | st.text('{}[]":,0e-.\\ud8null \n', max_size=60).map(str.encode))
def test_bytes_of_any_kind_are_refused_or_read_but_never_raise(value: bytes) -> None:
    assert isinstance(decode(value, (), 0), CostEvent | Invalid)


@SETTINGS
@given(members_and_events(), st.binary(min_size=1, max_size=3), st.data())
def test_a_record_with_foreign_bytes_in_it_is_judged_like_json(
    written: tuple[dict[str, str], CostEvent], foreign: bytes, data: st.DataObject
) -> None:
    value = write([*written[0].items(), ("x", '"some text"')])
    at = data.draw(st.integers(0, len(value)))
    value = value[:at] + foreign + value[at:]
    try:
        json.loads(value.decode())
    except ValueError:
        assert isinstance(decode(value, (), FAR_FUTURE_US), Invalid)
