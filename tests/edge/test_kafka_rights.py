"""Certificates of clients, and the rights that docs/operations.md gives them: enough for each, and no more."""

from __future__ import annotations

import argparse
import gzip
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from drivers import topics
from drivers.kafka import admin
from drivers.kafka.connection import KafkaConnection
from engines.core.errors import OutlayError, SettingsError, Transient
from streams.demo.scenario import month
from tests.edge.servers import Servers, outlay
from tests.end_to_end import broker, exact
from tests.end_to_end.deployment import Deployment

_EVENTS = 600
_PATIENCE_S = 180.0


def commands() -> list[list[str]]:
    """Return the arguments of each `kafka-acls.sh` in docs/operations.md."""
    told = Path("docs/operations.md").read_text().replace("\\\n", " ")
    return [shlex.split(line) for line in re.findall(r"^kafka-acls\.sh (.*)$", told, re.MULTILINE)]


def grant(servers: Servers, arguments: Sequence[str]) -> None:
    """Do what `kafka-acls.sh` does, which is not among the jars that the tests' broker needs."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--allow-principal", required=True)
    for name in ("--topic", "--group", "--operation"):
        parser.add_argument(name, action="append", default=[])
    asked = parser.parse_args(arguments)
    places = [(ResourceType.TOPIC, name) for name in asked.topic] + [(ResourceType.GROUP, name) for name in asked.group]
    acls = [
        AclBinding(
            *place,
            ResourcePatternType.LITERAL,
            asked.allow_principal,
            "*",
            getattr(AclOperation, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()),
            AclPermissionType.ALLOW,
        )
        for place in places
        for operation in asked.operation
    ]
    assert acls, arguments
    client = AdminClient({"bootstrap.servers": servers.stack.bootstrap})
    for done in client.create_acls(acls).values():
        done.result(10)


async def seen(connection: KafkaConnection) -> set[str]:
    """Return the topics that are shown."""
    return set(await admin.describe([topic.name for topic in topics.load().topics], connection))


async def test_a_broker_that_asks_for_a_certificate_lets_nobody_in_without_one(servers: Servers) -> None:
    named = servers.named("outlay-operator")
    await seen(named)
    for stranger in (
        replace(named, ssl_certfile=None, ssl_keyfile=None),
        servers.named("outlay-operator", servers.others),
    ):
        with pytest.raises((SettingsError, Transient)) as refused:
            await seen(stranger)
        assert "certificate" in str(refused.value), refused.value


async def test_a_key_that_is_not_there_is_named(servers: Servers) -> None:
    with pytest.raises(OutlayError, match="OUTLAY_KAFKA_SSL_KEYFILE"):
        await seen(replace(servers.named("outlay-operator"), ssl_keyfile="no-such.key"))


def test_the_rights_in_the_documentation_are_enough_and_needed(servers: Servers, tmp_path: Path) -> None:
    broker.renew_topics(servers.stack.bootstrap)
    deployment = Deployment(servers.stack.database_url, servers.stack.bootstrap, tmp_path)

    def environment(role: str, principal: str) -> dict[str, str]:
        return servers.environment(role, servers.named(principal))

    events = tmp_path / "events.jsonl.gz"
    events.write_bytes(gzip.compress(b"\n".join(month(7).lines[:_EVENTS]), 1))
    producer = environment("outlay_worker", "billing-app")
    refused = outlay(producer, "publish", events)
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    to_the_group, *others = commands()
    for arguments in others:
        grant(servers, arguments)
    deployment.environment |= environment("outlay_worker", "outlay-worker") | {"OUTLAY_GROUP_ID": "outlay"}

    def run(principal: str, command: str, code: int = 0) -> str:
        ran = outlay(environment("outlay_operator", principal), *command.split())
        assert ran.returncode == code, (command, ran.stdout, ran.stderr)
        return ran.stdout

    assert outlay(environment("outlay_owner", "outlay-worker"), "migrate", "--rebuild", "--yes").returncode == 0
    run("outlay-operator", "topics apply")
    with deployment.worker(publish_snapshots="true") as worker:
        deployment.eventually(
            lambda: "GroupAuthorizationFailed" in worker.said or None, "the worker says what it lacks"
        )
        grant(servers, to_the_group)
        assert outlay(producer, "publish", events).returncode == 0
        with broker.load(servers.stack.bootstrap, [(b"t", b"{", ())]):
            pass
        exact.settled(deployment, _PATIENCE_S)
        assert exact.exact(deployment).counts["dead"] == 1
        run("outlay-operator", "status")
        run("outlay-operator", "dead-letters list")
        run("outlay-operator", "dead-letters retry --all", code=1)  # it is as broken as before
        assert outlay(environment("outlay_worker", "outlay-worker"), "doctor").returncode == 0
        worker.stop()
    assert outlay(environment("outlay_worker", "incident-bridge"), "publish", events).returncode != 0
