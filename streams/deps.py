"""What one partition's work is given: the ports, the rules, the numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from engines.core.model import TopicPartition
from engines.core.ports import ChunkSource, Clock, Domain, Publisher, Store
from streams.homes import PartitionOf
from streams.limits import ShellLimits
from streams.retrying import Sleep


def no_settings_seen(tp: TopicPartition) -> int:
    """Return 0: nobody watches; settings are those that were there at the claim."""
    del tp
    return 0


@dataclass(frozen=True, slots=True)
class Deps:
    """The ports of one worker; constructed by the composition root, or by a test.

    Attributes:
        domains: by input topic.
        store_for: which store a partition lives in.
        partition_of: murmur2 of a key over a number of partitions.
        sleep: waits; a simulation has its own clock.
        halt: called with a reason when the worker must end, non-zero.
        settings_known: sequence number of the newest settings row seen in the database of a partition, 0 before any.
        suspect: held while a step is tried under a mark: partitions of a process die together, and of their marks only
            the one whose step was under way may count.
    """

    domains: dict[str, Domain]
    store_for: Callable[[TopicPartition], Store]
    publisher: Publisher
    source: ChunkSource
    clock: Clock
    partition_of: PartitionOf
    limits: ShellLimits
    sleep: Sleep
    halt: Callable[[str], None]
    settings_known: Callable[[TopicPartition], int] = no_settings_seen
    suspect: asyncio.Lock = field(default_factory=asyncio.Lock)
