"""Every promise of docs/guarantees.md, in its order."""

from __future__ import annotations

from typing import Final

from tests.guarantees.counting import COUNTING
from tests.guarantees.promise import Promise
from tests.guarantees.running import RUNNING
from tests.guarantees.runs import RUNS
from tests.guarantees.telling import TELLING

PROMISES: Final[tuple[Promise, ...]] = (*COUNTING, *TELLING, *RUNS, *RUNNING)
