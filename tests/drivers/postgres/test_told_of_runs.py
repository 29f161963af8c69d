"""Feedback and predictions read back from one database, from rows as the worker writes them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from drivers.postgres.connections import PostgresLimits
from drivers.postgres.feedback import FeedbackReader
from drivers.postgres.predictions import PredictionReader
from drivers.postgres.settings_writer import SettingsTable
from drivers.postgres.store import PostgresStore
from engines.core.errors import SettingsError, Transient
from engines.core.model import SettingRow, TableRow, TopicPartition
from engines.core.time import US_PER_DAY, US_PER_HOUR, format_instant
from engines.patterns.feedback import FeedbackQuestion, get_feedback_summary
from engines.prediction.summary import PredictionQuestion, get_prediction_summary
from engines.runs.acknowledgements import RunsSettings
from engines.runs.setting_lines import acknowledgement
from tests.drivers.run_rows import T_US, id_of, likelihood, overrun, pattern, spike
from tests.drivers.store_subject import LOG, batch

YESTERDAY_US = T_US - 11 * US_PER_HOUR
RUNS = TopicPartition("runs", 3)


@pytest.fixture
async def feedback(tables: str) -> AsyncIterator[FeedbackReader]:
    reader = FeedbackReader(tables, PostgresLimits())
    yield reader
    await reader.close()


@pytest.fixture
async def predictions(tables: str) -> AsyncIterator[PredictionReader]:
    reader = PredictionReader(tables, PostgresLimits())
    yield reader
    await reader.close()


async def written(store: PostgresStore, *rows: TableRow) -> None:
    claimed = await store.claim(RUNS, LOG)
    assert await store.commit(batch(claimed, rows=list(rows)))


async def acknowledged(url: str, row: TableRow, as_of_us: int, by: str) -> list[SettingRow]:
    """Acknowledge *row*, and return all settings rows."""
    table = SettingsTable(url, PostgresLimits())
    tenant_id = str(row.values[3])
    line = acknowledgement(tenant_id, id_of(row), format_instant(as_of_us), at_us=as_of_us + 1, by=by)
    await table.append([line.setting()], now_us=0)
    rows = await table.read()
    await table.close()
    return rows


def ids(found: Any) -> list[str]:
    return [line.get("feedback_id") or line["prediction_id"] for line in found.records]


async def test_feedback_comes_newest_first_and_is_counted_beyond_the_limit(
    feedback: FeedbackReader, postgres_store: PostgresStore
) -> None:
    old, new = pattern(signature="old", as_of_us=T_US - 1), pattern(signature="new", as_of_us=T_US + US_PER_HOUR)
    cost, gone = spike(), spike(run_id="gone", status="provisional")
    await written(postgres_store, old, new, cost, gone, spike(run_id="gone", status="withdrawn", revision=10))
    found = await get_feedback_summary([feedback], limit=2)
    assert (found.total, found.by_type) == (3, {"cost_spike": 1, "failure_pattern": 2})
    assert ids(found) == [id_of(new), id_of(cost)]
    (line,) = (await feedback.summary(FeedbackQuestion(pattern_type="cost_spike"))).records
    assert line["metadata"]["spike_percent"] == 50.0
    assert line["threshold_used"] == "spike_threshold=50.0%"


@pytest.mark.parametrize(
    "asked, expected",
    [
        ({"tenant_id": "zeta"}, {"of zeta"}),
        ({"tenant_id": "nobody"}, set()),
        ({"pattern_type": "cost_spike"}, {"cost"}),
        ({"status": "cleared"}, {"cleared"}),
        ({"status": "active", "tenant_id": "acme"}, {"active"}),
        ({"acknowledged": True}, {"of zeta"}),
        ({"acknowledged": False}, {"active", "cleared", "cost"}),
        ({}, {"active", "cleared", "cost", "of zeta"}),
    ],
)
async def test_feedback_is_what_was_asked_for(
    feedback: FeedbackReader, postgres_store: PostgresStore, tables: str, asked: dict[str, Any], expected: set[str]
) -> None:
    rows = {
        "active": pattern(signature="a"),
        "cleared": pattern(signature="c", status="cleared", revision=9, cleared_us=T_US + US_PER_DAY + 1),
        "cost": spike(),
        "of zeta": pattern("zeta"),
    }
    await written(postgres_store, *rows.values())
    await acknowledged(tables, rows["of zeta"], T_US, "ana")
    found = await feedback.summary(FeedbackQuestion(**asked))
    assert set(ids(found)) == {id_of(rows[name]) for name in expected}
    assert found.total == len(expected)


@pytest.mark.parametrize("active_since_us", [T_US - 1, T_US, T_US + 1])
async def test_what_is_shown_as_acknowledged_is_what_the_worker_would_publish(
    feedback: FeedbackReader, postgres_store: PostgresStore, tables: str, active_since_us: int
) -> None:
    row = pattern(active_since_us=active_since_us, as_of_us=T_US + US_PER_HOUR)
    await written(postgres_store, row)
    for as_of_us, by in ((T_US + 5, "ana"), (T_US, "ben"), (T_US - 1, "eve")):
        rows = await acknowledged(tables, row, as_of_us, by)
        said = RunsSettings(rows).of(id_of(row), active_since_us)
        found = await feedback.find(id_of(row))
        assert found is not None
        assert (found.partition, found.line["acknowledged"]) == (RUNS.partition, said is not None)
        shown = (found.line["acknowledged_at"], found.line["acknowledged_by"])
        assert shown == ((None, None) if said is None else (said.acknowledged_at, said.acknowledged_by))
        assert found.line["proposal_eligible"] is (said is None)


async def test_a_pattern_that_recurs_months_later_is_its_newest_revision(
    feedback: FeedbackReader, postgres_store: PostgresStore, tables: str
) -> None:
    before = pattern(revision=8)
    await written(postgres_store, before, pattern(revision=12, as_of_us=T_US + 90 * US_PER_DAY))
    await acknowledged(tables, before, T_US, "ana")
    found = await feedback.find(id_of(before))
    assert found is not None
    assert (found.line["revision"], found.line["acknowledged"]) == (12, False)
    assert await feedback.find("pf_nowhere") is None


async def test_what_was_withdrawn_is_found_and_not_shown(
    feedback: FeedbackReader, postgres_store: PostgresStore
) -> None:
    row = spike(status="withdrawn")
    await written(postgres_store, row)
    found = await feedback.find(id_of(row))
    assert found is not None
    assert (found.line["status"], found.line["active"]) == ("withdrawn", False)
    assert (await feedback.summary(FeedbackQuestion())).total == 0


async def test_predictions_that_are_valid_are_told_with_their_numbers(
    predictions: PredictionReader, postgres_store: PostgresStore
) -> None:
    valid = [likelihood(as_of_us=T_US + 1), overrun(confidence=0.95), overrun("zeta", confidence=0.7)]
    await written(
        postgres_store,
        *valid,
        likelihood(worker_id="gone", status="withdrawn"),
        overrun(worker_id="late", status="expired", revision=9),
        likelihood(worker_id="old", status="superseded"),
    )
    found = await get_prediction_summary([predictions], limit=1)
    assert (found.total, ids(found)) == (3, [id_of(valid[0])])
    assert found.by_type == {"cost_overrun": 2, "failure_likelihood": 1}
    assert (found.by_subject_type, found.avg_confidence, found.high_confidence_count) == ({"worker": 3}, 0.8, 2)
    assert found.advisory_compliance
    assert found.records[0]["prediction_value"]["failure_rate"] == 0.5


@pytest.mark.parametrize(
    "asked, expected",
    [
        ({"tenant_id": "zeta"}, {"of zeta"}),
        ({"prediction_type": "cost_overrun"}, {"costs"}),
        ({"subject_id": "other"}, {"other"}),
        ({}, {"today", "costs", "other", "of zeta"}),
        ({"include_expired": True}, {"yesterday", "today", "costs", "other", "of zeta"}),
        ({"include_expired": True, "subject_id": "billing-bot", "tenant_id": "acme"}, {"yesterday", "today", "costs"}),
        ({"as_of_us": T_US, "tenant_id": "acme"}, {"today", "costs", "other"}),
        ({"as_of_us": T_US - 1}, {"yesterday"}),
        ({"as_of_us": YESTERDAY_US}, {"yesterday"}),
        ({"as_of_us": YESTERDAY_US - 1}, set()),
        ({"as_of_us": T_US - 1, "include_expired": True}, {"yesterday"}),
        ({"as_of_us": T_US + US_PER_DAY - 1, "subject_id": "other"}, {"other"}),
        ({"as_of_us": T_US + US_PER_DAY}, set()),
    ],
)
async def test_predictions_are_what_was_asked_for(
    predictions: PredictionReader, postgres_store: PostgresStore, asked: dict[str, Any], expected: set[str]
) -> None:
    rows = {
        "yesterday": likelihood(as_of_us=YESTERDAY_US, status="superseded"),
        "today": likelihood(),
        "costs": overrun(),
        "other": likelihood(worker_id="other"),
        "of zeta": likelihood("zeta"),
    }
    await written(postgres_store, *rows.values())
    found = await predictions.summary(PredictionQuestion(**asked))
    assert set(ids(found)) == {id_of(rows[name]) for name in expected}


async def test_who_may_not_or_cannot_read_is_told(tables: str, database_url: str) -> None:
    for url, error in (
        (database_url, SettingsError),
        (f"postgresql://no_such_user@{tables.rpartition('@')[2]}", SettingsError),
        ("postgresql://outlay@127.0.0.1:1/outlay", Transient),
    ):
        feedback = FeedbackReader(url, PostgresLimits())
        with pytest.raises(error):
            await feedback.summary(FeedbackQuestion())
        await feedback.close()
