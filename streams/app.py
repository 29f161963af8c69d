"""The composition root: the one module that constructs drivers, and the worker made of them."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Any, Final, TypeVar

from drivers import topics
from drivers.kafka import admin
from drivers.kafka.bounds import LogBoundsReader
from drivers.kafka.murmur2 import partition_of
from drivers.kafka.publisher import KafkaPublisher
from drivers.kafka.resend import Resender
from drivers.kafka.stored import StoredLog
from drivers.metrics import PartitionCollector
from drivers.postgres import facts
from drivers.postgres.facts import DatabaseFacts
from drivers.postgres.operator import PositionTable
from drivers.postgres.overview import OverviewReader
from drivers.postgres.probe import Probe
from drivers.postgres.retention import Retention
from drivers.postgres.settings_head import SettingsHead
from drivers.postgres.settings_writer import SettingsTable
from drivers.postgres.snapshots import SnapshotReader
from drivers.postgres.store import PostgresStore
from drivers.prices import Prices
from drivers.settings import Settings
from drivers.sharding import store_for
from drivers.web import served
from engines.core.errors import Halt, SettingsError
from engines.core.ports import Domain
from engines.cost.domain import CostDomain
from engines.cost.fold import NO_LIMITS, FoldLimits
from engines.cost.rules import PROFILES, ProfileName
from engines.runs.domain import RunsDomain
from streams import retention, stopping
from streams.chosen import fold_limits, health_limits, postgres_limits, shell_limits, source_settings
from streams.clock import SystemClock
from streams.deps import Deps
from streams.faust_source import FaustSource
from streams.health import Health
from streams.log_watch import LogWatch
from streams.readings import NAMES, Readings
from streams.retrying import persist
from streams.settings_home import SettingsHome
from streams.settings_watch import SettingsWatch
from streams.shell import Shell
from streams.tuning import log_to_stderr, tune

_Reader = TypeVar("_Reader", PositionTable, OverviewReader, SnapshotReader)
log = logging.getLogger(__name__)

_CLOSE_S: Final = 1.0
_LOG_ENDS_EVERY_S: Final = 5.0
_START_BACKOFF_S: Final = 1.0
_MATTERS: Final = {"partitions": "0", "message.timestamp.type": None, "cleanup.policy": None}
"""Settings of a topic that make it unfit (which value does; None: any other). The rest is the operator's choice."""


def cost_domain(profile: str, limits: FoldLimits = NO_LIMITS) -> CostDomain:
    """Return the cost domain under the rules of *profile*, with the prices of the installed package."""
    return CostDomain(Prices(), PROFILES[ProfileName(profile)], limits)


def _domains(settings: Settings) -> list[Domain]:
    """Return the domains that a worker is to serve."""
    runs = RunsDomain(calibrated=settings.calibrated_predictions)
    every: tuple[Domain, ...] = (cost_domain(settings.rules, fold_limits(settings)), runs)
    return [domain for domain in every if settings.domains in {"all", domain.topic}]


@asynccontextmanager
async def log_bounds(settings: Settings, *, timeout_s: float = 10.0) -> AsyncIterator[LogBoundsReader]:
    """Lend a reader of log bounds that waits at most *timeout_s* for an answer."""
    reader = LogBoundsReader(settings.kafka, timeout_s=timeout_s)
    try:
        yield reader
    finally:
        await reader.close()


def position_tables(settings: Settings) -> AbstractAsyncContextManager[list[PositionTable]]:
    """Lend the position tables of all databases, in the order that decides where a partition lives."""
    return _lent([PositionTable(url, postgres_limits(settings)) for url in settings.databases])


def stored_log(settings: Settings, topic: str) -> StoredLog:
    """Return a reader of all that *topic* holds."""
    return StoredLog(settings.kafka, topic)


async def database_facts(settings: Settings, number: int) -> DatabaseFacts:
    """Return what database *number* is. Raises Transient."""
    return await facts.read(settings.databases[number], postgres_limits(settings), settings.database_synchronous_commit)


async def topic_states(settings: Settings, names: Collection[str]) -> dict[str, admin.TopicState]:
    """Return those of the topics *names* that the broker has. Raises Transient."""
    return await admin.describe(names, settings.kafka)


def resender(settings: Settings) -> Resender:
    """Return what sends records again."""
    return Resender(settings.kafka)


def overview_readers(settings: Settings) -> AbstractAsyncContextManager[list[OverviewReader]]:
    """Lend readers of how things stand, one for each database."""
    return _lent([OverviewReader(url, postgres_limits(settings)) for url in settings.databases])


def snapshot_readers(settings: Settings) -> AbstractAsyncContextManager[list[SnapshotReader]]:
    """Lend readers of snapshots, one for each database."""
    start = PROFILES[ProfileName(settings.rules)]
    return _lent([SnapshotReader(url, postgres_limits(settings), start) for url in settings.databases])


@asynccontextmanager
async def _lent(readers: list[_Reader]) -> AsyncIterator[list[_Reader]]:
    try:
        yield readers
    finally:
        for reader in readers:
            await reader.close()


@asynccontextmanager
async def settings_home(settings: Settings) -> AsyncIterator[SettingsHome]:
    """Lend what reads and appends settings rows, in the databases where their tenants live."""
    async with AsyncExitStack() as held:
        positions = await held.enter_async_context(position_tables(settings))
        tables = [SettingsTable(url, postgres_limits(settings)) for url in settings.databases]
        for table in tables:
            held.push_async_callback(table.close)
        yield SettingsHome(tables, positions, SystemClock(), partition_of)


def retentions(settings: Settings) -> list[Retention]:
    """Return what drops the time partitions that nothing needs any more, of each database."""
    limits = postgres_limits(settings)
    return [Retention(url, limits, SystemClock(), settings.retention_days) for url in settings.databases]


