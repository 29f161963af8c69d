"""Where a fault does its work: servers, deployments, load, a random of its own, and how long it may take."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from random import Random

from drivers import topics as listed
from drivers.topics import Topic
from tests.chaos import stalls
from tests.chaos.measured import Measured, counted
from tests.chaos.stalls import Stalls
from tests.end_to_end import broker, database, exact, records
from tests.end_to_end.broker import Sent
from tests.end_to_end.deployment import PARTITIONS, Deployment
from tests.stack import Stack
from tests.stack.databases import fresh_database, new_database

SHORT = 0.05
"""The scale of the short version."""
_EVENTS_A_SECOND = 30
_EVENTS_MAX = 6_000  # the oracle's time grows faster than the stream
_SMALL_YIELDS = 3
_PARTITIONERS: tuple[broker.Partitioner, ...] = ("murmur2_random", "consistent_random")
_NEVER_S = 10**6
_PATIENCE_S = 120.0
_DRAIN_S = 120.0


class Arena:
    """What one fault is given.

    Args:
        folder: empty, for logs and servers.
        seed: of the whole programme; each fault draws from a random of its own.
        scale: 1.0 is the programme of half an hour.
        seconds: how long this fault should have load, about.
        postgres: makes throw-away databases; not to be stopped.
        kafka: has a broker that one deployment at a time uses; not to be stopped for good.
        say: shows what is being done.
        databases: over how many each deployment is spread.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        scale: float,
        *,
        fault: str,
        seconds: float,
        postgres: Stack,
        kafka: Stack,
        say: Callable[[str], None],
        databases: int = 1,
    ) -> None:
        self.folder = folder
        self.seed = seed
        self.scale = scale
        self.seconds = seconds
        self.random = Random(f"{seed} {fault}")
        self.say = say
        self._postgres = postgres
        self._kafka = kafka
        self.databases = databases
        self._numbers = count(1)

    def number(self, whole: float, least: int = 1) -> int:
        """Return *whole*, a number of the programme of half an hour, at this scale."""
        return max(least, round(whole * self.scale))

    def duration(self, whole_s: float, least_s: float) -> float:
        """Return *whole_s*, seconds of the programme of half an hour, at this scale."""
        return max(least_s, whole_s * self.scale)

    @contextmanager
    def deployment(
        self,
        *,
        stack: Stack | None = None,
        partitions: int = PARTITIONS,
        topics: Sequence[Topic] | None = None,
        **settings: object,
    ) -> Iterator[Deployment]:
        """Yield a deployment with empty topics and tables, whose days close by records alone.

        Args:
            stack: servers of one's own (`own_servers`); those that are shared when not given.
            partitions: of the topic `costs`.
            topics: instead of those listed.
            settings: for all its workers, named as in the environment, without the prefix.
        """
        folder = self._folder("deployment")
        bootstrap = (self._kafka if stack is None or stack.kafka is None else stack).bootstrap
        broker.renew_topics(bootstrap, topics or _with_partitions(partitions))
        with ExitStack() as held:
            if stack is None:
                urls = [held.enter_context(fresh_database(self._postgres)) for _ in range(self.databases)]
            else:
                urls = [new_database(stack) for _ in range(self.databases)]
            url = ",".join(urls)
            database.prepare(url)
            deployment = Deployment(url, bootstrap, folder, partitions)
            environment = deployment.environment
            if self.databases > 1:
                environment["OUTLAY_DATABASE_URLS"] = environment.pop("OUTLAY_DATABASE_URL")
            environment["OUTLAY_IDLE_MARGIN_S"] = f"{_NEVER_S}"  # the oracle reads the log, not the clock
            environment |= {f"OUTLAY_{name.upper()}": f"{value}" for name, value in settings.items()}
            yield deployment

    @contextmanager
    def own_servers(self, *, durable: bool = False, with_broker: bool = True) -> Iterator[Stack]:
        """Yield servers that this fault may stop; without a broker of its own a deployment uses the shared one."""
        with Stack.private(self._folder("servers"), durable=durable, with_broker=with_broker) as stack:
            yield stack

    @contextmanager
    def frozen_broker(self) -> Iterator[None]:
        """Have the shared broker answer nothing while the block runs; a second or two, for clients have sessions."""
        os.kill(self._kafka.broker_pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._kafka.broker_pid, signal.SIGCONT)

    @contextmanager
    def stalls(self, deployment: Deployment) -> Iterator[Stalls]:
        """Watch how long nothing is taken in; the block should have load all the time."""
        with stalls.watched(deployment.database_url) as watching:
            yield watching

    @contextmanager
    def load(
        self, deployment: Deployment, stream: Sequence[Sent], seconds: float, topic: str = "costs"
    ) -> Iterator[None]:
        """Send *stream* to *topic* in about so many *seconds* while the block runs; everything is sent at its end.

        Two producers share it, one of them with librdkafka's default partitioner.
        """
        with ExitStack() as held:
            loads = []
            for number, partitioner in enumerate(_PARTITIONERS):
                part = stream[number :: len(_PARTITIONERS)]
                loads.append(broker.Load(deployment.bootstrap, part, len(part) / seconds, partitioner, topic))
                held.callback(loads[-1].abandon)
                loads[-1].start()
            yield
            for load in loads:
                load.finish(seconds + _PATIENCE_S)

    def measured(self, deployment: Deployment, *, set_on_the_way: bool = False) -> Measured:
        """Wait until *deployment* is settled; return what is wrong with it."""
        return self.looked(deployment, set_on_the_way=set_on_the_way)[1]

    def settled(self, deployment: Deployment) -> None:
        """Return when *deployment* has taken in its log and told everything."""
        exact.settled(deployment, _DRAIN_S)

    def looked(self, deployment: Deployment, *, set_on_the_way: bool = False) -> tuple[exact.Left, Measured]:
        """Wait until *deployment* is settled; return what it left behind, and what is wrong with that."""
        self.say("drains")
        self.settled(deployment)
        self.say("compares with the oracle")
        found = exact.left(deployment)
        return found, counted(found, set_on_the_way=set_on_the_way)

    def events(self, seconds: float) -> int:
        """Return how many records to send in so many *seconds*."""
        return min(_EVENTS_MAX, max(200, round(seconds * _EVENTS_A_SECOND)))

    def stream(self, events: int) -> list[Sent]:
        """Return about *events* records: copies, disorder, late, foreign and bad ones among them."""
        found: list[Sent] = []
        while len(found) < events:
            found = max(found, records.small(self.random.randrange(10**6), events * _SMALL_YIELDS), key=len)
        return found[:events]

    def _folder(self, name: str) -> Path:
        folder = self.folder / f"{name}-{next(self._numbers)}"
        folder.mkdir(parents=True)
        return folder


def _with_partitions(partitions: int) -> list[Topic]:
    """Return the listed topics, with so many *partitions* for `costs`."""
    return [
        topic.model_copy(update={"partitions": partitions}) if topic.name == "costs" else topic
        for topic in listed.load().topics
    ]
