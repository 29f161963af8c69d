"""What end-to-end tests publish: a month of five companies, files of one's own, and small streams full of edges."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterable
from itertools import count, zip_longest
from pathlib import Path
from typing import NamedTuple

from streams.demo.scenario import month
from streams.homes import tenant_key
from tests import oracle
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import PARTITIONS
from tests.generated import Shape
from tests.oracle.runs import making
from tests.oracle.runs.histories import make_history
from tests.strategies import make_rich_stream, make_stream

Names = dict[tuple[int, str], str]
"""Tenants by seed, and by their name in its stream."""
OWN_DATA = "OUTLAY_TEST_DATA"
"""A folder; each `*.jsonl.gz` of cost records in it makes one more run of what is done with whole files."""
_MONTH = "a month"
_ONE_OF_IT = "a month of one tenant"
_AT_ONE_HOME = "a month of tenants with one home"
_FOREIGN_EVERY = 12
_END = "2026-10-01T00:00:00Z"


def whole_files() -> list[str]:
    """Return the names of the files to go through: a generated one, and those of one's own if there are any."""
    return [_MONTH, *own_files()]


def files_of_one_tenant() -> list[str]:
    """Return the names of those files that hold one tenant's records alone."""
    return [_ONE_OF_IT, *(name for name in own_files() if len({tenant_key(line) for line in lines_of(name)}) == 1)]


def files_to_mix() -> list[str]:
    """Return the names of the files for a foreign partitioner: a generated one, and those of one's own."""
    return [_AT_ONE_HOME, *own_files()]


def lines_of(name: str) -> list[bytes]:
    """Return the records of one of these files."""
    if name == _MONTH:
        return month(7).lines
    if name == _ONE_OF_IT:
        return [line for line in month(7).lines if tenant_key(line) == b"globex-studio"]
    if name == _AT_ONE_HOME:
        return _at_one_home(month(7).lines[::10])
    with gzip.open(Path(os.environ[OWN_DATA]) / name) as file:
        return [line for line in file.read().split(b"\n") if line.strip()]


def own_files() -> list[str]:
    """Return the names of the files of one's own."""
    folder = os.environ.get(OWN_DATA)
    return sorted(path.name for path in Path(folder).glob("*.jsonl.gz")) if folder else []


def keyed(lines: list[bytes]) -> list[Sent]:
    """Return *lines* as producers send them: the key is the tenant."""
    return [(tenant_key(line), line, ()) for line in lines]


def small(seed: int, records_max: int = 1200) -> list[Sent]:
    """Return a stream with copies, disorder, late, foreign and bad records, without time stamps of its own."""
    shape = Shape(records_max=records_max, tenants=12, append="none")
    return [(entry.key, entry.value, entry.headers) for entry in make_stream(seed, shape)]


class Rich(NamedTuple):
    """Records on which every rule has something to say."""

    tenants: Names
    records: list[Sent]


def rich(*seeds: int) -> Rich:
    """Return the rich streams of *seeds* side by side, some records under a foreign key.

    No two tenants share a home, as each stream has a time of its own.
    """
    names: Names = {}
    homes: set[int] = set()
    placed: list[tuple[float, Sent]] = []
    for seed in seeds:
        log = make_rich_stream(seed, "none").log
        for place, entry in enumerate(log):
            tenant = (entry.key or b"").decode()
            if (seed, tenant) not in names:
                names[seed, tenant] = _named(tenant, lambda name: oracle.home(name, PARTITIONS) not in homes)
                homes.add(oracle.home(names[seed, tenant], PARTITIONS))
            name = names[seed, tenant]
            key = f"not {name}" if place % _FOREIGN_EVERY == 1 else name
            placed.append((place / len(log), (key.encode(), _renamed(entry.value or b"", tenant, name), entry.headers)))
    return Rich(names, [sent for _, sent in sorted(placed, key=lambda one: one[0])])


def at_home(stream: Iterable[Sent]) -> list[Sent]:
    """Return *stream* with the key of each record that can be read being its tenant's, so that none is forwarded."""
    found: list[Sent] = []
    for key, value, headers in stream:
        record = oracle.decode(value, headers)
        found.append((record.tenant_id.encode() if isinstance(record, oracle.Record) else key or b"", value, headers))
    return found


def _at_one_home(lines: list[bytes]) -> list[bytes]:
    """Return *lines* of tenants that share a home, though crc32 would send each elsewhere, and none there."""
    names: dict[bytes, str] = {}
    taken = {0}
    for key in dict.fromkeys(map(tenant_key, lines)):
        if key is not None:
            name = _named(
                key.decode(), lambda name: oracle.home(name, PARTITIONS) == 0 and crc32_place(name) not in taken
            )
            names[key] = name
            taken.add(crc32_place(name))
    return [line if (key := tenant_key(line)) is None else _renamed(line, key.decode(), names[key]) for line in lines]


def crc32_place(tenant: str) -> int:
    """Return where librdkafka puts the records of *tenant* by default."""
    return zlib.crc32(tenant.encode()) % PARTITIONS


def _named(tenant: str, fits: Callable[[str], bool]) -> str:
    return next(name for name in (f"{tenant}-{n}" for n in count()) if fits(name))


def _renamed(value: bytes, tenant: str, name: str) -> bytes:
    """Return the record *value* as one of the tenant *name*; it says "tenant_id" without blanks around."""
    old, new = (b'"tenant_id":' + json.dumps(each, ensure_ascii=False).encode() for each in (tenant, name))
    renamed = value.replace(old, new)
    assert renamed != value
    return renamed


def of_runs(seed: int, histories: int = 4, runs_max: int = 200) -> list[Sent]:
    """Return events of runs, each history with tenants of its own; in the end time goes on, and settles the most."""
    sent: list[list[Sent]] = []
    for number in range(histories):
        shape = making.Shape(runs_max=runs_max, tenants=4, foreign=True)
        sent.append([_numbered(entry, number) for entry in make_history(seed * histories + number, shape)])
    mixed = [one for several in zip_longest(*sent) for one in several if one is not None]
    return [*mixed, *(_at_the_end(number) for number in range(4 * PARTITIONS))]


def _numbered(entry: oracle.LogRecord, number: int) -> Sent:
    value = (entry.value or b"").replace(b'"tenant_id": "', f'"tenant_id": "{number}-'.encode())
    return (entry.key or tenant_key(value), entry.value and value, entry.headers)


def _at_the_end(number: int) -> Sent:
    """Return a mere start, of a tenant of its own, long after all else."""
    body = {"type": "run-started", "run_id": "end", "tenant_id": f"end-{number}", "worker_id": "w", "occurred_at": _END}
    return (body["tenant_id"].encode(), json.dumps(body).encode(), ())
