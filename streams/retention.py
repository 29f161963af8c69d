"""A worker's sweep: once an hour it drops what time has passed, and says so loudly."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from drivers.postgres.retention import Expired, Retention, Sweep
from engines.core.errors import OutlayError
from engines.core.ports import Sleep

log = logging.getLogger(__name__)

EVERY_S: Final = 3600.0
_FIRST_AFTER_S: Final = 60.0
"""A worker that has just started has more urgent things to do."""


async def follow(retentions: Sequence[Retention], sleep: Sleep) -> None:
    """Sweep every hour until cancelled, one database after another; a failure is logged and changes nothing."""
    await sleep(_FIRST_AFTER_S)
    while True:
        for retention in retentions:
            try:
                _tell(await retention.sweep())
            except OutlayError as error:
                log.warning("retention: %s; the next try is in an hour", error)
        await sleep(EVERY_S)


def _tell(done: Sweep) -> None:
    for one in done.dropped:
        log.warning("retention: dropped %s", said(one))
    for one in done.in_use:
        log.warning("retention: somebody is reading %s; the next try is in an hour", said(one))


def said(one: Expired) -> str:
    """Return what *one* is, in words."""
    partition = one.partition
    return f"{partition.name}, the days {partition.first} to {partition.end} (exclusive), {one.size_bytes >> 10} KiB"
