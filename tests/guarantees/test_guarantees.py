"""docs/guarantees.md promises what is listed here, its tests exist, and the damage can still be done.

``make prove`` does the damage, and sees that the tests notice.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.guarantees.promise import Break, Promise
from tests.guarantees.promises import PROMISES

_DOCUMENT = Path("docs/guarantees.md")
_BREAKS = [broken for promise in PROMISES for broken in promise.breaks]
each_promise = pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.title)


def test_the_document_makes_these_promises_in_this_order() -> None:
    headings = re.findall(r"^### (.+)$", _DOCUMENT.read_text(), re.MULTILINE)
    assert headings == [promise.title for promise in PROMISES]


@each_promise
def test_the_document_links_the_tests_of_each_promise(promise: Promise) -> None:
    section = _DOCUMENT.read_text().split(f"### {promise.title}\n")[1].split("\n#")[0]
    linked = [f"{path}::{name}" for name, path in re.findall(r"\[`(\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", section)]
    assert sorted(linked) == sorted({_short(test) for test in promise.tests})


@each_promise
def test_each_promise_has_tests_that_exist_and_a_break_that_one_of_them_catches(promise: Promise) -> None:
    assert [test for test in promise.tests if not _exists(test)] == []
    assert promise.breaks
    assert [broken.says for broken in promise.breaks if not _exists(broken.caught_by)] == []


@pytest.mark.parametrize("broken", _BREAKS, ids=lambda broken: broken.says)
def test_each_break_is_of_code_that_is_there_and_stays_code(broken: Break) -> None:
    whole = Path(broken.path).read_text()
    assert whole.count(broken.old) == 1
    damaged = whole.replace(broken.old, broken.new)
    assert ast.dump(ast.parse(damaged)) != ast.dump(ast.parse(whole))


def _short(test: str) -> str:
    path, *_, name = test.split("::")
    return f"{path}::{name}"


def _exists(test: str) -> bool:
    """Whether *test* is there; one of a class may be inherited from the contract suite beside it."""
    path, *_, name = test.split("::")
    sources = [Path(path), *Path("tests/drivers").glob("store_*.py")] if "::Test" in test else [Path(path)]
    return any(re.search(rf"^\s*(async )?def {name}\(", source.read_text(), re.MULTILINE) for source in sources)
