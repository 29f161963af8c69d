"""Which database a partition lives in: partition modulo the number of databases."""

from __future__ import annotations

from collections.abc import Sequence

from engines.core.model import TopicPartition
from engines.core.ports import Store, StoreFor


def store_for(stores: Sequence[Store]) -> StoreFor:
    """Return the choice among *stores*; their order is part of the deployment and must not change.

    Raises:
        ValueError: *stores* is empty.
    """
    if not stores:
        raise ValueError("at least one store is needed")

    def choose(tp: TopicPartition) -> Store:
        return stores[tp.partition % len(stores)]

    return choose
