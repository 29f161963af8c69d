"""The faults in their order, and how one after the other is run."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.arena import Arena
from tests.chaos.faults import (
    broker_outage,
    compaction,
    copies,
    crowded,
    database_outage,
    failover,
    freezes,
    killers,
    kills,
    leaving,
    moved_log,
    named_kills,
    poison,
    restless,
    rewinds,
    runs,
    silence,
    transactions,
    untimely,
)
from tests.chaos.outcome import Outcome
from tests.stack import Stack
from tests.stack.supervise import Interrupted

MINUTES = 30.0
"""How long the programme takes at scale 1."""
_UNDER_LOAD = 0.6  # of a fault's share: the rest is for starting, draining, comparing


@dataclass(frozen=True)
class Fault:
    """One fault of the programme.

    Attributes:
        name: as `--only` takes it.
        run: does it.
        weight: its share of the minutes.
        short_in: the test that is its short version, when that is not the fault itself at a small scale.
    """

    name: str
    run: Callable[[Arena], Outcome]
    weight: float = 1.0
    short_in: str = ""


FAULTS: tuple[Fault, ...] = (
    Fault(kills.NAME, kills.run, weight=5, short_in="tests/end_to_end/test_kills.py"),
    Fault(named_kills.NAME, named_kills.run, weight=3),
    Fault(copies.NAME, copies.run),
    Fault(rewinds.NAME, rewinds.run, weight=2),
    Fault(freezes.NAME, freezes.run, weight=2, short_in="tests/end_to_end/test_stopped_worker.py"),
    Fault(restless.NAME, restless.run),
    Fault(broker_outage.NAME, broker_outage.run, weight=2, short_in="tests/end_to_end/test_outages.py"),
    Fault(database_outage.NAME, database_outage.run, weight=2),
    Fault(failover.NAME, failover.run),
    Fault(poison.NAME, poison.run),
    Fault(untimely.NAME, untimely.run),
    Fault(transactions.NAME, transactions.run),
    Fault(compaction.NAME, compaction.run),
    Fault(leaving.NAME, leaving.run, short_in="tests/end_to_end/test_leaving.py"),
    Fault(crowded.NAME, crowded.run),
    Fault(silence.NAME, silence.run, short_in="tests/end_to_end/test_idle.py"),
    Fault(moved_log.NAME, moved_log.run),
    Fault(killers.NAME, killers.run, weight=2),
    Fault(runs.NAME, runs.run, weight=2),
)


@dataclass(frozen=True)
class Row:
    """What came of a fault: its outcome, or the claim that did not hold."""

    fault: str
    took_s: float
    outcome: Outcome | None
    broken: str = ""

    @property
    def holds(self) -> bool:
        """Whether all is well."""
        return self.outcome is not None and self.outcome.holds


def seconds_of(fault: Fault, scale: float) -> float:
    """Return how long *fault* should have load at *scale*."""
    return _UNDER_LOAD * scale * MINUTES * 60 * fault.weight / sum(each.weight for each in FAULTS)


def arena_of(
    fault: Fault,
    folder: Path,
    seed: int,
    scale: float,
    *,
    postgres: Stack,
    kafka: Stack,
    say: Callable[[str], None],
    databases: int = 1,
) -> Arena:
    """Return where *fault* does its work; see `Arena`."""
    seconds = seconds_of(fault, scale)
    return Arena(
        folder,
        seed,
        scale,
        fault=fault.name,
        seconds=seconds,
        postgres=postgres,
        kafka=kafka,
        say=say,
        databases=databases,
    )


def rows(
    folder: Path,
    seed: int,
    scale: float,
    only: Collection[str],
    servers: Stack,
    say: Callable[[str, str], None],
    databases: int = 1,
) -> Iterator[Row]:
    """Run the faults named in *only*, all when it is empty, and yield what comes of each; *say* tells what is done."""
    for fault in FAULTS:
        if only and fault.name not in only:
            continue
        began = time.monotonic()

        def tell(what: str, name: str = fault.name) -> None:
            say(name, what)

        arena = arena_of(
            fault,
            folder / fault.name,
            seed,
            scale,
            postgres=servers,
            kafka=servers,
            say=tell,
            databases=databases,
        )
        tell("begins")
        try:
            outcome, broken = fault.run(arena), ""
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever goes wrong is a row, and the programme goes on
            outcome, broken = None, "".join(traceback.format_exception(error))
        yield Row(fault.name, time.monotonic() - began, outcome, broken)
