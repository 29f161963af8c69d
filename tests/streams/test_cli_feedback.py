"""``outlay feedback`` on rows as the worker writes them."""

from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from drivers.postgres.connections import PostgresLimits, libpq_url
from drivers.postgres.migrate import migrate
from drivers.postgres.settings_writer import SettingsTable
from drivers.postgres.store import PostgresStore
from engines.core.model import SettingRow, TableRow, TopicPartition
from engines.core.time import US_PER_HOUR, format_instant
from engines.runs.acknowledgements import RunsSettings
from tests.drivers.run_rows import T_US, id_of, pattern, spike
from tests.drivers.store_subject import LOG, batch
from tests.streams.commands import Outlay, aside, listed

STEERING = "\x1b[2J[red]connection refused by host a"


async def written(url: str, *rows: TableRow, partition: int = 3) -> None:
    store = PostgresStore(url)
    claimed = await store.claim(TopicPartition("runs", partition), LOG)
    assert await store.commit(batch(claimed, rows=list(rows)))
    await store.close()


async def settings_of(url: str) -> list[SettingRow]:
    table = SettingsTable(url, PostgresLimits())
    rows = await table.read()
    await table.close()
    return rows


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(libpq_url(url))
    await connection.execute(statement)
    await connection.close()


ACTIVE = pattern(signature="a", template=STEERING, as_of_us=T_US + US_PER_HOUR, active_since_us=T_US)
ALIKE = pattern(signature="b", template="\x1b[2J[red]connection refused by host b")
CLEARED = pattern("zeta", status="cleared", cleared_us=T_US + 5, revision=9)
SPIKE = spike()
GONE = spike(run_id="gone", status="withdrawn")


@pytest.fixture
def told(outlay: Outlay, database_url: str) -> Outlay:
    """A database that feedback was written to."""
    aside(written(database_url, ACTIVE, ALIKE, CLEARED, SPIKE, GONE))
    return outlay


def ids(told: Outlay, *arguments: str) -> list[str]:
    return [line["feedback_id"] for line in listed(told("feedback", "list", "--json", *arguments))]


def test_nothing_told_is_said_so(outlay: Outlay) -> None:
    assert outlay("feedback", "list").out == "There is no feedback yet: it comes of the events on the topic runs.\n"
    assert outlay("feedback", "list", "--tenant", "acme").out == "There is no such feedback.\n"
    assert outlay("feedback", "summary", "--tenant", "acme").out == "There is no feedback on runs of acme.\n"
    assert listed(outlay("feedback", "list", "--json")) == listed(
        outlay("feedback", "list", "--merge-similar", "--json")
    )


def test_what_stands_is_listed_and_filtered(told: Outlay) -> None:
    assert ids(told) == [id_of(ACTIVE), *sorted(map(id_of, (ALIKE, SPIKE))), id_of(CLEARED)]
    assert ids(told, "--tenant", "zeta") == ids(told, "--status", "cleared") == [id_of(CLEARED)]
    assert ids(told, "--type", "cost_spike") == [id_of(SPIKE)]
    assert ids(told, "--limit", "1", "--unacknowledged") == [id_of(ACTIVE)]
    assert ids(told, "--acknowledged") == []
    told("feedback", "acknowledge", id_of(SPIKE))
    assert ids(told, "--acknowledged") == [id_of(SPIKE)]


def test_a_table_is_whole_and_shows_nothing_that_could_steer_a_terminal(told: Outlay) -> None:
    shown = told("feedback", "list", "--limit", "2").out
    assert shown.splitlines()[0].split()[:4] == ["feedback", "tenant", "type", "status"]
    assert (
        "3 failed runs with one error within 24 h: \N{REPLACEMENT CHARACTER}[2J[red]connection refused by host a"
        in shown
    )
    assert "and 2 more; --limit shows them" in shown
    assert "\x1b" not in shown


def test_similar_patterns_are_one_to_the_eye(told: Outlay) -> None:
    groups = listed(told("feedback", "list", "--merge-similar", "--json"))
    assert [group["feedback_ids"] for group in groups] == [sorted(map(id_of, (ACTIVE, ALIKE))), [id_of(CLEARED)]]
    assert (groups[0]["occurrence_count"], groups[0]["active"]) == (6, True)
    shown = told("feedback", "list", "--merge-similar").out.splitlines()
    assert shown[1].split()[:4] == ["acme", "2", "6", "yes"]
    refused = told("feedback", "list", "--merge-similar", "--type", "cost_spike")
    assert (refused.code, "spikes have no template" in refused.err) == (2, True)


def test_an_acknowledgement_is_a_row_of_the_newest_line_and_shows_at_once(told: Outlay, database_url: str) -> None:
    done = told("feedback", "acknowledge", id_of(ACTIVE), "--by", "ana ü", "--note", "rolled back")
    as_of = format_instant(T_US + US_PER_HOUR)
    assert (done.code, done.out) == (0, f"{id_of(ACTIVE)} of acme: acknowledged by ana ü, as of {as_of}\n")
    rows = aside(settings_of(database_url))
    assert [(row.kind, row.tenant_id, row.effective_us) for row in rows] == [("acknowledgement", "acme", None)]
    said = RunsSettings(rows).of(id_of(ACTIVE), T_US)
    assert said is not None
    assert (said.as_of_us, said.acknowledged_by) == (T_US + US_PER_HOUR, "ana ü")
    (line,) = listed(told("feedback", "list", "--acknowledged", "--json"))
    assert (line["feedback_id"], line["acknowledged_by"], line["proposal_eligible"]) == (id_of(ACTIVE), "ana ü", False)
    assert "ana ü" in told("feedback", "list", "--acknowledged").out
    assert listed(told("budgets", "list", "--json")) == listed(told("tags", "list", "--json")) == []


