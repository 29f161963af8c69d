"""Kafka through TLS and logins, by every client; and what is said when it does not let us in."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest

from drivers import topics
from drivers.kafka import admin
from drivers.kafka.bounds import LogBoundsReader
from drivers.kafka.bulk import BulkProducer
from drivers.kafka.connection import KafkaConnection
from drivers.kafka.publisher import KafkaPublisher
from drivers.kafka.resend import Resender
from drivers.kafka.stored import StoredLog
from drivers.kafka.tail import TopicTail
from engines.core.errors import OutlayError, SettingsError, Transient
from engines.core.model import OutboxRow, TopicPartition
from streams.tuning import log_to_stderr
from tests.edge.servers import HUSH, USER, WRONG, Servers, outlay

_SOON_S = 10.0
TP = TopicPartition("costs", 0)
ROW = OutboxRow(1, "cost-anomaly-facts", b"k", b"{}", (), None, 0)


async def test_every_client_goes_through_tls_and_a_login(login: KafkaConnection) -> None:
    await works(login)


async def test_every_client_goes_through_tls_alone(servers: Servers) -> None:
    await works(servers.tls())


async def works(connection: KafkaConnection) -> None:
    await admin.apply(topics.load().topics, connection)
    publisher = KafkaPublisher(connection)
    await publisher.publish([ROW])
    await publisher.close()
    bounds = LogBoundsReader(connection)
    assert (await bounds.ends([TP]))[TP] >= 0
    await bounds.close()
    bulk = BulkProducer[int](connection, "costs", lambda *_: None)
    assert await bulk.start() == topics.load().named("costs").partitions
    await bulk.close()
    async with StoredLog(connection, ROW.topic) as log:
        assert [one.value for several in [found async for found in log.records()] for one in several]
    async with Resender(connection) as resender:
        assert await resender.partitions("costs") > 0
    async with TopicTail(connection, ["costs"]):
        pass


def refused(servers: Servers) -> list[tuple[KafkaConnection, str]]:
    """Return ways to be shut out, and what is said of each."""
    good = servers.login("PLAIN")
    return [
        (replace(good, ssl_cafile=f"{servers.others.authority}"), "not trusted: .*OUTLAY_KAFKA_SSL_CAFILE"),
        (replace(good, ssl_cafile=None), "not trusted"),
        (replace(good, bootstrap_servers=f"localhost:{servers.edge.login_port}"), "not trusted: Hostname mismatch"),
        (replace(good, sasl_password=WRONG), f"login of '{USER}' by PLAIN refused"),
        (replace(servers.login("SCRAM-SHA-256"), sasl_password=WRONG), f"login of '{USER}' by SCRAM-SHA-256 refused"),
        (replace(servers.login("SCRAM-SHA-256"), sasl_username="nobody"), "login of 'nobody' by SCRAM-SHA-256 refused"),
        (replace(good, sasl_mechanism="SCRAM-SHA-512"), "no login by SCRAM-SHA-512"),
        (replace(servers.tls(), security_protocol="SASL_SSL"), "asks for no login"),
    ]


async def test_who_is_not_let_in_hears_at_once_why_and_no_password(servers: Servers) -> None:
    for connection, reason in refused(servers):
        bounds = LogBoundsReader(connection)
        began = time.monotonic()
        for starting in (
            admin.verify(topics.load().topics, connection),
            bounds.reach(),
            BulkProducer[int](connection, "costs", lambda *_: None).start(),
            StoredLog(connection, "costs").__aenter__(),
            Resender(connection).__aenter__(),
            TopicTail(connection, ["costs"]).__aenter__(),
        ):
            with pytest.raises(SettingsError, match=reason) as raised:
                await starting
            silent(raised.value)
        with pytest.raises(Transient, match=reason) as at_work:  # as a broker may know its users later than we do
            await bounds.ends([TP])
        silent(at_work.value)
        await bounds.close()
        assert time.monotonic() - began < 7 * _SOON_S


async def test_a_protocol_that_is_not_the_brokers_is_named(servers: Servers) -> None:
    for wrong in (
        KafkaConnection(servers.login().bootstrap_servers),
        replace(servers.login(), security_protocol="SSL"),
    ):
        with pytest.raises(Transient, match="OUTLAY_KAFKA_SECURITY_PROTOCOL"):
            await admin.verify(topics.load().topics, wrong)


def silent(error: OutlayError) -> None:
    assert HUSH not in str(error)
    assert WRONG not in str(error)
    assert "\n" not in str(error)


async def test_no_password_is_in_a_debug_log(servers: Servers, capfd: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().level, logging.getLogger().handlers[:]
    log_to_stderr("DEBUG")
    try:
        bounds = LogBoundsReader(servers.login("PLAIN"))
        await bounds.reach()
        await bounds.close()
    finally:
        log_to_stderr("INFO")
        logging.getLogger().level, logging.getLogger().handlers[:] = before
    said = capfd.readouterr().err
    assert "aiokafka" in said
    assert HUSH not in said


def test_commands_end_with_one_line_and_without_the_password(servers: Servers) -> None:
    for connection in (
        replace(servers.login(), sasl_password=WRONG),
        replace(servers.login(), ssl_cafile=f"{servers.others.authority}"),
    ):
        environment = servers.environment("outlay_worker", connection) | {"OUTLAY_METRICS_PORT": "0"}
        for command in (["topics", "apply"], ["publish", "examples/calls.jsonl"], ["worker"]):
            ran = outlay(environment, *command)
            told = [line for line in ran.stderr.splitlines() if line.startswith("outlay: ")]
            assert (ran.returncode, len(told)) == (2, 1), ran.stderr
            assert "Traceback" not in ran.stderr
            assert not {HUSH, WRONG} & set(ran.stderr.replace("'", " ").replace(":", " ").split())
            assert not [secret for secret in (HUSH, WRONG) if secret in ran.stdout + ran.stderr]
