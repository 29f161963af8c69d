"""The oracle says what the tables say."""

import pytest

from tests.oracle.runs.cases import CASES
from tests.oracle.runs.writing import Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_oracle_agrees_with_the_table(case: Case) -> None:
    outcome = case.evaluate()
    assert case.differences(outcome.feedback, outcome.predictions, outcome.late, outcome.summary) == []


def test_no_two_rows_have_one_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
