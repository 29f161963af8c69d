"""How the process of a worker is set up: its log, its garbage collector, its heap."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
import time
from typing import Final

_GC_THRESHOLDS: Final = (100_000, 50, 1_000)
"""State is long-lived and acyclic, so looking through it often costs a third of the throughput."""
_MALLOPT: Final = ((-3, 128 << 10), (-1, 8 << 20))
"""M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of glibc, bytes: the first as it starts, the second as it comes to be."""
_SWITCH_S: Final = 0.0005
"""The consumer's thread must not wait 5 ms for each turn while chunks are folded: it would starve the fold."""
_LOUD: Final = {
    "aiokafka": logging.CRITICAL,
    "faust": logging.CRITICAL,
    "mode": logging.CRITICAL,
    "streams.faust_source": logging.WARNING,
}
"""Clients log each try and failure on their own, and what starts and stops under the names of our modules; what
matters of it comes out of the ports as one line."""
_NEVER_DEBUGGED: Final = ("aiokafka.conn",)
"""It shows requests whole, those that carry a password too."""


def tune() -> None:
    """Set the interpreter up for one busy loop beside one thread that fetches.

    Look for cycles rarely: the long-lived state has none. Keep large buffers off the heap, for good: each read from a
    socket takes 256 KiB and gives most of it back. By itself glibc soon has them on the heap, where what is kept comes
    to lie between them, so that it grows for hours by gaps that are too small for the next.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in _MALLOPT:
            mallopt(parameter, value)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_S)


def log_to_stderr(level: str) -> None:
    """Write log lines of *level* and above to stderr, in UTC; clients only when something is wrong with them."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)sZ %(levelname)s %(name)s: %(message)s", force=True
    )
    for name, quiet in _LOUD.items():
        logging.getLogger(name).setLevel(logging.DEBUG if level == "DEBUG" else quiet)
    for name in _NEVER_DEBUGGED:
        logging.getLogger(name).setLevel(logging.INFO if level == "DEBUG" else logging.NOTSET)
