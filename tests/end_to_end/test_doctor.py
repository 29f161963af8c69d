"""``outlay doctor`` on real servers: what it lets pass, and what it finds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from drivers.embedded.processes import free_port
from tests.end_to_end import broker, database, exact, records
from tests.end_to_end.deployment import Deployment
from tests.streams.commands import Ran, run

Doctor = Callable[..., Ran]


@pytest.fixture
def doctor(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Doctor:
    deployment.environment["OUTLAY_DOMAINS"] = "all"
    for name, value in deployment.environment.items():
        if name.startswith("OUTLAY_"):
            monkeypatch.setenv(name, value)
    return lambda *arguments: run(capfd, "doctor", "--watch", "1", *arguments)


def found(ran: Ran, level: str) -> dict[str, str]:
    """Return what was found at one level: check → what it says."""
    report = json.loads(ran.out)
    assert report["ok"] is (ran.code == 0)
    assert all((one["level"] == "OK") == (one["do"] is None) for one in report["checks"])
    return {one["check"]: one["says"] for one in report["checks"] if one["level"] == level}


async def configure(bootstrap: str, topic: str, **settings: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        changed = {name.replace("_", "."): value for name, value in settings.items()}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, changed)])
    finally:
        await admin.close()


def test_a_deployment_at_work_passes_and_one_without_a_worker_is_told_of(
    deployment: Deployment, doctor: Doctor
) -> None:
    stream = records.small(5, 300)
    with deployment.worker() as worker:
        with broker.load(deployment.bootstrap, stream):
            pass
        deployment.claimed()
        deployment.reached(len(stream))
        for topic in ("costs", "runs"):
            exact.settled(deployment, topic=topic)
        working = doctor("--json")
        assert found(working, "FAIL") == {}
        # The servers of the tests have one broker and wait for no disk.
        assert set(found(working, "WARN")) - {"database 0: rights"} == {"copies", "database 0: durability"}
        assert found(working, "WARN")["copies"] == "one of each partition, of all topics"
        passed = found(working, "OK")
        assert passed["progress"] == "every partition is at the end of its log, or moves"
        assert passed["positions"] == "all 24 lie inside their logs"
        assert {f"topic {topic}: clock of the broker" for topic in ("costs", "runs")} <= passed.keys()
        worker.stop()
    with broker.load(deployment.bootstrap, stream[:50]):
        pass
    left = doctor("--json")
    assert left.code == 0
    assert "behind, no step in 1 s: costs/" in found(left, "WARN")["progress"]
    shown = doctor()
    assert (shown.code, "→ is a worker running?" in shown.out) == (0, True)


def test_what_breaks_a_promise_fails_with_what_to_do(deployment: Deployment, doctor: Doctor) -> None:
    with deployment.worker() as worker:
        for topic in ("costs", "runs"):
            exact.settled(deployment, topic=topic)
        worker.stop()
    database.run(
        deployment.database_url,
        "UPDATE positions SET next_offset = 7 WHERE topic = 'costs' AND partition = 3",
        "UPDATE positions SET topic_id = 'another' WHERE topic = 'costs' AND partition = 4",
        "DELETE FROM settings_head",
    )
    asyncio.run(configure(deployment.bootstrap, "costs", message_timestamp_type="CreateTime", retention_ms="3600000"))
    ran = doctor("--json")
    assert ran.code == 1
    failures = found(ran, "FAIL")
    assert failures["log costs/3"] == "ends at 0, the position is 7: the log was cut"
    assert failures["log costs/4"].endswith("the position of another")
    assert failures["topic costs"] == "message.timestamp.type is CreateTime instead of LogAppendTime"
    assert failures["database 0: settings"] == "settings_head has 0 rows instead of one"
    assert "keeps records for 0.0417 days" in ran.out


def test_servers_that_are_away_or_not_prepared_fail_each_by_itself(
    deployment: Deployment, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTLAY_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    failures = found(doctor("--json"), "FAIL")
    assert list(failures) == ["broker"]
    monkeypatch.setenv("OUTLAY_KAFKA_BOOTSTRAP_SERVERS", deployment.bootstrap)
    monkeypatch.setenv("OUTLAY_DATABASE_URL", f"postgresql://outlay:hush@127.0.0.1:{free_port()}/outlay")
    away = doctor("--json")
    assert list(found(away, "FAIL")) == ["database 0"]
    assert "hush" not in away.out
    assert "topic costs" in found(away, "OK")
    stranger = deployment.database_url.replace("+asyncpg", "").replace("outlay:", "outlay:hush", 1)
    monkeypatch.setenv("OUTLAY_DATABASE_URL", stranger)
    refused = doctor("--json")
    assert list(found(refused, "FAIL")) == ["database 0"]
    assert "hush" not in refused.out
    monkeypatch.setenv("OUTLAY_DATABASE_URL", deployment.database_url)
    database.run(deployment.database_url, "DROP TABLE alembic_version")
    assert "run `outlay migrate`" in found(doctor("--json"), "FAIL")["database 0: tables"]
