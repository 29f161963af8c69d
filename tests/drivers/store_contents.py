"""What every ``Store`` must do of pages, identities, messages and projection rows."""

import pytest

from engines.core.errors import DataRefused
from engines.core.model import IdBlock, PageKey, TableRow, TopicPartition
from engines.core.ports import Store
from tests.drivers.rows import anomaly, feedback, forecast, prediction, snapshot
from tests.drivers.store_subject import LOG, TP, StoreTests, Subject, batch, message, moved


class ContentsContract(StoreTests):
    """The half of the suite that is about what a commit holds."""

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

    async def test_every_part_of_a_page_is_loaded_whatever_part_is_asked_for(self, store: Store) -> None:
        page, other = PageKey("t", "cost.day", 24), PageKey("t", "cost.day", 48)
        parts = {page._replace(page=n): b"%d" % n for n in (0, 1, 7, 1000)} | {other._replace(page=2): b"other"}
        ledger = {PageKey("t", "cost.tenant", 0, n): b"ledger %d" % n for n in (0, 3)}
        beside = [(page._replace(tenant_id="t2"), b""), (page._replace(kind="cost.hour"), b"")]
        claimed = await store.claim(TP, LOG)
        assert await store.commit(batch(claimed, pages=[*parts.items(), *ledger.items(), *beside]))
        asked = [page, page._replace(page=1), other, PageKey("t", "cost.tenant", 0), PageKey("no", "cost.day", 24)]
        assert await store.load_pages(TP, asked) == parts | ledger

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
        assert await store.load_ids(TP, 20_000, 20_000) == [blocks[1], later]
        assert await store.load_ids(TP, None, 19_999) == [blocks[2]]
        assert await store.load_ids(TP, 20_001, 20_000) == []

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
        assert await subject.rows("anomalies") == {(3, *row.values[:3]): row.values for row in expected}

    async def test_feedback_and_predictions_have_a_row_for_each_revision(self, subject: Subject) -> None:
        claimed = await subject.store.claim(TP, LOG)
        first = [feedback(), prediction(), prediction(revision=9, status="superseded", confidence_score=1.0)]
        first.append(forecast())
        assert await subject.store.commit(batch(claimed, rows=first))
        second = [feedback(status="cleared", active=False), feedback(revision=10, as_of=1_769_904_000_000_000)]
        assert await subject.store.commit(batch(moved(claimed), rows=second))
        for table, expected in (
            ("pattern_feedback", second),
            ("prediction_events", first[1:3]),
            ("spend_forecasts", first[3:]),
        ):
            assert await subject.rows(table) == {(3, *row.values[:3]): row.values for row in expected}

    async def test_no_prediction_is_more_than_advice(self, subject: Subject) -> None:
        claimed = await subject.store.claim(TP, LOG)
        with pytest.raises(DataRefused, match="is_advisory"):
            await subject.store.commit(batch(claimed, rows=[prediction(), prediction(revision=9, is_advisory=False)]))
        with pytest.raises(DataRefused, match="is_advisory"):
            await subject.store.commit(batch(claimed, rows=[forecast(is_advisory=False)]))
        assert await subject.rows("prediction_events") == {}
        assert await subject.store.commit(batch(claimed, rows=[prediction()]))

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
