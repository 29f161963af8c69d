"""A promise as docs/guarantees.md makes it, and a way to break it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Break:
    """Damage to one file: *old*, which occurs once, becomes *new*.

    Attributes:
        says: what is wrong then, in a few words.
        path: of the file, from the root of the project.
        caught_by: the test that must fail, as pytest names it (without parameters).
    """

    says: str
    path: str
    old: str
    new: str
    caught_by: str


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise.

    Attributes:
        title: its heading in the document.
        tests: that prove it, as pytest names them (without parameters).
        breaks: each of which one of the tests catches.
    """

    title: str
    tests: tuple[str, ...]
    breaks: tuple[Break, ...]
