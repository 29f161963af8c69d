"""``outlay predictions`` on rows as the worker writes them."""

import json

import pytest

from drivers.postgres.store import PostgresStore
from engines.core.model import TableRow, TopicPartition
from engines.core.money import NANOUSD_PER_USD as USD
from engines.core.time import US_PER_DAY, format_instant, parse_instant
from tests.drivers.rows import forecast
from tests.drivers.run_rows import T_US, id_of, likelihood, overrun
from tests.drivers.store_subject import LOG, batch
from tests.streams.commands import Outlay, aside, listed

YESTERDAY_US = T_US - US_PER_DAY // 2
BEFORE = likelihood(as_of_us=YESTERDAY_US, status="superseded")
NOW = likelihood()
COSTS = overrun(as_of_us=T_US - 1)
OTHER = overrun("zeta", "\x1b[2J[b]", as_of_us=T_US - 2)


async def written(url: str, *rows: TableRow, topic: str = "runs", **changes: object) -> None:
    store = PostgresStore(url)
    claimed = await store.claim(TopicPartition(topic, 3), LOG)
    assert await store.commit(batch(claimed, changes, rows=list(rows)))
    await store.close()


@pytest.fixture
def told(outlay: Outlay, database_url: str) -> Outlay:
    """A database that predictions were written to."""
    aside(written(database_url, BEFORE, NOW, COSTS, OTHER))
    return outlay


def ids(told: Outlay, *arguments: str) -> list[str]:
    return [line["prediction_id"] for line in listed(told("predictions", "list", "--json", *arguments))]


def test_nothing_predicted_is_said_so(outlay: Outlay) -> None:
    for command in ("list", "summary"):
        assert outlay("predictions", command).out == "There are no such predictions.\n"
    assert outlay("predictions", "summary", "--json").summary == {
        "total": 0,
        "by_type": {},
        "by_subject_type": {},
        "avg_confidence": None,
        "high_confidence_count": 0,
        "advisory_compliance": True,
    }


def test_what_is_valid_is_listed_and_filtered(told: Outlay) -> None:
    assert ids(told) == [id_of(NOW), id_of(COSTS), id_of(OTHER)]
    assert ids(told, "--limit", "1") == ids(told, "--type", "failure_likelihood") == [id_of(NOW)]
    assert ids(told, "--subject", "billing-bot", "--type", "cost_overrun") == [id_of(COSTS)]
    assert ids(told, "--tenant", "zeta") == [id_of(OTHER)]
    assert ids(told, "--include-expired", "--type", "failure_likelihood") == [id_of(NOW), id_of(BEFORE)]
    assert ids(told, "--as-of", format_instant(T_US - 1), "--tenant", "acme") == [id_of(COSTS), id_of(BEFORE)]
    assert ids(told, "--as-of", format_instant(YESTERDAY_US)) == [id_of(BEFORE)]
    assert ids(told, "--as-of", format_instant(T_US + US_PER_DAY)) == []


def test_a_table_says_what_is_predicted_and_shows_nothing_that_could_steer_a_terminal(told: Outlay) -> None:
    shown = told("predictions", "list", "--limit", "2").out
    assert "2 of 4 runs failed in 7 days" in shown
    assert "a run costs 225.0 cents instead of 100.0" in shown
    assert "and 1 more; --limit shows them" in shown
    assert "\N{REPLACEMENT CHARACTER}[2J[b]" in told("predictions", "list", "--tenant", "zeta").out


def test_month_end_spend_is_told_beside_runs_until_the_next_day_closes(outlay: Outlay, database_url: str) -> None:
    value = {
        "month": "2026-11",
        "low_nanousd": 150 * USD,
        "high_nanousd": 1_200 * USD,
        "limit_nanousd": 400 * USD,
        "exceeds_probability": 0.25,
    }
    line = {
        "prediction_id": "pr_0123456789abcdef",
        "tenant_id": "acme",
        "subject_id": "acme",
        "prediction_type": "month_end_spend",
        "prediction_value": value,
        "confidence_score": 0.25,
        "status": "active",
        "as_of": "2026-11-21T00:00:00Z",
        "expires_at": "2026-11-22T00:00:00Z",
    }
    times = {"as_of": parse_instant("2026-11-21T00:00:00Z"), "expires_at": parse_instant("2026-11-22T00:00:00Z")}
    row = forecast(line=json.dumps(line), **times)
    aside(written(database_url, row, topic="costs", closed_through=times["as_of"] // US_PER_DAY - 1))
    shown = outlay("predictions", "list", "--type", "month_end_spend").out
    assert "2026-11 ends between $150.00 and $1,200.00, and over $400.00 at 25.0%" in shown
    assert outlay("predictions", "summary", "--json").summary["by_subject_type"] == {"tenant": 1}
    aside(written(database_url, topic="costs", closed_through=times["as_of"] // US_PER_DAY))
    assert outlay("predictions", "list").out == "There are no such predictions.\n"
    (late,) = listed(outlay("predictions", "list", "--include-expired", "--json"))
    assert late == line | {"status": "expired"}


def test_a_summary_says_how_sure_they_are(told: Outlay) -> None:
    assert told("predictions", "summary", "--json").summary == {
        "total": 3,
        "by_type": {"cost_overrun": 2, "failure_likelihood": 1},
        "by_subject_type": {"worker": 3},
        "avg_confidence": 0.467,
        "high_confidence_count": 1,
        "advisory_compliance": True,
    }
    assert told("predictions", "summary", "--tenant", "acme", "--include-expired").out.splitlines() == [
        "3 predictions, mean confidence 0.608",
        "2 of them over 0.7; all are advice",
        "  cost_overrun: 1",
        "  failure_likelihood: 2",
    ]
    of_one = told("predictions", "summary", "--tenant", "zeta").out
    assert of_one.startswith("1 prediction, mean confidence")


def test_a_time_that_is_none_is_wrong_usage(outlay: Outlay) -> None:
    refused = outlay("predictions", "list", "--as-of", "noon")
    assert (refused.code, "--as-of" in refused.err, "Traceback" in refused.err) == (2, True, False)
