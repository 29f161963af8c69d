"""What ``outlay snapshots`` makes of rows that the store wrote."""

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from drivers.postgres.connections import PostgresLimits
from drivers.postgres.migrate import migrate
from drivers.postgres.settings_writer import SettingsTable
from drivers.postgres.store import PostgresStore
from engines.core.model import NewSetting, TableRow
from engines.core.money import NANOUSD_PER_USD as USD
from engines.core.time import US_PER_DAY, US_PER_HOUR
from engines.cost.setting_lines import RuleLine
from tests.drivers.rows import anomaly, snapshot
from tests.drivers.store_subject import LOG, TP, batch
from tests.streams.commands import run

DAY = 20_468  # 2026-01-15


def spent(kind: str, name: str, cost: int | None, *, back: int = 0, **changes: Any) -> TableRow:
    values = {"entity_type": kind, "entity_id": name, "cost_nanousd": cost, "start_at": (DAY - back) * US_PER_DAY}
    return snapshot(**values | changes)


def told(anomaly_id: str, kind: str, name: str, severity: str, threshold_pct: int, **changes: Any) -> TableRow:
    values: dict[str, Any] = {
        "anomaly_id": anomaly_id,
        "anomaly_type": f"{kind}_spike",
        "entity_type": kind,
        "entity_id": name,
        "severity": severity,
        "status": "final",
        "window_start": DAY * US_PER_DAY,
        "window_end": (DAY + 1) * US_PER_DAY,
        "line": json.dumps({"threshold_pct": threshold_pct}),
    }
    return anomaly(**values | changes)


