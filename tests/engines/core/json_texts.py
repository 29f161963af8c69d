"""Members of JSON objects as texts, good ones and others, for records of any domain that are to be decoded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FAR_FUTURE_US = 1 << 62
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
    [
        "null",
        "true",
        "false",
        "[]",
        "{}",
        '["x"]',
        '{"id":1}',
        '"cost-record"',
        '"run-failed"',
        '"2026-03-18T21:28:01Z"',
    ]
)
anything = st.one_of(texts, numbers, others)

nanousd_exact = st.decimals(0, 10**8, allow_nan=False, allow_infinity=False, places=9)
good_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=256)
instants_us = st.integers(0, 253_370_764_799_999_999)
tokens = st.integers(0, 10**12)


@st.composite
def good_members(draw: st.DrawFn, members: dict[str, object], cents: Decimal | None) -> dict[str, str]:
    """*members* as JSON texts, and ``cost_cents``; some of those that are null are left out."""
    ascii_only = draw(st.booleans())
    written = {name: json.dumps(member, ensure_ascii=ascii_only) for name, member in members.items()}
    written["cost_cents"] = "null" if cents is None else format(cents, "f")
    nulls = [name for name, text in written.items() if text == "null"]
    left_out = draw(st.sets(st.sampled_from(nulls))) if nulls else set()
    return {name: text for name, text in written.items() if name not in left_out}


@st.composite
def mutated(draw: st.DrawFn, good: dict[str, str], names: Iterable[str]) -> bytes:
    """The members *good* with some changed, doubled, left out, added and moved about."""
    members = list(good.items())
    named = st.sampled_from([*names, "source", "cost_nanousd", "x"])
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(members)))
        match draw(st.sampled_from(["change", "put", "drop"])):
            case "change" if at < len(members):
                members[at] = (members[at][0], draw(anything))
            case "drop" if at < len(members):
                del members[at]
            case _:
                members.insert(at, (draw(named), draw(anything)))
    return write(draw(st.permutations(members)) if draw(st.booleans()) else members)


def write(members: Members) -> bytes:
    return ("{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in members) + "}").encode()
