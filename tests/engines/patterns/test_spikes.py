"""Which run costs too much: the reference's numbers, in integers."""

import pytest

from engines.patterns.spikes import is_spike


@pytest.mark.parametrize(
    "cost, before, fires",
    [
        (150, [100] * 4, True),
        (149, [100] * 4, False),
        (500, [100] * 4, True),
        (1_000, [100] * 3, False),  # with itself four: one too few
        (5, [3, 3, 3, 3, 4, 4], True),  # exactly 50 % over; dividing first says 49.99999999999999
        (10**15 + 10**15 // 2, [10**15] * 4, True),
        (10**15 + 10**15 // 2 - 1, [10**15] * 4, False),
    ],
)
def test_a_run_half_as_dear_again_as_the_mean_of_four_and_more_is_a_spike(
    cost: int, before: list[int], *, fires: bool
) -> None:
    assert is_spike(cost, len(before), sum(before)) is fires
