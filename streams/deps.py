"""What one partition's work is given: the ports, the rules, the numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engines.core.model import TopicPartition
from engines.core.ports import ChunkSource, Clock, Domain, Publisher, Store
from streams.homes import PartitionOf
from streams.limits import ShellLimits
from streams.retrying import Sleep


@dataclass(frozen=True, slots=True)
class Deps:
    """The ports of one worker; constructed by the composition root, or by a test.

    Attributes:
        domains: by input topic.
        store_for: which store a partition lives in.
        partition_of: murmur2 of a key over a number of partitions.
        sleep: waits; a simulation has its own clock.
        halt: called with a reason when the worker must end, non-zero.
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