def month() -> list[TableRow]:
    return [
        spent("tenant", "acme", 30 * USD, requests=7, baseline_nanousd=10 * USD),
        spent("user", "ana", 28 * USD, requests=5, baseline_nanousd=4 * USD),
        spent("user", "bob", 2 * USD, requests=2, baseline_nanousd=USD // 2),
        spent("feature", "[red]chat\x1b[2J", 28 * USD),
        spent("model", "m", None),
        *(spent("user", "ana", cost * USD, back=back) for back, cost in ((1, 3), (7, 5), (8, 100))),
        spent("tenant", "acme", USD, back=-1),
        spent("tenant", "zeta", USD, back=2, tenant_id="zeta", entity_id="zeta"),
        spent("tenant", "acme", 12 * USD, window_kind="hour", start_at=DAY * US_PER_DAY + 9 * US_PER_HOUR, requests=3),
        spent("user", "ana", 12 * USD, window_kind="hour", start_at=DAY * US_PER_DAY + 9 * US_PER_HOUR),
        spent("tenant", "acme", 18 * USD, window_kind="hour", start_at=DAY * US_PER_DAY + 23 * US_PER_HOUR),
        told("ca_a", "user", "ana", "medium", 300, revision=2, status="provisional"),
        told("ca_a", "user", "ana", "critical", 500, current_nanousd=28 * USD, expected_nanousd=4 * USD,
             deviation_pct=600.0),
        told("ca_w", "user", "bob", "low", 200, status="withdrawn"),
        told("ca_x", "user", "bob", "HIGH", 100, anomaly_type="ABSOLUTE_SPIKE"),
    ]  # fmt: skip


async def filled(url: str, rows: Sequence[TableRow], settings: Sequence[NewSetting] = ()) -> None:
    await migrate(url)
    table = SettingsTable(url, PostgresLimits())
    await table.append(settings, now_us=0)
    await table.close()
    store = PostgresStore(url)
    claimed = await store.claim(TP, LOG)
    assert await store.commit(batch(claimed, {"closed_through": DAY}, rows=list(rows)))
    await store.close()


@pytest.fixture
def outlay(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installation with a month in it."""
    rule = RuleLine(tenant_id="acme", name="day_low_pct", value=250, effective_from="2026-01-01T00:00:00Z")
    asyncio.run(filled(database_url, month(), [rule.setting()]))
    monkeypatch.setenv("OUTLAY_DATABASE_URL", database_url.replace("+asyncpg", ""))
    return database_url


def read(capfd: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(capfd, "snapshots", "--json", *arguments).out)
    return found


def test_a_day_has_totals_baselines_and_what_was_judged(outlay: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert outlay
    (day,) = read(capfd, "--tenant", "acme", "--day", "2026-01-15")
    assert (day["status"], day["version"], day["records_processed"]) == ("complete", 15, 7)
    assert [one["entity_id"] for one in day["aggregates"]] == ["acme", "ana", "bob", "[red]chat\x1b[2J", "m"]
    assert [(one["entity_id"], one["avg_daily_cost_nanousd"], one["samples_count"]) for one in day["baselines"]] == [
        ("ana", 4 * USD, 2)
    ]
    tenant, ana, bob = day["evaluations"]
    assert (ana["triggered"], ana["severity_computed"], ana["threshold_pct"]) == (True, "critical", 500)
    assert (ana["anomaly_id"], ana["deviation_pct"]) == ("ca_a", 600.0)
    assert (tenant["evaluation_reason"], tenant["deviation_pct"], tenant["threshold_pct"]) == (
        "below the threshold",
        200.0,
        250,
    )
    assert bob["evaluation_reason"].startswith("reached, but too little money")


def test_without_a_day_it_is_the_tenants_latest_and_an_open_day_is_not_evaluated(
    outlay: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert outlay
    (acme,), (zeta,) = read(capfd, "--tenant", "acme"), read(capfd, "--tenant", "zeta")
    assert (acme["period_start"], acme["status"], acme["evaluations"]) == ("2026-01-16T00:00:00Z", "provisional", [])
    assert zeta["period_start"] == "2026-01-13T00:00:00Z"
    assert read(capfd, "--tenant", "nobody") == []
    assert "No record of acme has been counted on 2026-01-10" in (
        run(capfd, "snapshots", "--tenant", "acme", "--day", "2026-01-10").out
    )
    assert run(capfd, "snapshots", "--tenant", "acme", "--day", "soon").code == 2


def test_hours_and_kinds_are_told_by_themselves(outlay: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert outlay
    nine, last = read(capfd, "--tenant", "acme", "--day", "2026-01-15", "--hour", "--by", "tenant")
    assert [len(nine["aggregates"]), nine["period_start"], last["period_end"]] == [
        1,
        "2026-01-15T09:00:00Z",
        "2026-01-16T00:00:00Z",
    ]
    (users,) = read(capfd, "--tenant", "acme", "--day", "2026-01-15", "--by", "user")
    assert {one["entity_type"] for part in ("aggregates", "evaluations") for one in users[part]} == {"user"}
    assert users["records_processed"] == 7
    told = run(capfd, "snapshots", "--tenant", "acme", "--day", "2026-01-15", "--hour").out
    assert re.search(r"^09:00 +user +ana +3 .* \$12.00 ", told, re.MULTILINE)


def test_a_table_tells_people(outlay: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert outlay
    shown = run(capfd, "snapshots", "--tenant", "acme", "--day", "2026-01-15", "--limit", "1").out
    assert shown.startswith("acme, 2026-01-15 UTC: 7 records, complete, version 15\n")
    for row in (
        r"tenant +acme .* \+200.00 % +below the threshold",
        r"user +ana +5 +1 +0 +\$28.00 +\$7.00 +\$4.00 +2 +\$3.00 +\$5.00 +\+600.00 % +critical, from 500 % on",
        r"model +m +3 +1 +0 +- ",
    ):
        assert re.search(row, shown), row
    assert "[red]chat\N{REPLACEMENT CHARACTER}[2J" in shown
    assert "bob" not in shown
    assert "and 1 more" in shown


def test_a_tenant_is_found_in_whichever_database_it_lives(
    outlay: str, module_database_url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(filled(module_database_url, [spent("tenant", "beta", USD, tenant_id="beta")]))
    monkeypatch.delenv("OUTLAY_DATABASE_URL")
    monkeypatch.setenv("OUTLAY_DATABASE_URLS", f"{outlay},{module_database_url}".replace("+asyncpg", ""))
    assert [one["tenant_id"] for name in ("beta", "zeta") for one in read(capfd, "--tenant", name)] == ["beta", "zeta"]
    assert len(read(capfd, "--tenant", "acme", "--day", "2026-01-15", "--hour")) == 2


def test_before_there_are_tables_it_says_what_to_do(
    database_url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_URL", database_url.replace("+asyncpg", ""))
    assert "outlay migrate" in run(capfd, "snapshots", "--tenant", "acme").err
