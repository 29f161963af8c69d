"""A store under test, and the small things that its contract and other tests are told in."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from engines.core.model import Batch, LogBounds, OutboxRow, Position, TopicPartition
from engines.core.ports import Store

TP = TopicPartition("costs", 3)
LOG = LogBounds(start=5, end=100, cluster_id="cluster", topic_id="topic", partitions=12)
RowKey = tuple[object, ...]


@dataclass
class Subject:
    """A store under test, what looks at its projections ((partition, key…) → values after partition), and what appends
    (kind, tenant_id, effective_us, body) as settings rows."""

    store: Store
    rows: Callable[[str], Awaitable[dict[RowKey, tuple[Any, ...]]]]
    append: Callable[[Sequence[tuple[str, str, int | None, bytes]]], Awaitable[list[int]]]


def moved(position: Position, **changes: Any) -> Position:
    return replace(position, version=position.version + 1, **changes)


def batch(position: Position, changes: dict[str, Any] | None = None, **contents: Any) -> Batch:
    """A batch that follows *position* with *changes* of the row and *contents*."""
    return Batch(position.epoch, position.version, moved(position, **changes or {}), **contents)


def message(seq: int, **changes: Any) -> OutboxRow:
    row = OutboxRow(seq, "cost-anomaly-facts", b"key", b"value", (("ce_id", b"1"),), b"tenant", 0)
    return row._replace(**changes)


class StoreTests:
    """Subclasses provide the fixture ``subject``."""

    @pytest.fixture
    def store(self, subject: Subject) -> Store:
        return subject.store
