import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from drivers.memory.store import MemoryStore, RowKey, RowValues
from engines.core.model import IdBlock, PageKey
from tests.drivers.rows import anomaly, snapshot
from tests.drivers.store_contract import StoreContract
from tests.drivers.store_subject import LOG, TP, Subject, batch, message, moved

READS = (
    "read_position",
    "load_pages",
    "load_ids",
    "load_settings",
    "stale_pages",
    "load_outbox",
    "page_tenants",
    "first_bucket",
)


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def subject(self) -> Subject:
        store = MemoryStore()

        async def rows(table: str) -> dict[RowKey, RowValues]:
            return store.rows(table)

        async def append(rows: Sequence[tuple[str, str, int | None, bytes]]) -> list[int]:
            return store.append_settings(rows)

        return Subject(store, rows, append)


async def test_a_restored_store_is_as_it_was_and_knows_nothing_newer() -> None:
    store = MemoryStore()
    claimed = await store.claim(TP, LOG)
    old, new = PageKey("old", "cost.day", 0), PageKey("new", "cost.day", 0)
    contents: dict[str, Any] = {"id_blocks": [IdBlock(1, 1, b"a")], "outbox": [message(1)], "rows": [snapshot()]}
    assert await store.commit(batch(claimed, pages=[(old, b"1")], **contents))
    assert store.append_settings([("tag", "acme", 0, b"{}")]) == [1]
    backup = store.snapshot()
    newer: dict[str, Any] = {
        "id_blocks": [IdBlock(1, 2, b"b")],
        "outbox": [message(2)],
        "rows": [snapshot(requests=9), anomaly()],
    }
    for _ in range(2):  # a backup can be restored more than once
        changes = {"published": 1, "next_offset": 7}
        assert await store.commit(batch(moved(claimed), changes, pages=[(old, b"2"), (new, b"2")], **newer))
        assert store.append_settings([("tag", "acme", 0, b"{}")]) == [2]
        store.restore(backup)
        assert [row.seq for row in await store.load_settings(TP, 0)] == [1]
        assert await store.read_position(TP) == moved(claimed)
        assert {key: page.body for key, page in store.pages[TP].items()} == {old: b"1"}
        assert await store.load_pages(TP, [old, new]) == {old: b"1"}
        assert await store.page_tenants(TP, "cost.day", range(1), None, 10) == ["old"]
        assert await store.load_ids(TP, None) == [IdBlock(1, 1, b"a")]
        assert list(store.outbox[TP]) == [1]
        assert list(store.rows("snapshots").values()) == [snapshot().values]
        assert store.rows("anomalies") == {}


async def test_effects_happen_between_the_two_suspensions() -> None:
    seen: list[tuple[str, int | None]] = []

    async def suspend(name: str) -> None:
        await asyncio.sleep(0)
        row = store.positions.get(TP)
        seen.append((name, None if row is None else row.version))

    store = MemoryStore(suspend)
    claimed = await store.claim(TP, LOG)
    assert await store.commit(batch(claimed))
    assert seen == [("claim:before", None), ("claim:after", 1), ("commit:before", 1), ("commit:after", 2)]
    seen.clear()
    await store.read_position(TP)
    await store.load_pages(TP, [])
    await store.load_ids(TP, None)
    await store.load_settings(TP, 0)
    await store.stale_pages(TP, 0)
    await store.load_outbox(TP, 0, 1)
    await store.page_tenants(TP, "cost.day", range(1), None, 1)
    await store.first_bucket(TP, "cost.day", range(1))
    assert [name for name, _ in seen] == [f"{name}:{when}" for name in READS for when in ("before", "after")]


async def test_a_commit_whose_reply_is_lost_has_happened() -> None:
    class Lost(Exception):
        pass

    async def suspend(name: str) -> None:
        if name == "commit:after":
            raise Lost

    store = MemoryStore(suspend)
    claimed = await store.claim(TP, LOG)
    with pytest.raises(Lost):
        await store.commit(batch(claimed, {"next_offset": 9}))
    assert store.positions[TP].next_offset == 9
