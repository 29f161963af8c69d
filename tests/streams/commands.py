"""Runs ``outlay`` in this process, as the console script does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from streams.cli import main

T = TypeVar("T")


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The JSON object on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def run(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> Ran:
    """Run ``outlay`` with *arguments*."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    code = ended.value.code
    out, err = capfd.readouterr()
    return Ran(code if isinstance(code, int) else 0 if code is None else 1, out, err)


Outlay = Callable[..., Ran]


def listed(ran: Ran) -> list[dict[str, Any]]:
    """Return the JSON array on standard output."""
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out)
    return found


def aside(work: Coroutine[Any, Any, T]) -> T:
    """Return what *work* returns; it gets a loop of its own, whatever runs in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
