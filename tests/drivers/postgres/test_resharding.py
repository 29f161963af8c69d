"""What is refused before state moves; that it arrives is for the end-to-end tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.kafka.murmur2 import partition_of
from drivers.postgres.connections import PostgresLimits, Raw
from drivers.postgres.resharding import Place, Resharding, misplaced, of
from drivers.postgres.settings_writer import SettingsTable
from drivers.postgres.store import PostgresStore
from engines.core.errors import PositionRefused
from engines.core.model import IdBlock, NewSetting, PageKey, Position, TopicPartition
from engines.runs.setting_lines import acknowledgement
from tests.drivers.rows import anomaly, feedback, forecast, prediction
from tests.drivers.store_subject import LOG, TP, batch

_TWO = replace(LOG, partitions=2)
_FOUR = replace(LOG, partitions=4, start=0)


@pytest.mark.parametrize(
    "place, partitions, reason",
    [
        (Place(0, 1), 18, "only a multiple"),
        (Place(0, 1), 6, "only a multiple"),
        (Place(0, 5), 24, "12 partitions in 5 databases"),
        (Place(0, 1), 24, "partition 0 was never claimed"),
    ],
)
async def test_what_cannot_be_moved_in_full_is_not_moved(
    tables: str, postgres_store: PostgresStore, place: Place, partitions: int, reason: str
) -> None:
    claimed = await postgres_store.claim(TP, LOG)
    with pytest.raises(PositionRefused, match=reason):
        await Resharding(tables, place).repartition("costs", partitions)
    assert await postgres_store.commit(batch(claimed)), "nobody was fenced"


async def test_who_still_works_is_fenced_and_new_partitions_go_on_where_the_old_ones_were(
    tables: str, postgres_store: PostgresStore, observer: Raw
) -> None:
    tenant = next(f"t{n}" for n in range(99) if partition_of(f"t{n}".encode(), 4) == 3)
    stays = next(f"t{n}" for n in range(99) if partition_of(f"t{n}".encode(), 4) == 1)
    for partition in (0, 1):
        claimed = await postgres_store.claim(TopicPartition("costs", partition), _TWO)
    pages = [(PageKey(name, "cost.ledger", 0), name.encode()) for name in (tenant, stays)]
    ids = [IdBlock(20_000, 9, b"i" * 20)]
    assert await postgres_store.commit(
        batch(claimed, {"watermark_us": 7, "next_offset": 9}, pages=pages, id_blocks=ids)
    )
    [moving] = of([tables])
    assert await moving.repartition("costs", 4) == 1
    assert await moving.repartition("costs", 4) == 0
    assert not await postgres_store.commit(batch(replace(claimed, version=claimed.version + 1)))
    new, old = TopicPartition("costs", 3), TopicPartition("costs", 1)
    position = await postgres_store.claim(new, _FOUR)
    assert (position.next_offset, position.watermark_us) == (0, 7)
    for tp, name in ((new, tenant), (old, stays)):
        assert await postgres_store.page_tenants(tp, "cost.ledger", range(1), None, 9) == [name]
        assert [block.body for block in await postgres_store.load_ids(tp, None)] == [b"i" * 20]
    assert await postgres_store.stale_pages(new, 0) == [(PageKey(tenant, "cost.ledger", 0), 1)]
    assert await observer.fetchval("SELECT count(*) FROM positions") == 4


async def test_the_rows_of_another_topic_stay_where_they_are(
    tables: str, postgres_store: PostgresStore, observer: Raw
) -> None:
    tenant = next(f"t{n}" for n in range(99) if partition_of(f"t{n}".encode(), 4) == 3)
    for topic in ("costs", "runs"):
        for partition in (0, 1):
            claimed = await postgres_store.claim(TopicPartition(topic, partition), _TWO)
        told = feedback(tenant_id=tenant), prediction(tenant_id=tenant)
        rows = told if topic == "runs" else (anomaly(tenant_id=tenant), forecast(tenant_id=tenant))
        page = (PageKey(tenant, f"{topic}.ledger", 0), b"")
        assert await postgres_store.commit(batch(claimed, pages=[page], rows=rows))
    where = (
        "SELECT array[a.partition, s.partition, f.partition, p.partition]"
        " FROM anomalies a, spend_forecasts s, pattern_feedback f, prediction_events p"
    )
    assert await of([tables])[0].repartition("costs", 4) == 1
    assert await observer.fetchval(where) == [3, 3, 1, 1]
    assert await of([tables])[0].repartition("runs", 4) == 1
    assert await observer.fetchval(where) == [3, 3, 3, 3]


async def test_of_settings_a_database_keeps_those_whose_costs_or_runs_live_there(
    tables: str, postgres_store: PostgresStore, observer: Raw
) -> None:
    for topic, partitions in (("costs", 3), ("runs", 4)):
        await postgres_store.claim(TopicPartition(topic, 1), replace(LOG, partitions=partitions))
    homes = {(of_costs, of_runs): tenant for tenant, of_costs, of_runs in map(_homes, range(99))}
    writer = SettingsTable(tables, PostgresLimits())
    for tenant in homes.values():
        seen = acknowledgement(tenant, "pf_1", "2026-01-15T10:00:00Z", at_us=0, by="ana").setting()
        await writer.append([NewSetting("budget", tenant, None, b"{}"), seen], now_us=0)
    await writer.append([NewSetting("rule", "*", None, b"{}")], now_us=0)
    try:
        assert await Resharding(tables, Place(1, 2)).keep_own() == 0
    finally:
        await observer.execute("ALTER TABLE positions DROP CONSTRAINT IF EXISTS this_database_holds_it")
    kept = {(row.kind, row.tenant_id) for row in await writer.read()}
    await writer.close()
    assert len(homes) == 4
    assert kept == {
        ("rule", "*"),
        *(("budget", tenant) for (of_costs, _), tenant in homes.items() if of_costs),
        *(("acknowledgement", tenant) for (_, of_runs), tenant in homes.items() if of_runs),
    }


def _homes(n: int) -> tuple[str, int, int]:
    """Return a tenant, and in which of two databases its costs live, of 3 partitions, and its runs, of 4."""
    tenant = f"t{n}"
    return tenant, partition_of(tenant.encode(), 3) % 2, partition_of(tenant.encode(), 4) % 2


def test_a_partition_without_its_newest_copy_where_it_lives_is_named() -> None:
    tps = [TopicPartition("costs", number) for number in range(2)]
    whole = {tp: Position("costs", tp.partition, "", "", 5, epoch=2, version=3) for tp in tps}
    behind = whole | {tps[1]: replace(whole[tps[1]], version=2)}
    assert misplaced([whole, whole]) is None
    assert misplaced([{tps[0]: whole[tps[0]]}, whole]) is None
    assert "costs/1 belongs into database 1, which has an older copy" in str(misplaced([whole, behind]))
    assert "costs/1 belongs into database 1, which has no copy" in str(misplaced([whole, {}]))
