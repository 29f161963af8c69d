"""Nothing that a person or a log gets to see holds a password: settings, errors, and all that a deployment says."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from drivers.settings import Settings, load
from engines.core.errors import SettingsError
from streams.demo.scenario import month
from tests.edge.servers import HUSH, ROLES, WRONG, Servers, hush, outlay
from tests.end_to_end import broker, exact
from tests.end_to_end.deployment import Deployment

_EVENTS = 1_500


def test_a_deployment_of_roles_behind_tls_is_exact_and_silent(servers: Servers, tmp_path: Path) -> None:
    broker.renew_topics(servers.stack.bootstrap)
    deployment = Deployment(servers.stack.database_url, servers.stack.bootstrap, tmp_path)
    deployment.environment |= servers.environment("outlay_worker") | {"OUTLAY_LOG_LEVEL": "DEBUG"}
    events = tmp_path / "events.jsonl.gz"
    events.write_bytes(gzip.compress(b"\n".join(month(7).lines[:_EVENTS]), 1))
    said: list[str] = []

    def run(role: str, command: str, *more: str | Path) -> None:
        environment = servers.environment(role, servers.login("PLAIN"))
        ran = outlay(environment, *command.split(), *more)
        assert ran.returncode == 0, (command, ran.stderr)
        said.extend((ran.stdout, ran.stderr))

    run("outlay_owner", "migrate --rebuild --yes")
    run("outlay_operator", "topics apply")
    run("outlay_operator", "budgets set --tenant globex-studio --type tenant --daily-usd 1")
    with deployment.worker() as worker:
        run("outlay_worker", "publish", events)
        assert exact.exact(deployment).counts["accepted"] > _EVENTS // 2
        run("outlay_operator", "status --json")
        run("outlay_operator", "positions list")
        run("outlay_worker", "doctor")
        run("outlay_operator", "dead-letters list")
        run("outlay_operator", "rules set spike_pct 200 --tenant globex-studio")
        run("outlay_operator", "retention")
        run("outlay_analyst", "top --json")
        run("outlay_analyst", "snapshots --tenant globex-studio --json")
        worker.stop()
    said.append(worker.said)
    assert "aiokafka" in worker.said, "the log says all there is"
    assert secrets_in("\n".join(said)) == []


def secrets_in(text: str) -> list[str]:
    return [secret for secret in (HUSH, WRONG, *map(hush, ROLES)) if secret in text]


def test_the_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch, servers: Servers) -> None:
    for name, value in servers.environment("outlay_worker").items():
        monkeypatch.setenv(name, value)
    found = Settings()
    shown = [
        repr(found),
        str(found),
        repr(found.kafka),
        str(found.model_dump()),
        found.model_dump_json(),
        f"{vars(found)}",
    ]
    assert secrets_in("\n".join(shown)) == []
    assert found.kafka.sasl_password == HUSH
    assert hush("outlay_worker") in found.databases[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"OUTLAY_DATABASE_URL": f"mysql://outlay:{WRONG}@127.0.0.1/outlay"},
        {"OUTLAY_DATABASE_URL": f"postgresql://outlay:{WRONG}#@127.0.0.1/outlay"},
        {"OUTLAY_DATABASE_URL": f"postgresql://outlay:{WRONG}/@127.0.0.1/outlay"},
        {"OUTLAY_DATABASE_URL": f"postgresql://outlay:{WRONG[:5]}?{WRONG}@127.0.0.1/outlay"},
        {"OUTLAY_DATABASE_URL": f"postgresql://outlay:{WRONG}@127.0.0.1:port/outlay"},
        {"OUTLAY_DATABASE_URL": f"postgresql://outlay:{WRONG}@[::1/outlay"},
        {"OUTLAY_DATABASE_URL": f"postgresql://outlay:{WRONG}@127.0.0.1/outlay?sslmode=perhaps"},
        {"OUTLAY_DATABASE_URLS": f"postgresql://outlay:{WRONG}@127.0.0.1/outlay"},
        {"OUTLAY_KAFKA_SASL_PASWORD": WRONG},
        {"OUTLAY_KAFKA_SASL_PASSWORD": WRONG, "OUTLAY_KAFKA_SASL_USERNAME": ""},
        {"OUTLAY_KAFKA_SASL_PASSWORD": WRONG, "OUTLAY_KAFKA_SECURITY_PROTOCOL": "TLS"},
    ],
    ids=str,
)
def test_wrong_settings_are_one_line_that_repeats_no_secret(servers: Servers, wrong: dict[str, str]) -> None:
    ran = outlay(servers.environment("outlay_worker") | wrong, "status")
    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (2, "", 1), ran.stderr
    assert ran.stderr.startswith("outlay: ")
    assert secrets_in(ran.stderr) == []


def test_an_error_of_settings_keeps_no_secret_in_its_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_DATABASE_URL", f"mysql://outlay:{WRONG}@127.0.0.1/outlay")
    with pytest.raises(SettingsError) as raised:
        load()
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
