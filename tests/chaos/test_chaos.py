"""The fault programme in short: nothing lost, nothing counted twice, nothing told wrongly."""

from pathlib import Path

import pytest

from tests.chaos.arena import SHORT
from tests.chaos.programme import FAULTS, Fault, arena_of
from tests.stack import Stack, shared

_SEED = 1


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if not fault.short_in], ids=lambda fault: fault.name)
def test_a_fault_changes_nothing(fault: Fault, session_stack: Stack, tmp_path: Path) -> None:
    arena = arena_of(fault, tmp_path, _SEED, SHORT, postgres=shared.load(), kafka=session_stack, say=print)
    outcome = fault.run(arena)
    print(outcome)  # noqa: T201
    assert outcome.holds
    assert outcome.times
    assert outcome.events
