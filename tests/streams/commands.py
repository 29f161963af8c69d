"""Runs ``outlay`` in this process, as the console script does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams.cli import main


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
