"""What every ``Store`` must do of settings rows, and of batches that know them."""

import json

import pytest

from engines.core.errors import SettingsMoved
from engines.core.model import PageKey, Position
from engines.core.ports import Store
from tests.drivers.store_subject import LOG, TP, StoreTests, Subject, batch, moved

BUDGET = b'{"budget_type":"tenant","daily_limit_cents":500}'
RULES = [
    ("budget", "Ténant \U0001f4b8", None, BUDGET),
    ("rule", "*", 253_370_764_799_999_999, b'{"name":"drift_pct_min","value":18446744073709551617}'),
    ("tag", "acme", 0, b'{"tag":"search"}'),
]
KEY = PageKey("acme", "cost.day", 24)


class SettingsContract(StoreTests):
    """The part of the suite that is about what is not in the log."""

    async def test_settings_come_back_in_the_order_of_their_appending(self, subject: Subject) -> None:
        assert await subject.store.load_settings(TP, 0) == []
        assert await subject.append(RULES[:1]) == [1]
        assert await subject.append(RULES[1:]) == [2, 3]
        found = await subject.store.load_settings(TP, 0)
        assert [(row.seq, row.kind, row.tenant_id, row.effective_us) for row in found] == [
            (seq, *row[:3]) for seq, row in enumerate(RULES, 1)
        ]
        assert [json.loads(row.body) for row in found] == [json.loads(row[3]) for row in RULES]
        assert await subject.store.load_settings(TP, 2) == found[2:]
        assert await subject.store.load_settings(TP, 3) == []

    async def test_a_close_that_knows_the_newest_row_is_committed(self, subject: Subject) -> None:
        claimed = await subject.store.claim(TP, LOG)
        assert await subject.store.commit(batch(claimed, {"closed_through": 1}, settings_seq=0))
        await subject.append(RULES)
        changes = {"closed_through": 2, "settings_seq": 3}
        assert await subject.store.commit(batch(moved(claimed), changes, settings_seq=3, pages=[(KEY, b"body")]))
        assert await _row(subject.store) == moved(moved(claimed), released=True, **changes)
        assert await subject.store.load_pages(TP, [KEY]) == {KEY: b"body"}

    async def test_a_close_that_does_not_know_the_newest_row_changes_nothing(self, subject: Subject) -> None:
        claimed = await subject.store.claim(TP, LOG)
        await subject.append(RULES)
        before = await _row(subject.store)
        with pytest.raises(SettingsMoved):
            await subject.store.commit(batch(claimed, {"closed_through": 1}, settings_seq=2, pages=[(KEY, b"body")]))
        with pytest.raises(SettingsMoved):
            await subject.store.commit(batch(claimed, {"closed_through": 1}, settings_seq=0))
        assert await _row(subject.store) == before
        assert await subject.store.load_pages(TP, [KEY]) == {}

    async def test_a_close_that_knew_a_row_the_database_lost_changes_nothing(self, subject: Subject) -> None:
        claimed = await subject.store.claim(TP, LOG)
        await subject.append(RULES)
        before = await _row(subject.store)
        with pytest.raises(SettingsMoved):
            await subject.store.commit(batch(claimed, {"closed_through": 1}, settings_seq=4))
        assert await _row(subject.store) == before

    async def test_what_closes_nothing_need_not_know_the_newest_row(self, subject: Subject) -> None:
        claimed = await subject.store.claim(TP, LOG)
        await subject.append(RULES)
        assert await subject.store.commit(batch(claimed, {"next_offset": 9}, pages=[(KEY, b"body")]))

    async def test_a_fenced_close_is_fenced_whatever_it_knows(self, subject: Subject) -> None:
        claimed = await subject.store.claim(TP, LOG)
        await subject.store.claim(TP, LOG)
        await subject.append(RULES)
        assert await subject.store.commit(batch(claimed, {"closed_through": 1}, settings_seq=0)) is False


async def _row(store: Store) -> Position:
    found = await store.read_position(TP)
    assert found is not None
    return found
