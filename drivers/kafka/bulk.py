"""Publishing many records quickly: an idempotent producer that is handed whole batches, not single records.

One invariant: every record ends as acknowledged or refused, in the order it was added within its partition, or the
call raises and ``unknown`` tells which records nobody knows of. A batch is sent as a whole and refused as a whole,
so a refused one is divided until the record to blame is alone; the rest goes on.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    CorruptRecordException,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    for_code,
)

from drivers.kafka.connection import KafkaConnection
from drivers.kafka.producers import abandon
from drivers.kafka.refusals import explain
from engines.core.errors import SettingsError, Transient

_BATCH_BYTES = 256 << 10
_CONNECT_S = 10.0
_IN_FLIGHT = 2
"""Batches of a partition handed over: one on its way, one next."""
_VALUE_BYTES_MAX = 64 << 20
"""Brokers cut the connection at requests of 100 MiB instead of answering."""
_REFUSALS = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    CorruptRecordException,
    PolicyViolationError,
    for_code(87),  # INVALID_RECORD; an unknown error to versions that do not know it
)
_FORBIDDEN = (InvalidTopicError, TopicAuthorizationFailedError, ClusterAuthorizationFailedError)

TagT = TypeVar("TagT")


class _Record(NamedTuple, Generic[TagT]):
    key: bytes | None
    value: bytes
    tag: TagT


@dataclass(slots=True, eq=False)
class _Batch(Generic[TagT]):
    partition: int
    builder: Any
    number: int = 0
    records: list[_Record[TagT]] = field(default_factory=list)
    error: BaseException | None = None

    def take(self, record: _Record[TagT]) -> bool:
        """Add *record*; False when there is no room. One record fits whatever its size."""
        if self.builder.append(timestamp=None, key=record.key, value=record.value) is None:
            return False
        self.records.append(record)
        return True


class BulkProducer(Generic[TagT]):
    """Publishes to one topic; a record's *tag* names it to the caller.

    Args:
        refused: called with the tag of each record that the broker will not take, and why.
        timeout_s: how long the broker may acknowledge nothing.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        refused: Callable[[TagT, str], None],
        *,
        timeout_s: float = 30.0,
        producer: Callable[..., Any] = AIOKafkaProducer,
    ) -> None:
        self.sent = 0
        self._connection = connection
        self._topic = topic
        self._refused = refused
        self._timeout_s = timeout_s
        self._new_producer = producer
        self._producer: Any = None
        self._filling: dict[int, _Batch[TagT]] = {}
        self._on_way: defaultdict[int, deque[asyncio.Future[Any]]] = defaultdict(deque)
        self._batches: dict[asyncio.Future[Any], _Batch[TagT]] = {}
        self._failed: list[_Batch[TagT]] = []
        self._numbers = itertools.count()

    async def start(self) -> int:
        """Connect and return the topic's number of partitions.

        Raises:
            Transient: the cluster is away.
            SettingsError: there is no such topic, or we may not write, or are not let in.
        """
        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._connect()
                return await self._partitions()
        except BaseException as error:
            await self.close()
            if isinstance(error, _FORBIDDEN):
                raise SettingsError(f"Kafka refuses: {_reason(error)}") from error
            if isinstance(error, KafkaError | OSError | TimeoutError):
                raise await explain(self._connection, error) from error
            raise

    def add(self, partition: int, key: bytes | None, value: bytes, tag: TagT) -> bool:
        """Take a record into the batch of its partition; False when that must be shipped first."""
        if len(value) > _VALUE_BYTES_MAX:
            self._refused(tag, f"{len(value)} bytes are more than any broker takes")
            return True
        batch = self._filling.get(partition)
        if batch is None:
            batch = self._filling[partition] = self._batch(partition)
        return batch.take(_Record(key, value, tag))

    async def ship(self, partition: int) -> None:
        """Hand the batch of *partition* over, once there is room. Raises Transient, SettingsError."""
        if self._failed:
            await self._mend()
        way = self._on_way[partition]
        while len(way) >= _IN_FLIGHT:
            await self._progress()
        batch = self._filling.pop(partition, None)
        if batch is not None:
            batch.number = next(self._numbers)
            await self._hand_over(batch)

    async def ship_all(self) -> None:
        """Hand every batch over, full or not. Raises Transient, SettingsError."""
        for partition in list(self._filling):
            await self.ship(partition)

    async def flush(self) -> None:
        """Return when every record is acknowledged or refused. Raises Transient, SettingsError."""
        await self.ship_all()
        while self._batches or self._failed:
            await self._settled()
            await self._mend()

    def unknown(self) -> list[TagT]:
        """Return the tags of the records that are neither acknowledged nor refused, in the order of adding."""
        out = sorted([*self._batches.values(), *self._failed], key=lambda batch: batch.number)
        return [record.tag for batch in (*out, *self._filling.values()) for record in batch.records]

    async def close(self) -> None:
        """Give up the connection, with whatever was not flushed."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await abandon(producer)

    async def _connect(self) -> None:
        self._producer = self._new_producer(
            **self._connection.options(),
            enable_idempotence=True,
            acks="all",
            compression_type="lz4",
            max_batch_size=_BATCH_BYTES,
            request_timeout_ms=int(self._timeout_s * 1000),
        )
        await self._producer.start()

    async def _partitions(self) -> int:
        cluster = await self._producer.client.fetch_all_metadata()  # asking for a topic by name may make it
        if self._topic not in cluster.topics():
            raise SettingsError(f"there is no topic {self._topic!r}: `outlay topics apply` makes Outlay's own")
        return len(await self._producer.partitions_for(self._topic))

    async def _reconnect(self) -> None:
        """Take a new producer: one that had a batch refused has a hole in its sequence and never recovers."""
        await self.close()
        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._connect()
        except (KafkaError, OSError, TimeoutError) as error:
            raise Transient(f"Kafka at {self._connection.bootstrap_servers}: {_reason(error)}") from error

    def _batch(self, partition: int) -> _Batch[TagT]:
        return _Batch(partition, self._producer.create_batch())

    async def _hand_over(self, batch: _Batch[TagT]) -> None:
        try:
            ack = await self._producer.send_batch(batch.builder, self._topic, partition=batch.partition)
        except KafkaError as error:
            batch.error = error
            self._failed.append(batch)
            return
        self._batches[ack] = batch
        self._on_way[batch.partition].append(ack)
        ack.add_done_callback(self._acknowledged)

    def _acknowledged(self, ack: asyncio.Future[Any]) -> None:
        if ack.cancelled() or (ack.exception() is None and ack.result() is None):
            return  # given up by ``close``: nobody knows
        batch = self._batches.pop(ack)
        self._on_way[batch.partition].remove(ack)
        batch.error = ack.exception()
        if batch.error is None:
            self.sent += len(batch.records)
        else:
            self._failed.append(batch)

    async def _progress(self) -> None:
        """Wait until a batch is done with. Raises Transient when none is for too long."""
        done, _ = await asyncio.wait(self._batches, timeout=self._timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise Transient(f"Kafka has acknowledged nothing for {self._timeout_s:g} s")

    async def _settled(self) -> None:
        while self._batches:
            await self._progress()

    async def _mend(self) -> None:
        """Publish again what failed, in order, dividing batches until whom the broker refuses is alone."""
        await self._settled()
        failed = sorted(self._failed, key=lambda batch: batch.number)
        if not failed:
            return
        for batch in failed:
            if isinstance(batch.error, _FORBIDDEN):
                raise SettingsError(f"Kafka refuses topic {self._topic}: {_reason(batch.error)}")
        await self._reconnect()
        for batch in failed:
            await self._again(batch.partition, batch.records)
            self._failed.remove(batch)
        self._filling = {partition: self._copied(batch) for partition, batch in self._filling.items()}

    async def _again(self, partition: int, records: Sequence[_Record[TagT]]) -> None:
        batch = self._batch(partition)
        if not all(map(batch.take, records)):
            raise AssertionError("what was one batch fits into one batch")
        error = await self._outcome(batch)
        if error is None:
            self.sent += len(records)
            return
        await self._reconnect()
        if not isinstance(error, _REFUSALS):
            raise Transient(f"Kafka took nothing at a second try: {_reason(error)}") from error
        if len(records) == 1:
            self._refused(records[0].tag, f"{_reason(error)} ({len(records[0].value)} bytes)")
            return
        middle = len(records) // 2
        await self._again(partition, records[:middle])
        await self._again(partition, records[middle:])

    async def _outcome(self, batch: _Batch[TagT]) -> BaseException | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                ack = await self._producer.send_batch(batch.builder, self._topic, partition=batch.partition)
                await ack
        except TimeoutError as error:
            raise Transient(f"Kafka has acknowledged nothing for {self._timeout_s:g} s") from error
        except KafkaError as error:
            failure: BaseException = error
            return failure
        return None

    def _copied(self, batch: _Batch[TagT]) -> _Batch[TagT]:
        """Return *batch* as one of the producer in use."""
        copy = self._batch(batch.partition)
        for record in batch.records:
            copy.take(record)
        return copy


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
        return "larger than the topic allows"
    return str(error) or type(error).__name__
