"""Whatever lies on the topic: each record goes where the contract says, the rest of its chunk is processed."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from aiokafka import AIOKafkaProducer

from tests import oracle
from tests.end_to_end import exact
from tests.end_to_end.deployment import PARTITIONS, Deployment

TENANT = "acme"
_BODY = {"occurred_at": "2026-03-01T12:00:00Z", "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 10}
_HEADER = ("trace", b"\x00\xff")


def good(number: int, tenant: str = TENANT) -> bytes:
    """Return a record that nothing is wrong with."""
    return json.dumps(_BODY | {"id": f"e{number}", "tenant_id": tenant}).encode()


def with_text(name: str, text: bytes) -> bytes:
    """Return a record whose field *name* is the JSON *text*."""
    return good(0)[:-1] + b',"' + name.encode() + b'":' + text + b"}"


NAMELESS: list[bytes | None] = [
    b"not json",
    b"[1,2]",
    b"7",
    b"",
    None,
    b'{"id":"\xff\xfe"}',
    with_text("later", b'"' + b"x" * (1 << 20) + b'"'),
    with_text("later", b"[" * 400_000 + b"]" * 400_000),
]
BLAMED = {
    "user_id": b'"a\\u0000b"',
    "feature_tag": b'"\\ud800"',
    "cost_cents": b"1e400",
    "input_tokens": b"-1",
    "model": b'""',
}
NOT_JUDGED = [with_text("later", b'["\\ud800",1e400,"\\u0000"]'), with_text("later", b"[" * 60 + b"]" * 60)]


async def publish(bootstrap: str) -> None:
    """Publish it all, good records before, between and behind."""
    home = oracle.home(TENANT, PARTITIONS)
    values = [good(1), *NAMELESS, *(with_text(name, text) for name, text in BLAMED.items()), good(2)]
    values += [value.replace(b'"e0"', b'"n%d"' % n) for n, value in enumerate(NOT_JUDGED)]
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=4 << 20) as producer:
        for value in values:
            await producer.send("costs", value, b"any key", home, headers=[_HEADER])
        await producer.send("costs", good(3), None, home)
        await producer.send("costs", good(4), b"foreign", (home + 1) % PARTITIONS)
        await producer.send("costs", good(4), None, (home + 2) % PARTITIONS)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"t-{bootstrap}") as producer:
        for number, commit in ((5, False), (6, True), (7, False)):
            await producer.begin_transaction()
            await producer.send_and_wait("costs", good(number), TENANT.encode(), home)
            await (producer.commit_transaction() if commit else producer.abort_transaction())


def test_each_bad_record_goes_where_the_contract_says_and_the_rest_is_counted(deployment: Deployment) -> None:
    asyncio.run(publish(deployment.bootstrap))
    with deployment.worker() as worker:
        found = exact.exact(deployment)
        assert worker.process.poll() is None
        assert "Traceback" not in worker.said

    dead = {field: [line for line in found.dead if line["field"] == field] for field in (None, *BLAMED)}
    assert [content(line) for line in dead[None]] == NAMELESS
    assert {field: [content(line) for line in dead[field]] for field in BLAMED} == {
        field: [with_text(field, text)] for field, text in BLAMED.items()
    }
    assert all(line["key"] == base64.b64encode(b"any key").decode() for line in found.dead)
    assert all(line["headers"] == [[_HEADER[0], base64.b64encode(_HEADER[1]).decode()]] for line in found.dead)
    assert len(found.dead) == len(NAMELESS) + len(BLAMED)

    told = {name: found.counts.get(name, 0) for name in ("accepted", "duplicates", "forwarded", "late")}
    assert told == {"accepted": 5 + len(NOT_JUDGED), "duplicates": 1, "forwarded": 2, "late": 0}


def content(line: dict[str, Any]) -> bytes | None:
    """Return the value that a dead line carries."""
    value: str | None = line["value_base64"]
    return None if value is None else base64.b64decode(value)
