"""What ``outlay top`` makes of rows that the store wrote."""

import asyncio
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from drivers.postgres.connections import PostgresLimits
from drivers.postgres.migrate import migrate
from drivers.postgres.settings_writer import SettingsTable
from drivers.postgres.store import PostgresStore
from engines.core.model import NewSetting, TableRow
from tests.drivers.rows import anomaly, snapshot
from tests.drivers.store_subject import LOG, TP, batch
from tests.streams.commands import run

DAY = 20_468  # 2026-01-15
DAY_US = 86_400_000_000
USD = 10**9


def spent(tenant_id: str, cost_nanousd: int | None, *, back: int = 0, **changes: Any) -> TableRow:
    start_at = (DAY - back) * DAY_US
    entity = {"tenant_id": tenant_id, "entity_id": tenant_id}
    return snapshot(**entity | {"start_at": start_at, "cost_nanousd": cost_nanousd} | changes)


def spike(anomaly_id: str, back: int = 0, **changes: Any) -> TableRow:
    start = (DAY - back) * DAY_US
    return anomaly(anomaly_id=anomaly_id, **{"window_start": start, "window_end": start + DAY_US} | changes)


async def filled(url: str, rows: Sequence[TableRow], settings: Sequence[NewSetting] = (), **changes: Any) -> None:
    await migrate(url)
    store = PostgresStore(url)
    claimed = await store.claim(TP, LOG)
    assert await store.commit(batch(claimed, changes, rows=list(rows)))
    await store.close()
    table = SettingsTable(url, PostgresLimits())
    await table.append(settings, now_us=0)
    await table.close()


def budget(tenant_id: str, daily_limit_cents: int) -> NewSetting:
    body = {
        "budget_type": "tenant",
        "entity_id": tenant_id,
        "daily_limit_cents": daily_limit_cents,
        "monthly_limit_cents": None,
        "warn_threshold_pct": 80,
        "hard_limit_enabled": False,
        "is_active": True,
    }
    return NewSetting("budget", tenant_id, DAY * DAY_US, json.dumps(body).encode())


