"""What holds of the signature of any text, also of one made to take long."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.patterns.masks.lexicon import TELLING_KEYS
from engines.patterns.signature import compute_error_signature
from engines.patterns.signature_v2 import (
    TEXT_LENGTH_MAX,
    compute_signature_v2,
    signature_of_template,
    template_of,
)

_ANY_TEXT = st.text(st.characters(exclude_categories=[]))
_PIECES = st.sampled_from(
    [
        "a",
        "7",
        " ",
        "  ",
        "\n",
        ".",
        "..",
        ":",
        "::",
        "=",
        "==",
        ",",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "<",
        ">",
        '"',
        "'",
        "/",
        "\\",
        "-",
        "_",
        "@",
        "://",
        "<*>",
        "ms",
        "Jan",
        "user",
        "for",
        "from",
        "status",
        "404",
        "none",
        "\n\tat x(",
    ]
)
_TEXTS = st.one_of(_ANY_TEXT, st.lists(_PIECES, max_size=40).map("".join))
_WORDS = st.text(string.ascii_lowercase.replace("e", ""), min_size=3, max_size=12)

# Each repeats something that some rule looks for, and breaks off just before it is complete.
_ADVERSARIAL = [
    *(
        "a",
        "1",
        "a1",
        ".",
        "a.",
        "a..",
        "a.b..",
        ":",
        "1:",
        "ab:",
        "f:1",
        "::",
        "=",
        "a=",
        "a=(",
        "a=b:",
        "=A{",
        "='",
        "= '",
    ),
    *(
        "(",
        ")",
        "([{",
        "a(",
        "1 (",
        "1 () ",
        "1 (2) ",
        "[]",
        "{}",
        "'",
        '"',
        "'\"`",
        "a'",
        "'a",
        "/",
        "/a",
        "//",
        "a/",
        "\\",
    ),
    *(
        "C:",
        "C:\\",
        "x+",
        "x+:/",
        "a@",
        "@",
        "@1",
        "-",
        "1-",
        "- ",
        "1 - ",
        "Jan ",
        "Jan, ",
        "1 Jan ",
        "1 ms ",
        "< 1 ",
        "<1",
    ),
    *(
        "user ",
        "for user ",
        "for a from ",
        "for a from 1 ",
        "status 404 ",
        "code: ",
        "http/",
        "none ",
        ": none",
        "a1b",
        "ab1",
        "a[1",
        "a[1-",
        "a-[1,1]b",
        "node[1-1",
        "abcdefgh1abcdefgh=a",
        "+/1=",
        "超1",
        "\n at :1",
    ),
    *(
        " ",
        "\t",
        "\n",
        "\r\n",
        "\n ",
        "\n    ",
        "\n\tat ",
        "\n at a",
        '\n  File "',
        '\n  File "a", line 1',
        "\n... 1",
        "\n^~ ",
    ),
    *("İ", "٣", "\ud800", "<*>", "<*> ", "é", "\x00"),
]


@settings(deadline=None, derandomize=True)
@given(_TEXTS)
def test_a_signature_is_that_of_the_template_and_of_no_other_version(error: str) -> None:
    template, signature = template_of(error), compute_signature_v2(error)
    assert signature == signature_of_template(template)
    assert signature != compute_error_signature(template) or signature == "empty_error"
    assert template == "" or (len(signature) == 16 and set(signature) <= set("0123456789abcdef"))


@settings(deadline=None, derandomize=True)
@given(_TEXTS)
def test_a_template_is_one_line_without_runs_of_white_space(error: str) -> None:
    template = template_of(error)
    assert template == " ".join(template.split())


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(_WORDS, min_size=1, max_size=6), st.integers(0), st.integers(0), st.uuids(), st.uuids())
def test_numbers_and_ids_between_words_never_tell_errors_apart(
    words: list[str], one: int, other: int, mine: object, yours: object
) -> None:
    texts = (
        " ".join(f"{word} {number} {identifier}" for word in words)
        for number, identifier in ((one, mine), (other, yours))
    )
    assert len({template_of(text) for text in texts}) == 1


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(_WORDS.filter(lambda key: key not in TELLING_KEYS), st.tuples(_WORDS, _WORDS), min_size=1))
def test_values_after_an_equals_sign_never_tell_errors_apart(pairs: dict[str, tuple[str, str]]) -> None:
    one = "refused: " + ", ".join(f"{key}={value}" for key, (value, _) in pairs.items())
    other = "refused: " + ", ".join(f'{key}="{value} and more"' for key, (_, value) in pairs.items())
    assert template_of(one) == template_of(other)


@settings(deadline=None, derandomize=True)
@given(_WORDS, _WORDS)
def test_the_class_of_an_error_tells_errors_apart(one: str, other: str) -> None:
    same = template_of(f"{one.title()}Error: refused") == template_of(f"{other.title()}Error: refused")
    assert same is (one == other)


@pytest.mark.parametrize("error", ["!", "\n\tat x.y(", "'", "7"])
def test_text_past_the_limit_is_not_read(error: str) -> None:
    head = "no room for this " * (TEXT_LENGTH_MAX // 17 + 1)
    assert compute_signature_v2(head + error) == compute_signature_v2(head)


@pytest.mark.parametrize("piece", _ADVERSARIAL, ids=ascii)
def test_the_longest_text_of_any_pattern_takes_linear_work(piece: str) -> None:
    """64 KiB take some tens of milliseconds; work that grew with the square would take minutes."""
    started = time.process_time()
    template_of(piece * (TEXT_LENGTH_MAX // len(piece)) + "!")
    assert time.process_time() - started < 3
