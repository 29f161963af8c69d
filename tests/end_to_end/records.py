"""What end-to-end tests publish: a month of five companies, files of one's own, and small streams full of edges."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from streams.demo.scenario import month
from streams.homes import tenant_key
from tests.end_to_end.broker import Sent
from tests.generated import Shape
from tests.strategies import make_stream

OWN_DATA = "OUTLAY_TEST_DATA"
"""A folder; each `*.jsonl.gz` of cost records in it makes one more run of what is done with whole files."""
_MONTH = "a month"
_ONE_OF_IT = "a month of one tenant"


def whole_files() -> list[str]:
    """Return the names of the files to go through: a generated one, and those of one's own if there are any."""
    return [_MONTH, *_own()]


def files_of_one_tenant() -> list[str]:
    """Return the names of those files that hold one tenant's records alone."""
    return [_ONE_OF_IT, *(name for name in _own() if len({tenant_key(line) for line in lines_of(name)}) == 1)]


def lines_of(name: str) -> list[bytes]:
    """Return the records of one of these files."""
    if name == _MONTH:
        return month(7).lines
    if name == _ONE_OF_IT:
        return [line for line in month(7).lines if tenant_key(line) == b"globex-studio"]
    with gzip.open(Path(os.environ[OWN_DATA]) / name) as file:
        return [line for line in file.read().split(b"\n") if line.strip()]


def _own() -> list[str]:
    folder = os.environ.get(OWN_DATA)
    return sorted(path.name for path in Path(folder).glob("*.jsonl.gz")) if folder else []


def keyed(lines: list[bytes]) -> list[Sent]:
    """Return *lines* as producers send them: the key is the tenant."""
    return [(tenant_key(line), line, ()) for line in lines]


def small(seed: int, records_max: int = 1200) -> list[Sent]:
    """Return a stream with copies, disorder, late, foreign and bad records, without time stamps of its own."""
    shape = Shape(records_max=records_max, tenants=12, append="none")
    return [(entry.key, entry.value, entry.headers) for entry in make_stream(seed, shape)]
