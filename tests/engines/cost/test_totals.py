"""A total is the sums of its records, side by side: no field ever reaches the next."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.cost import totals
from engines.cost.totals import RETRY_ONE, UNPRICED_ONE, Sums, Total, apart, is_active, line, of_record

MANY = settings(max_examples=200, deadline=None, derandomize=True)
TOKENS_MAX = 10**12
COST_MAX = 10**15  # 10^8 cents
RECORDS_MAX = (1 << 40) - 1
RECORDS = st.lists(
    st.tuples(
        st.none() | st.integers(0, COST_MAX),
        st.integers(0, TOKENS_MAX),
        st.integers(0, TOKENS_MAX),
        st.integers(0, TOKENS_MAX),
        st.booleans(),
    )
)


def total_of(cost: int | None, tokens_in: int, tokens_out: int, cached: int, retry: bool) -> Total:
    rare = cached + retry * RETRY_ONE + (cost is None) * UNPRICED_ONE
    return of_record(cost or 0, tokens_in, tokens_out) + rare


@MANY
@given(RECORDS)
def test_a_total_taken_apart_is_the_sums_of_its_records(records: list[tuple[int | None, int, int, int, bool]]) -> None:
    sums = apart(sum(total_of(*record) for record in records))
    assert sums == Sums(
        requests=len(records),
        unpriced_requests=sum(record[0] is None for record in records),
        retry_requests=sum(record[4] for record in records),
        input_tokens=sum(record[1] for record in records),
        cached_input_tokens=sum(record[3] for record in records),
        output_tokens=sum(record[2] for record in records),
        cost_nanousd=sum(record[0] or 0 for record in records),
    )


def test_as_many_records_as_a_total_holds_fill_no_field_beyond_its_bits() -> None:
    largest = total_of(None, TOKENS_MAX, TOKENS_MAX, TOKENS_MAX, True) + (COST_MAX << _cost_bits())
    tokens = RECORDS_MAX * TOKENS_MAX
    assert apart(RECORDS_MAX * largest) == Sums(
        RECORDS_MAX, RECORDS_MAX, RECORDS_MAX, tokens, tokens, tokens, RECORDS_MAX * COST_MAX
    )


def _cost_bits() -> int:
    return line(1).bit_length() - 1


@MANY
@given(st.integers(0, 1 << 70), st.integers(-1, 1), st.integers(0, (1 << 200) - 1))
@example(0, 0, 0)
@example(1, -1, 1)
def test_a_total_is_at_a_line_exactly_when_its_cost_is(cost: int, beside: int, lower: int) -> None:
    total = line(cost) + lower
    assert (total >= line(cost + beside)) == (totals.cost(total) >= cost + beside)


def test_a_day_counts_for_a_baseline_once_one_of_its_records_has_a_price() -> None:
    unpriced = total_of(None, 5, 5, 0, False)
    free = total_of(0, 5, 5, 0, False)
    assert [is_active(total) for total in (0, unpriced, 3 * unpriced, free, 3 * unpriced + free)] == [
        False,
        False,
        False,
        True,
        True,
    ]
    assert (totals.requests(3 * unpriced + free), totals.unpriced(3 * unpriced + free)) == (4, 3)
