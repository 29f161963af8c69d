"""While a spike that was told goes on, little is judged per record; what else is news of its entity is still told.

Each spike here is told with its second record, so that its cause does not change with the third.
"""

from engines.core.money import NANOUSD_PER_USD as USD
from engines.cost.finding import DRIFT, SPIKE
from engines.cost.rules import REFERENCE, STANDARD
from tests.engines.cost.spending import Spending, budget, of_kind, spent

DAY = 20_530
WEEK_AND_MORE = range(10, 0, -1)


def test_a_daily_budget_is_told_of_as_it_is_reached() -> None:
    spending = Spending(STANDARD, budget("user", "u", daily=10_000))
    spending.fold(*(spent(DAY - back, 10, user_id="u") for back in WEEK_AND_MORE))
    assert of_kind(spending.fold(spent(DAY, 20, user_id="u"), spent(DAY, 20, user_id="u")), SPIKE)
    told = spending.fold(spent(DAY, 45, user_id="u"))
    assert [(line["anomaly_type"], line["current_nanousd"]) for line in told] == [("BUDGET_WARNING", 85 * USD)]


def test_a_drift_that_becomes_high_is_told_at_once() -> None:
    spending = Spending(REFERENCE)
    spending.fold(*(spent(DAY - back, 100) for back in range(36, 2, -1)), spent(DAY - 2, 275), spent(DAY - 1, 140))
    first = spending.fold(spent(DAY, 100), spent(DAY, 59))
    assert of_kind(first, SPIKE)
    assert [line["severity"] for line in of_kind(first, DRIFT)][-1] == "MEDIUM"
    told = spending.fold(spent(DAY, 10))
    assert [(line["anomaly_type"], line["severity"]) for line in told] == [(DRIFT, "HIGH")]


def test_another_cause_is_told_and_the_same_one_is_not() -> None:
    spending = Spending(STANDARD)
    spending.fold(*(spent(DAY - back, 10) for back in WEEK_AND_MORE))
    spending.fold(spent(DAY, 20), spent(DAY, 20))
    assert spending.fold(spent(DAY, 5)) == []
    [line] = spending.fold(spent(DAY, 1, is_retry=True))
    assert (line["derived_cause"], line["status"]) == ("RETRY_LOOP", "provisional")
