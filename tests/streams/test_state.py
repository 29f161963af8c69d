"""What is folded, what is on its way into the store, and what is known to be there."""

from engines.core.model import Effects, Position
from streams.limits import ShellLimits
from streams.scan import Cursor, Segment
from streams.state import PartitionState
from tests.streams.tally import TOPIC, Tally


def fold(state: PartitionState, day: int, next_offset: int) -> None:
    """Take in one record of *day*."""
    segment = Segment(ids={day: bytes(20)}, next_offset=next_offset, cursor=Cursor(1, 1, state.folded.closed_through))
    state.apply_segment(segment, Effects())


def test_identities_are_uncommitted_until_the_batch_that_holds_them_is_in_the_store() -> None:
    state = PartitionState(Tally(), Position(TOPIC, 0, "", "", 0), ShellLimits())
    fold(state, 5, 1)
    assert set(state.days_uncommitted) == {5}
    state.seal(())
    fold(state, 6, 2)
    assert set(state.days_uncommitted) == {5, 6}, "sealed is not committed"
    state.sealed_committed()
    assert set(state.days_uncommitted) == {6}


def test_a_batch_says_what_its_first_close_knew_of_the_settings_and_nothing_without_a_close() -> None:
    state = PartitionState(Tally(), Position(TOPIC, 0, "", "", 0), ShellLimits())
    fold(state, 5, 1)
    assert state.seal(()).settings_seq is None
    state.settings_known = 3
    state.apply_close(Effects(), (), 5, "acme")
    state.settings_known = 4
    state.apply_closed(5)
    assert state.seal(()).settings_seq == 3
    state.apply_closed(6)
    assert state.seal(()).settings_seq == 4
    state.apply_settings(4)
    assert state.seal(()).settings_seq is None
