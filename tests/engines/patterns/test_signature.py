from __future__ import annotations

import string
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.patterns.signature import compute_error_signature

_GOLDEN = [
    (None, "empty_error"),
    ("", "empty_error"),
    ("Timeout after 30 seconds", "e795036f42cc317a"),
    ("TIMEOUT AFTER 7 SECONDS  ", "e795036f42cc317a"),
    (
        "Run 550e8400-e29b-41d4-a716-446655440000 failed at 2025-12-27 10:11:12 with code 500",
        "487d2edbc7e8a041",
    ),
    ("ConnectionError: unable to connect to API endpoint", "5501fd59e681d4b5"),
    ("   ", "e3b0c44298fc1c14"),
    ("failed at 2025-12-27T10:11:12Z", "b8b269c1b3a34a1d"),
    ("failed at 2025-12-27T11:59:59Z", "8956d351b817a3d7"),
    ("latency 250ms run_42", "909b366e1985e105"),
    ("latency 251ms run_43", "b21ae6ddcc82d968"),
]

_NAMES = st.text(string.ascii_letters, min_size=1)
_UUIDS = st.uuids()


@pytest.mark.parametrize("error,signature", _GOLDEN)
def test_the_signature_is_that_of_the_reference(error: str | None, signature: str) -> None:
    assert compute_error_signature(error) == signature


def test_white_space_alone_is_a_text_and_not_an_empty_error() -> None:
    assert compute_error_signature(" \t\n") == sha256(b"").hexdigest()[:16]


@settings(deadline=None, derandomize=True)
@given(st.text(st.characters(exclude_categories=[]), min_size=1))
def test_every_text_has_sixteen_hexadecimal_digits_even_with_a_lone_surrogate(error: str) -> None:
    signature = compute_error_signature(error)
    assert len(signature) == 16
    assert set(signature) <= set("0123456789abcdef")


@settings(deadline=None, derandomize=True)
@given(st.text(min_size=1), st.text(" \t\n\r"), st.text(" \t\n\r"))
def test_white_space_around_a_text_is_no_part_of_it(error: str, before: str, after: str) -> None:
    assert compute_error_signature(before + error + after) == compute_error_signature(error)


@settings(deadline=None, derandomize=True)
@given(_NAMES, st.integers(0), st.integers(0), _UUIDS, _UUIDS)
def test_numbers_on_their_own_and_uuids_do_not_tell_two_errors_apart(
    name: str, one: int, other: int, mine: object, yours: object
) -> None:
    texts = (f"{name} {number}, run {uuid}: failed" for number, uuid in ((one, mine), (other, yours)))
    assert len({compute_error_signature(text) for text in texts}) == 1


@settings(deadline=None, derandomize=True)
@given(_NAMES, _NAMES)
def test_words_tell_two_errors_apart(one: str, other: str) -> None:
    same = one.lower() == other.lower()
    assert (compute_error_signature(f"{one}: refused") == compute_error_signature(f"{other}: refused")) is same


def test_digits_of_any_script_are_numbers_and_those_beside_letters_are_not() -> None:
    assert compute_error_signature("after ٣ tries") == compute_error_signature("after 3 tries")
    assert compute_error_signature("run_1") != compute_error_signature("run_2")
