"""What ``outlay positions accept`` does to a database, done to tables in memory."""

from drivers.memory.store import MemoryStore
from drivers.postgres.operator import accepted
from engines.core.model import LogBounds, TopicPartition


def accept(tables: MemoryStore, tp: TopicPartition, log: LogBounds, next_offset: int) -> None:
    """Let *tp*, which has a position, go on with *log* at *next_offset*."""
    before, pages = tables.positions[tp], tables.pages.get(tp, {})
    lags = any(page.as_of > before.projected for page in pages.values())
    after = accepted(before, log, next_offset, lags=lags)
    tables.positions[tp] = after
    for key, page in pages.items():
        most = after.next_offset if page.as_of > before.projected else after.projected
        pages[key] = page._replace(as_of=min(page.as_of, most))