def test_a_pattern_that_is_active_anew_can_be_acknowledged_anew(told: Outlay, database_url: str) -> None:
    assert told("feedback", "acknowledge", id_of(ACTIVE)).code == 0
    later = T_US + 48 * US_PER_HOUR
    aside(written(database_url, pattern(signature="a", revision=20, active_since_us=later, as_of_us=later)))
    assert ids(told, "--acknowledged") == []
    assert told("feedback", "acknowledge", id_of(ACTIVE), "--json").summary["as_of"] == format_instant(later)
    assert ids(told, "--acknowledged") == [id_of(ACTIVE)]


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (("pf_nowhere",), "there is no feedback pf_nowhere: `outlay feedback list` shows what there is"),
        ((id_of(CLEARED),), f"{id_of(CLEARED)} is cleared: only what is active can be acknowledged"),
        ((id_of(GONE),), f"{id_of(GONE)} is withdrawn: only what is active can be acknowledged"),
        ((id_of(ACTIVE), "--by", "x" * 257), "acknowledgement: acknowledged_by is longer than 256 characters"),
        ((id_of(ACTIVE), "--by", ""), "acknowledgement: acknowledged_by is empty"),
        ((id_of(ACTIVE), "--note", ""), "acknowledgement: note is empty"),
    ],
)
def test_what_cannot_be_acknowledged_is_refused_in_one_line(
    told: Outlay, database_url: str, arguments: tuple[str, ...], reason: str
) -> None:
    refused = told("feedback", "acknowledge", *arguments)
    assert (refused.code, refused.out, refused.err) == (2, "", f"outlay: {reason}\n")
    assert aside(settings_of(database_url)) == []


def test_nobody_acknowledges_twice(told: Outlay, database_url: str) -> None:
    assert told("feedback", "acknowledge", id_of(SPIKE), "--by", "ana").code == 0
    again = told("feedback", "acknowledge", id_of(SPIKE), "--by", "ben")
    assert (again.code, f"{id_of(SPIKE)} was acknowledged by ana at 2" in again.err) == (2, True)
    assert len(aside(settings_of(database_url))) == 1


def test_names_of_those_who_acknowledge_cannot_steer_a_terminal(told: Outlay) -> None:
    said = told("feedback", "acknowledge", id_of(SPIKE), "--by", "ana\x1b[2J")
    again = told("feedback", "acknowledge", id_of(SPIKE))
    assert (said.code, again.code) == (0, 2)
    assert all("by ana\N{REPLACEMENT CHARACTER}[2J" in text for text in (said.out, again.err))
    assert "\x1b" not in said.out + again.err


def test_a_summary_counts_by_type_and_what_nobody_has_seen(told: Outlay) -> None:
    told("feedback", "acknowledge", id_of(ACTIVE))
    assert told("feedback", "summary", "--tenant", "acme", "--json").summary == {
        "tenant_id": "acme",
        "total": 3,
        "by_type": {"cost_spike": 1, "failure_pattern": 2},
        "unacknowledged": {"cost_spike": 1, "failure_pattern": 1},
    }
    shown = told("feedback", "summary", "--tenant", "acme").out.splitlines()
    assert [line.split() for line in shown[1:]] == [["cost_spike", "1", "1"], ["failure_pattern", "2", "1"]]


@pytest.fixture
def two_urls(outlay: Outlay, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Two migrated databases, over which the partitions are spread."""
    del outlay
    base, _, name = database_url.rpartition("/")
    urls = [database_url, f"{base}/{name}_second"]
    aside(execute(database_url, f"CREATE DATABASE {name}_second"))
    try:
        aside(migrate(urls[1]))
        monkeypatch.delenv("OUTLAY_DATABASE_URL")
        monkeypatch.setenv("OUTLAY_DATABASE_URLS", ",".join(urls))
        yield urls
    finally:
        aside(execute(database_url, f"DROP DATABASE {name}_second WITH (FORCE)"))


def test_of_several_databases_the_one_with_the_tenants_runs_takes_the_row(outlay: Outlay, two_urls: list[str]) -> None:
    left_behind: dict[str, Any] = {"signature": "a", "revision": 100, "status": "cleared"}
    aside(written(two_urls[0], pattern(**left_behind), partition=3))
    aside(written(two_urls[0], CLEARED, partition=4))
    aside(written(two_urls[1], ACTIVE, partition=3))
    assert outlay("feedback", "acknowledge", id_of(ACTIVE)).code == 0
    assert [len(aside(settings_of(url))) for url in two_urls] == [0, 1]
    assert ids(outlay, "--status", "active") == [id_of(ACTIVE)]
    assert outlay("feedback", "summary", "--tenant", "zeta", "--json").summary["total"] == 1


def test_by_default_it_is_who_is_logged_in(told: Outlay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "dora")
    assert told("feedback", "acknowledge", id_of(ALIKE), "--json").summary["acknowledged_by"] == "dora"
