"""What every ``Store`` must do of claims, fencing and refusals: run on each implementation by its subclass."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from engines.core.errors import DataRefused, PositionRefused
from engines.core.model import Attempt, Batch, IdBlock, PageKey, Position, TopicPartition
from engines.core.ports import Store
from tests.drivers.rows import anomaly, snapshot
from tests.drivers.store_contents import ContentsContract
from tests.drivers.store_settings import SettingsContract
from tests.drivers.store_subject import LOG, TP, Subject, batch, message, moved


class StoreContract(ContentsContract, SettingsContract):
    """The whole suite."""

    # ------------------------------------------------------------ claims

    async def test_a_first_claim_starts_at_the_beginning_of_the_log(self, store: Store) -> None:
        claimed = await store.claim(TP, LOG)
        assert claimed == Position(
            *TP, "cluster", "topic", next_offset=5, epoch=claimed.epoch, version=1, released=True
        )
        assert claimed.epoch > 0

    async def test_nothing_is_there_before_the_first_claim(self, store: Store) -> None:
        assert await store.read_position(TP) is None
        assert await store.load_pages(TP, [PageKey("t", "cost.day", 0)]) == {}
        assert await store.load_ids(TP, None) == []
        assert await store.load_settings(TP, 0) == []
        assert await store.load_outbox(TP, 0, 10) == []
        assert await store.stale_pages(TP, -1) == []

    async def test_each_claim_raises_epoch_and_version_and_holds_the_row(self, store: Store) -> None:
        first = await store.claim(TP, LOG)
        second = await store.claim(TP, LOG)
        assert second.epoch > first.epoch
        assert (second.version, second.released) == (first.version + 1, False)
        assert await store.read_position(TP) == replace(second, released=False)

    async def test_a_claim_tells_whether_the_last_owner_left_cleanly(self, store: Store) -> None:
        first = await store.claim(TP, LOG)
        assert await store.commit(batch(first, {"released": True}))
        assert (await store.claim(TP, LOG)).released is True
        assert (await store.claim(TP, LOG)).released is False

    @pytest.mark.parametrize(
        "change, word",
        [
            ({"partitions": 13}, "partitions"),
            ({"cluster_id": "other"}, "cluster"),
            ({"topic_id": "other"}, "topic id"),
            ({"start": 6}, "outside"),
            ({"end": 4, "start": 0}, "outside"),
        ],
    )
    async def test_a_position_and_a_log_that_do_not_belong_together_are_refused(
        self, store: Store, change: dict[str, Any], word: str
    ) -> None:
        before = replace(await store.claim(TP, LOG), released=False)
        with pytest.raises(PositionRefused, match=word):
            await store.claim(TP, replace(LOG, **change))
        assert await store.read_position(TP) == before
        assert (await store.claim(TP, LOG)).epoch > before.epoch

    async def test_a_topic_is_pinned_for_all_its_partitions(self, store: Store) -> None:
        await store.claim(TP, LOG)
        other = TopicPartition("costs", 4)
        for change in ({"partitions": 24}, {"cluster_id": "other"}, {"topic_id": "other"}):
            with pytest.raises(PositionRefused):
                await store.claim(other, replace(LOG, **change))
        assert await store.read_position(other) is None
        assert (await store.claim(other, LOG)).epoch > 0
        assert (await store.claim(TopicPartition("runs", 4), replace(LOG, topic_id="runs", partitions=3))).epoch > 0

    async def test_a_refused_first_claim_pins_nothing(self, store: Store) -> None:
        with pytest.raises(PositionRefused):
            await store.claim(TP, replace(LOG, start=10, end=5))
        assert await store.read_position(TP) is None
        assert (await store.claim(TP, replace(LOG, partitions=7, cluster_id="x", topic_id="y"))).epoch > 0

    async def test_an_unknown_id_is_not_compared_and_is_filled_in_when_known(self, store: Store) -> None:
        nameless = replace(LOG, cluster_id="", topic_id="")
        await store.claim(TP, nameless)
        claimed = await store.claim(TP, LOG)
        assert (claimed.cluster_id, claimed.topic_id) == ("cluster", "topic")
        assert (await store.claim(TP, nameless)).topic_id == "topic"
        with pytest.raises(PositionRefused):
            await store.claim(TP, replace(LOG, topic_id="other"))
        with pytest.raises(PositionRefused):
            await store.claim(TopicPartition("costs", 5), replace(LOG, topic_id="other"))

    async def test_the_ends_of_the_log_are_positions_too(self, store: Store) -> None:
        first = await store.claim(TP, LOG)
        assert await store.commit(batch(first, {"next_offset": 100}))
        assert (await store.claim(TP, LOG)).next_offset == 100
        assert (await store.claim(TP, replace(LOG, start=100))).next_offset == 100

    async def test_claims_at_the_same_time_get_epochs_of_their_own(self, store: Store) -> None:
        claims = await asyncio.gather(*(store.claim(TP, LOG) for _ in range(6)))
        assert len({claimed.epoch for claimed in claims}) == 6
        neighbours = [TopicPartition("runs", partition) for partition in range(4)]
        claims = await asyncio.gather(*(store.claim(tp, LOG) for tp in neighbours))
        assert all(claimed.epoch > 0 for claimed in claims)

    # ------------------------------------------------------------ the position row

    async def test_every_field_of_a_position_comes_back(self, store: Store) -> None:
        claimed = await store.claim(TP, LOG)
        full = moved(
            claimed,
            next_offset=2**62,
            watermark_us=253_000_000_000_000_000,
            last_append_ms=1_700_000_000_123,
            closed_through=20_000,
            closing_day=20_001,
            closing_cursor="Ünï \U0001f4b8",
            outbox_seq=9,
            published=7,
            projected=8,
            settings_seq=2**40,
            released=True,
            attempt=Attempt(40, 625, 5040, 2),
            counts={"accepted": 2**70, "unpriced_nanousd": -(2**64), "naïve": 1},
        )
        assert await store.commit(Batch(claimed.epoch, claimed.version, full))
        assert await store.read_position(TP) == full
        empty = moved(full, watermark_us=None, closing_cursor=None, closing_day=None, attempt=None, counts={})
        assert await store.commit(Batch(full.epoch, full.version, empty))
        assert await store.read_position(TP) == empty

    async def test_a_stored_position_is_nobodys_to_change(self, store: Store) -> None:
        claimed = await store.claim(TP, LOG)
        counts = {"accepted": 1}
        assert await store.commit(batch(claimed, {"counts": counts}))
        counts["accepted"] = 2
        found = await store.read_position(TP)
        assert found is not None
        assert found.counts == {"accepted": 1}

    @pytest.mark.parametrize("epoch, version", [(-1, 0), (0, -1), (0, 1), (1, 0)])
    async def test_a_commit_on_another_epoch_or_version_changes_nothing(
        self, subject: Subject, epoch: int, version: int
    ) -> None:
        store = subject.store
        claimed = replace(await store.claim(TP, LOG), released=False)
        assert await store.commit(batch(claimed, {"outbox_seq": 1}, outbox=[message(1)]))
        before = await store.read_position(TP)
        assert before is not None
        stale = Batch(
            before.epoch + epoch,
            before.version + version,
            moved(before, next_offset=50, published=1),
            pages=[(PageKey("t", "cost.day", 0), b"body")],
            id_blocks=[IdBlock(1, 50, b"i" * 20)],
            outbox=[message(2)],
            rows=[snapshot(), anomaly()],
        )
        assert await store.commit(stale) is False
        assert await store.read_position(TP) == before
        assert await store.load_pages(TP, [PageKey("t", "cost.day", 0)]) == {}
        assert await store.load_ids(TP, None) == []
        assert [row.seq for row in await store.load_outbox(TP, 0, 10)] == [1]
        assert await subject.rows("snapshots") == {}
        assert await subject.rows("anomalies") == {}

    async def test_without_a_row_nothing_is_committed(self, store: Store) -> None:
        assert await store.commit(Batch(0, 0, Position(*TP, "", "", 1, version=1))) is False

    async def test_of_commits_at_the_same_time_one_wins(self, store: Store) -> None:
        claimed = await store.claim(TP, LOG)
        key = PageKey("t", "cost.day", 0)
        answers = await asyncio.gather(
            *(store.commit(batch(claimed, {"next_offset": 10 + n}, pages=[(key, b"%d" % (10 + n))])) for n in range(6))
        )
        assert sorted(answers) == [False] * 5 + [True]
        row, pages = await store.read_position(TP), await store.load_pages(TP, [key])
        assert row is not None
        assert pages == {key: b"%d" % row.next_offset}

    @pytest.mark.parametrize(
        "bad",
        [
            {"rows": [snapshot(requests=None)]},
            {"rows": [snapshot(requests=2**63)]},
            {"rows": [snapshot(entity_id="nul\0nul")]},
            {"rows": [snapshot(entity_id="half \ud800")]},
            {"rows": [snapshot(start_at=2**62)]},
            {"rows": [snapshot(input_tokens="many")]},
            {"rows": [snapshot(restated="perhaps")]},
            {"rows": [anomaly(line="{")]},
            {"rows": [anomaly(line='{"message":"nul\\u0000"}')]},
            {"rows": [snapshot(), anomaly(message=None)]},
            {"pages": [(PageKey("nul\0", "cost.day", 0), b"")]},
            {"pages": [(PageKey("t", "cost.day", -1), b"")]},
            {"pages": [(PageKey("t", "cost.day", 24 * 2_932_895), b"")]},
            {"id_blocks": [IdBlock(-1, 1, b"")]},
            {"id_blocks": [IdBlock(2_932_895, 1, b"")]},
            {"outbox": [message(7), message(7)]},
            {"outbox": [message(1)]},
        ],
    )
    async def test_refused_data_changes_nothing(self, subject: Subject, bad: dict[str, Any]) -> None:
        store = subject.store
        claimed = await store.claim(TP, LOG)
        assert await store.commit(batch(claimed, {"outbox_seq": 1}, outbox=[message(1)]))
        before = await store.read_position(TP)
        assert before is not None
        good = {"pages": [(PageKey("t", "cost.day", 0), b"body")], "rows": [snapshot()]}
        with pytest.raises(DataRefused):
            await store.commit(batch(before, {"next_offset": 50}, **good | bad))
        assert await store.read_position(TP) == before
        assert await store.load_pages(TP, [PageKey("t", "cost.day", 0)]) == {}
        assert await subject.rows("snapshots") == {}
        assert [row.seq for row in await store.load_outbox(TP, 0, 10)] == [1]
        assert await store.commit(batch(before, {"next_offset": 50}, **good)) is True
