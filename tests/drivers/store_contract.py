"""What every ``Store`` must do: one suite, run on each implementation by the modules that subclass it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from engines.core.errors import DataRefused, PositionRefused
from engines.core.model import (
    Attempt,
    Batch,
    IdBlock,
    LogBounds,
    OutboxRow,
    PageKey,
    Position,
    TableRow,
    TopicPartition,
)
from engines.core.ports import Store
from tests.drivers.rows import anomaly, snapshot

TP = TopicPartition("costs", 3)
LOG = LogBounds(start=5, end=100, cluster_id="cluster", topic_id="topic", partitions=12)
RowKey = tuple[object, ...]


@dataclass
class Subject:
    """A store under test, and a way to look at its projections: (partition, key…) → values after partition."""

    store: Store
    rows: Callable[[str], Awaitable[dict[RowKey, tuple[Any, ...]]]]


def moved(position: Position, **changes: Any) -> Position:
    return replace(position, version=position.version + 1, **changes)


def batch(position: Position, changes: dict[str, Any] | None = None, **contents: Any) -> Batch:
    """A batch that follows *position* with *changes* of the row and *contents*."""
    return Batch(position.epoch, position.version, moved(position, **changes or {}), **contents)


def message(seq: int, **changes: Any) -> OutboxRow:
    row = OutboxRow(seq, "cost-anomaly-facts", b"key", b"value", (("ce_id", b"1"),), b"tenant", 0)
    return row._replace(**changes)


class StoreContract:
    """Subclasses provide the fixture ``subject``."""

    @pytest.fixture
    def store(self, subject: Subject) -> Store:
        return subject.store

    # ------------------------------------------------------------ claims

    async def test_a_first_claim_starts_at_the_beginning_of_the_log(self, store: Store) -> None:
        claimed = await store.claim(TP, LOG)
        assert claimed == Position(*TP, "cluster", "topic", next_offset=5, epoch=1, version=1, released=True)

    async def test_nothing_is_there_before_the_first_claim(self, store: Store) -> None:
        assert await store.read_position(TP) is None
        assert await store.load_pages(TP, [PageKey("t", "cost.day", 0)]) == {}
        assert await store.load_ids(TP, None) == []
        assert await store.load_outbox(TP, 0, 10) == []
        assert await store.stale_pages(TP, -1) == []

    async def test_each_claim_raises_epoch_and_version_and_holds_the_row(self, store: Store) -> None:
        first = await store.claim(TP, LOG)
        second = await store.claim(TP, LOG)
        assert (second.epoch, second.version, second.released) == (first.epoch + 1, first.version + 1, False)
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
        assert (await store.claim(TP, LOG)).epoch == before.epoch + 1

    async def test_a_topic_is_pinned_for_all_its_partitions(self, store: Store) -> None:
        await store.claim(TP, LOG)
        other = TopicPartition("costs", 4)
        for change in ({"partitions": 24}, {"cluster_id": "other"}, {"topic_id": "other"}):
            with pytest.raises(PositionRefused):
                await store.claim(other, replace(LOG, **change))
        assert await store.read_position(other) is None
        assert (await store.claim(other, LOG)).epoch == 1
        assert (await store.claim(TopicPartition("runs", 4), replace(LOG, topic_id="runs", partitions=3))).epoch == 1

    async def test_a_refused_first_claim_pins_nothing(self, store: Store) -> None:
        with pytest.raises(PositionRefused):
            await store.claim(TP, replace(LOG, start=10, end=5))
        assert await store.read_position(TP) is None
        assert (await store.claim(TP, replace(LOG, partitions=7, cluster_id="x", topic_id="y"))).epoch == 1

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
        assert sorted(claimed.epoch for claimed in claims) == [1, 2, 3, 4, 5, 6]
        neighbours = [TopicPartition("runs", partition) for partition in range(4)]
        claims = await asyncio.gather(*(store.claim(tp, LOG) for tp in neighbours))
        assert [claimed.epoch for claimed in claims] == [1, 1, 1, 1]

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

    # ------------------------------------------------------------ pages

    async def test_pages_are_written_over_and_tell_their_offset(self, store: Store) -> None:
        one, two, absent = PageKey("t", "cost.day", 24), PageKey("t", "cost.hour", 24, 1), PageKey("t", "cost.day", 48)
        claimed = await store.claim(TP, LOG)
        assert await store.commit(batch(claimed, {"next_offset": 10}, pages=[(one, b"a"), (two, b"\0" * 9000)]))
        assert await store.commit(batch(moved(claimed), {"next_offset": 20}, pages=[(one, b"aa")]))
        assert await store.load_pages(TP, [one, two, absent]) == {one: b"aa", two: b"\0" * 9000}
        assert await store.load_pages(TP, []) == {}
        assert await store.stale_pages(TP, 5) == [(two, 10), (one, 20)]
        assert await store.stale_pages(TP, 10) == [(one, 20)]
        assert await store.stale_pages(TP, 20) == []

    async def test_of_a_page_given_twice_the_last_counts(self, store: Store) -> None:
        key = PageKey("t", "cost.day", 24)
        claimed = await store.claim(TP, LOG)
        assert await store.commit(batch(claimed, pages=[(key, b"1"), (key, b"2")]))
        assert await store.load_pages(TP, [key]) == {key: b"2"}

    async def test_partitions_and_topics_have_pages_of_their_own(self, store: Store) -> None:
        key = PageKey("t", "cost.day", 24)
        for tp in (TP, TopicPartition("costs", 4), TopicPartition("runs", 3)):
            claimed = await store.claim(tp, LOG)
            content = f"{tp.topic}{tp.partition}".encode()
            assert await store.commit(batch(claimed, pages=[(key, content)], id_blocks=[IdBlock(1, 5, content)]))
        assert await store.load_pages(TP, [key]) == {key: b"costs3"}
        assert await store.load_pages(TopicPartition("runs", 3), [key]) == {key: b"runs3"}
        assert await store.load_ids(TopicPartition("costs", 4), None) == [IdBlock(1, 5, b"costs4")]
        assert len(await store.stale_pages(TP, 0)) == 1
        assert await store.page_tenants(TP, "cost.day", range(24, 25), None, 10) == ["t"]

    async def test_tenants_are_listed_in_code_point_order(self, store: Store) -> None:
        names = ["b", "B", "a", "A", "_", "~", "é", "z", "Z", "10", "9", "ß", "ﬀ", "\U0001f4b8", "\uffff", "a b", "a-b"]
        claimed = await store.claim(TP, LOG)
        pages = [(PageKey(name, "cost.day", bucket), b"x") for name in names for bucket in (0, 24)]
        assert await store.commit(batch(claimed, pages=pages))
        expected = sorted(names)
        assert await store.page_tenants(TP, "cost.day", range(25), None, 100) == expected
        listed: list[str] = []
        while slice_ := await store.page_tenants(TP, "cost.day", range(25), listed[-1] if listed else None, 4):
            assert len(slice_) <= 4
            listed += slice_
        assert listed == expected

    async def test_tenants_are_listed_by_kind_and_bucket(self, store: Store) -> None:
        claimed = await store.claim(TP, LOG)
        keys = [
            PageKey("before", "cost.day", 23),
            PageKey("first", "cost.day", 24),
            PageKey("last", "cost.day", 47, 5),
            PageKey("after", "cost.day", 48),
            PageKey("hourly", "cost.hour", 24),
        ]
        assert await store.commit(batch(claimed, pages=[(key, b"") for key in keys]))
        assert await store.page_tenants(TP, "cost.day", range(24, 48), None, 10) == ["first", "last"]
        assert await store.page_tenants(TP, "cost.hour", range(24, 48), None, 10) == ["hourly"]
        assert await store.page_tenants(TP, "cost.day", range(24, 48), "first", 10) == ["last"]
        assert await store.page_tenants(TP, "cost.day", range(24, 24), None, 10) == []
        assert await store.page_tenants(TP, "absent", range(24, 48), None, 10) == []
        assert await store.page_tenants(TP, "cost.day", range(23, 49), None, 3) == ["after", "before", "first"]

    async def test_the_first_bucket_with_a_page_is_found(self, store: Store) -> None:
        claimed = await store.claim(TP, LOG)
        keys = [PageKey("b", "cost.day", 48), PageKey("a", "cost.day", 72), PageKey("a", "cost.hour", 30)]
        assert await store.commit(batch(claimed, pages=[(key, b"") for key in keys]))
        assert await store.first_bucket(TP, "cost.day", range(1000)) == 48
        assert await store.first_bucket(TP, "cost.day", range(49, 73)) == 72
        assert await store.first_bucket(TP, "cost.day", range(49, 72)) is None
        assert await store.first_bucket(TopicPartition("costs", 4), "cost.day", range(1000)) is None

    # ------------------------------------------------------------ identities

    async def test_identity_blocks_are_listed_from_a_day_on(self, store: Store) -> None:
        claimed = await store.claim(TP, LOG)
        blocks = [IdBlock(20_001, 10, b"b" * 20), IdBlock(20_000, 10, b"a" * 40), IdBlock(19_999, 10, b"c" * 20)]
        assert await store.commit(batch(claimed, id_blocks=blocks))
        later = IdBlock(20_000, 20, b"d" * 20)
        assert await store.commit(batch(moved(claimed), id_blocks=[later]))
        assert await store.load_ids(TP, None) == [blocks[2], blocks[1], later, blocks[0]]
        assert await store.load_ids(TP, 20_000) == [blocks[1], later, blocks[0]]
        assert await store.load_ids(TP, 20_002) == []

    async def test_no_identity_is_lost_when_an_operator_set_the_position_back(self, store: Store) -> None:
        claimed = await store.claim(TP, LOG)
        assert await store.commit(batch(claimed, id_blocks=[IdBlock(1, 10, b"a" * 20)]))
        again = [IdBlock(1, 10, b"b" * 20), IdBlock(1, 10, b"c" * 20)]
        assert await store.commit(batch(moved(claimed), id_blocks=again))
        assert await store.load_ids(TP, None) == [IdBlock(1, 10, b"a" * 20 + b"b" * 20 + b"c" * 20)]

    # ------------------------------------------------------------ outbox

    async def test_messages_come_back_in_order_and_unchanged(self, store: Store) -> None:
        rows = [
            message(1),
            message(2, key=None, value=None, headers=(), route=None, partition=11),
            message(3, headers=(("n\0", b"\xff\0"), ("again", b""), ("again", b"2"), ("\ud800", b"x"), ("ü", b"y"))),
            message(4, key=b"", value=b"\0\xff" * 5000, route=b""),
        ]
        claimed = await store.claim(TP, LOG)
        assert await store.commit(batch(claimed, {"outbox_seq": 4}, outbox=[rows[2], rows[0], rows[3], rows[1]]))
        assert await store.load_outbox(TP, 0, 10) == rows
        assert await store.load_outbox(TP, 0, 2) == rows[:2]
        assert await store.load_outbox(TP, 2, 10) == rows[2:]
        assert await store.load_outbox(TopicPartition("costs", 4), 0, 10) == []

    async def test_published_messages_are_deleted(self, store: Store) -> None:
        claimed = await store.claim(TP, LOG)
        assert await store.commit(batch(claimed, {"outbox_seq": 3}, outbox=[message(n) for n in (1, 2, 3)]))
        assert await store.commit(batch(moved(claimed), {"outbox_seq": 3, "published": 2}))
        assert [row.seq for row in await store.load_outbox(TP, 0, 10)] == [3]

    # ------------------------------------------------------------ projections

    async def test_projection_rows_are_written_over_by_their_key(self, subject: Subject) -> None:
        claimed = await subject.store.claim(TP, LOG)
        first = [snapshot(requests=1), snapshot(requests=2, entity_id="other"), anomaly(revision=3)]
        assert await subject.store.commit(batch(claimed, rows=first))
        second = [snapshot(requests=7, restated=True, cost_nanousd=None), anomaly(revision=5)]
        assert await subject.store.commit(batch(moved(claimed), rows=second))
        expected = [second[0], first[1]]
        assert await subject.rows("snapshots") == {(3, *row.values[:5]): row.values for row in expected}
        expected = [first[2], second[1]]
        assert await subject.rows("anomalies") == {(3, *row.values[:2]): row.values for row in expected}

    async def test_of_a_row_given_twice_the_last_counts(self, subject: Subject) -> None:
        claimed = await subject.store.claim(TP, LOG)
        assert await subject.store.commit(batch(claimed, rows=[snapshot(requests=1), snapshot(requests=2)]))
        (values,) = (await subject.rows("snapshots")).values()
        assert values == snapshot(requests=2).values

    async def test_numbers_text_and_times_come_back_exactly(self, subject: Subject) -> None:
        row = snapshot(
            tenant_id="Ténant \U0001f4b8 \\N \t\n \\.",
            entity_id="",
            start_at=253_370_764_800_123_457,
            input_tokens=2**70,
            cost_nanousd=-(2**200),
            baseline_nanousd=0,
            requests=2**63 - 1,
        )
        claimed = await subject.store.claim(TP, LOG)
        told = anomaly(deviation_pct=40.01, line='{"a":"\U0001f4b8","n":18446744073709551617}')
        assert await subject.store.commit(batch(claimed, rows=[row, told, TableRow(*told)]))
        assert list((await subject.rows("snapshots")).values()) == [row.values]
        assert list((await subject.rows("anomalies")).values()) == [told.values]

    async def test_a_thousand_rows_go_into_one_batch(self, subject: Subject) -> None:
        claimed = await subject.store.claim(TP, LOG)
        rows = [snapshot(entity_id=f"user-{n}", requests=n) for n in range(1000)]
        assert await subject.store.commit(batch(claimed, rows=rows))
        found = await subject.rows("snapshots")
        assert sorted(values[5] for values in found.values()) == list(range(1000))
