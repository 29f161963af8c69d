"""The clock of the machine."""

from __future__ import annotations

import time


class SystemClock:
    """The port ``Clock``: wall-clock time, for what is not decided by the log."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000