class Worker:
    """One worker: a member of the group, the shell behind it, and what they stand on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limits = shell_limits(settings)
        self._stores = [
            PostgresStore(
                url,
                postgres_limits(settings),
                pool_size=settings.database_pool,
                application_name="outlay-worker",
                synchronous_commit=settings.database_synchronous_commit,
            )
            for url in settings.databases
        ]
        domains = _domains(settings)
        self._publisher = KafkaPublisher(settings.kafka)
        inputs = [domain.topic for domain in domains]
        self._source = FaustSource(settings.kafka, inputs, settings.group_id, source_settings(settings))
        self._halted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._clock = SystemClock()
        self._heads = [SettingsHead(url, postgres_limits(settings)) for url in settings.databases]
        self._probes = [Probe(url, postgres_limits(settings)) for url in settings.databases]
        self._watch = SettingsWatch(self._heads, settings.settings_poll_s, self._limits, asyncio.sleep)
        self._shell = Shell(
            Deps(
                domains={domain.topic: domain for domain in domains},
                store_for=store_for(self._stores),
                publisher=self._publisher,
                source=self._source,
                clock=self._clock,
                partition_of=partition_of,
                limits=self._limits,
                sleep=asyncio.sleep,
                halt=self._halt,
                settings_known=self._watch.known,
            )
        )

    async def check(self) -> None:
        """Return when databases and topics are there and fit; wait for those that are away, for ever.

        Raises:
            SettingsError: something an operator must change.
        """
        limits = replace(self._limits, backoff_s=_START_BACKOFF_S)
        for number, store in enumerate(self._stores):
            await persist(f"waiting for database {number}", store.check_schema_version, limits, asyncio.sleep)
        if self._settings.topics_check == "strict":
            await persist("waiting for the broker", self._check_topics, limits, asyncio.sleep)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop*, then commit, publish, leave the group. Raises Halt when it cannot go on."""
        async with AsyncExitStack() as held:
            drivers = (self._stores, self._heads, self._probes)
            for close in (driver.close for several in drivers for driver in several):
                held.push_async_callback(stopping.within, _CLOSE_S, close)
            held.push_async_callback(stopping.within, _CLOSE_S, self._publisher.close)
            bounds = await held.enter_async_context(log_bounds(self._settings))
            readings = Readings(self._shell, bounds.ends, self._clock)
            if self._settings.metrics_port:
                self._serve(readings, held)
            held.push_async_callback(
                stopping.ended, asyncio.ensure_future(readings.follow(_LOG_ENDS_EVERY_S, asyncio.sleep))
            )
            if await stopping.unless(stop, self.check()):
                sweeping = retention.follow(retentions(self._settings), asyncio.sleep)
                held.push_async_callback(stopping.ended, asyncio.ensure_future(sweeping))
                await self._work(stop)

    def _serve(self, readings: Readings, held: AsyncExitStack) -> None:
        """Answer over HTTP for as long as *held* lasts, whatever the worker still waits for."""
        about = {"version": version("outlay"), "rules": self._settings.rules, "genai_prices": version("genai-prices")}
        reach = [probe.reach for probe in self._probes]
        health = Health(readings.read, self._joined, reach, health_limits(self._settings))
        pages = {"/healthz": health.live, "/readyz": health.ready}
        address = (self._settings.metrics_host, self._settings.metrics_port)
        held.enter_context(served(PartitionCollector(readings.read, NAMES, about), *address, pages))
        held.push_async_callback(stopping.ended, asyncio.ensure_future(health.follow(asyncio.sleep)))
        log.info("metrics on http://%s:%d/metrics", *address)

    async def _work(self, stop: asyncio.Event) -> None:
        log.info("working in group %s", self._settings.group_id)
        source = asyncio.ensure_future(self._source.run(self._shell))
        watching = asyncio.ensure_future(self._watch.follow())
        told = asyncio.ensure_future(stop.wait())
        logs = LogWatch(self._shell, self._source, self._limits.look_every_s, asyncio.sleep)
        looking = asyncio.ensure_future(logs.follow())
        try:
            first: set[asyncio.Future[Any]] = {source, watching, looking, told, self._halted}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            await self._source.stop()
            await source
            for task in (watching, looking):
                if task.done():
                    task.result()
        finally:
            told.cancel()
            await stopping.ended(watching)
            await stopping.ended(looking)
        if self._halted.done():
            raise Halt(self._halted.result())

    async def _check_topics(self) -> None:
        unfit = []
        for difference in await admin.verify(topics.load().topics, self._settings.kafka):
            if difference.setting in _MATTERS and _MATTERS[difference.setting] in {None, difference.found}:
                unfit.append(difference)
            else:
                log.warning("%s", difference)
        missing = [difference.topic for difference in unfit if difference.setting == "partitions"]
        if missing:
            raise SettingsError(f"the broker has no topic {', '.join(missing)}: run `outlay topics apply`")
        if unfit:
            raise SettingsError("; ".join(map(str, unfit)))

    def _joined(self) -> bool:
        """Return whether the group has given this worker its partitions, none perhaps, and it is not leaving."""
        feed = self._source.feed
        return feed is not None and feed.flows.offered and not feed.stopping.is_set()

    def _halt(self, reason: str) -> None:
        if not self._halted.done():
            self._halted.set_result(reason)


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT.

    Raises:
        SettingsError: the worker must not start like this.
        Halt: it had to end; an operator decides.
    """
    log_to_stderr(settings.log_level)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.stopper(stop, number))
    worker = Worker(settings)
    tune()
    try:
        await worker.run(stop)
    except BaseException:
        stopping.end_by_itself(1)
        raise
    log.info("stopped")