def month() -> list[TableRow]:
    return [
        spent("acme", 30 * USD, requests=7),
        spent("acme", 10 * USD, back=1),
        spent("zeta", 40 * USD),
        spent("mute", None),
        spent("acme", 29 * USD, entity_type="feature", entity_id="[red]chat\x1b[2J"),
        spent("acme", USD // 100, entity_type="user", entity_id="ana"),
        spike("ca_old", back=3, tenant_id="acme", severity="HIGH"),
        spike("ca_low", tenant_id="zeta", severity="low", anomaly_type="tenant_spike", deviation_pct=990.0),
        spike("ca_new", tenant_id="acme", derived_cause="RETRY_LOOP", deviation_pct=200.5),
        spike("ca_gone", tenant_id="acme", status="withdrawn"),
        spike("ca_past", back=30, tenant_id="acme"),
        spike(
            "ca_month",
            back=14,
            tenant_id="acme",
            anomaly_type="BUDGET_WARNING",
            severity="MEDIUM",
            period="monthly",
            window_end=(DAY + 17) * DAY_US,
        ),
    ]


MARK = {"watermark_us": DAY * DAY_US, "last_append_ms": 1_000, "next_offset": 9, "projected": 6}


@pytest.fixture
def outlay(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installation with a month in it."""
    asyncio.run(filled(database_url, month(), [budget("acme", 2_500), budget("zeta", 100_000)], **MARK))
    monkeypatch.setenv("OUTLAY_DATABASE_URL", database_url.replace("+asyncpg", ""))
    return database_url


def test_one_look_as_json_is_exact(outlay: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert outlay
    seen = run(capfd, "top", "--json").summary
    assert seen["day"] == "2026-01-15"
    assert seen["totals"] == {"tenants": 3, "requests": 13, "unpriced_requests": 3, "cost_nanousd": 70 * USD}
    spend = [(one["entity_type"], one["entity_id"], one["cost_nanousd"]) for one in seen["spend"]]
    assert spend == [
        ("tenant", "zeta", 40 * USD),
        ("tenant", "acme", 30 * USD),
        ("tenant", "mute", None),
        ("feature", "[red]chat\x1b[2J", 29 * USD),
        ("user", "ana", USD // 100),
    ]
    acme = seen["spend"][1]
    assert (acme["baseline_nanousd"], acme["deviation_pct"], acme["status"]) == (10 * USD, 200.0, "provisional")
    assert [one["anomaly_id"] for one in seen["anomalies"]] == ["ca_new", "ca_month", "ca_low", "ca_old"]
    assert seen["anomalies"][0]["derived_cause"] == "RETRY_LOOP"
    assert [(one["tenant_id"], one["usage_pct"], one["level"]) for one in seen["budgets"]] == [
        ("acme", 120.0, "exceeded"),
        ("zeta", 4.0, "ok"),
    ]
    assert (seen["freshness"]["watermark"], seen["freshness"]["unshown"]) == ("2026-01-15T00:00:00Z", 3)


def test_a_tenant_a_kind_a_limit_and_a_day_narrow_it(outlay: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert outlay
    one = run(capfd, "top", "--json", "--tenant", "zeta").summary
    assert {line["tenant_id"] for name in ("spend", "anomalies", "budgets") for line in one[name]} == {"zeta"}
    assert one["totals"]["cost_nanousd"] == 40 * USD
    users = run(capfd, "top", "--json", "--by", "user", "--by", "feature", "--limit", "1").summary
    assert [line["entity_type"] for line in users["spend"]] == ["user", "feature"]
    assert len(users["anomalies"]) == len(users["budgets"]) == 1
    before = run(capfd, "top", "--json", "--day", "2026-01-14").summary
    assert [line["cost_nanousd"] for line in before["spend"]] == [10 * USD]
    assert [line["anomaly_id"] for line in before["anomalies"]] == ["ca_month", "ca_old"]


def test_one_look_as_tables_tells_people(outlay: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert outlay
    told = run(capfd, "top", "--once").out
    assert "2026-01-15 UTC so far: $70.00 in 13 requests, 3 without a price, 3 tenants" in told
    for row in (
        r"acme +\$30.00 +\$10.00 +\+200 % +7 +1",
        r"acme +ana +\$0.0100 +- +- +3 +1",
        r"2026-01-15 +HIGH +ABSOLUTE_SPIKE +acme .* RETRY_LOOP +provisional",
        r"2026-01 +MEDIUM +BUDGET_WARNING",
        r"acme +tenant +daily +\$30.00 +\$25.00 +120.0 % +█{20} +exceeded",
        r"zeta +tenant +daily .* 4.0 % +·{20} +ok",
    ):
        assert re.search(row, told), row
    assert "[red]chat\N{REPLACEMENT CHARACTER}[2J" in told
    assert run(capfd, "top").out.splitlines()[0] == told.splitlines()[0]  # no terminal: looks once


def test_before_any_data_it_says_what_to_do(
    database_url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_URL", database_url.replace("+asyncpg", ""))
    assert "outlay migrate" in run(capfd, "top", "--once").err
    asyncio.run(migrate(database_url))
    assert "No data yet" in run(capfd, "top", "--once").out
    assert run(capfd, "top", "--json").summary["day"] is None
    assert run(capfd, "top", "--day", "tomorrow").code == 2
    assert "no record has been counted yet" in run(capfd, "top", "--day", "2026-01-01").out


def test_a_tenant_without_records_is_said_to_have_none(outlay: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert outlay
    told = "No record of tenant nosuch on this day: `outlay top --once` shows whose there are"
    assert told in run(capfd, "top", "--tenant", "nosuch").out
    assert "No record of tenant" not in run(capfd, "top", "--tenant", "acme").out


def test_tenants_of_several_databases_are_told_together(
    outlay: str, module_database_url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(filled(module_database_url, [spent("beta", 35 * USD), spent("beta", USD, back=-1)]))
    monkeypatch.delenv("OUTLAY_DATABASE_URL")
    monkeypatch.setenv("OUTLAY_DATABASE_URLS", f"{outlay},{module_database_url}".replace("+asyncpg", ""))
    assert run(capfd, "top", "--json").summary["day"] == "2026-01-16"
    seen = run(capfd, "top", "--json", "--day", "2026-01-15", "--by", "tenant", "--limit", "3").summary
    assert [line["tenant_id"] for line in seen["spend"]] == ["zeta", "beta", "acme"]
    assert seen["totals"]["tenants"] == 4


def test_on_a_terminal_it_looks_again_and_again_until_interrupted(outlay: str) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"OUTLAY_DATABASE_URL": outlay.replace("+asyncpg", ""), "TERM": "xterm"}
    command = [sys.executable, "-c", "from streams.cli import main; main()", "top", "--interval", "0.2"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        try:
            seen = b""
            while seen.count(b"spend by") < 6:  # three kinds have lines, so this is the second look
                assert select.select([ours], [], [], 60)[0], seen
                seen += os.read(ours, 65_536)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
            os.close(theirs)
            os.close(ours)


def test_a_refused_login_is_said_and_not_tried_again(
    outlay: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_URL", f"postgresql://no_such_user@{outlay.rpartition('@')[2]}")
    ran = run(capfd, "top", "--once")
    assert ran.code == 2
    assert "trying again" not in ran.err
