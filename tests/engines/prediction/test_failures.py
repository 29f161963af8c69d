"""The calibrated probability of failure, where the truth is known."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.prediction.failures import FailurePolicy, Failures, Scope
from engines.prediction.scores import Told, brier, brier_constant, reliability, skill

POLICY = FailurePolicy()


def told_of(runs: Sequence[tuple[int, str, str, bool]], scope: Scope = Scope.POOLED) -> list[Told]:
    """Return what is told before each run (day, tenant, worker, failed)."""
    failures, told = Failures(POLICY, scope), []
    for day, tenant, worker, failed in runs:
        told.append(Told(failures.probability(tenant, worker, None, day), failed))
        failures.add(tenant, worker, None, day, failed=failed)
    return told


def test_the_first_run_of_all_is_told_the_prior_rate() -> None:
    assert Failures(POLICY).probability("t", "w", "m", 7) == pytest.approx(POLICY.prior_rate)


def test_a_worker_that_always_fails_is_known_to_another_tenant_unless_tenants_are_apart() -> None:
    runs = [(1, "a", worker, worker == "broken") for worker in ("fine", "broken", "fine", "fine") for _ in range(25)]
    asked = {}
    for scope in Scope:
        failures = Failures(POLICY, scope)
        for day, tenant, worker, failed in runs:
            failures.add(tenant, worker, None, day, failed=failed)
        asked[scope] = [failures.probability("b", worker, None, 1) for worker in ("fine", "broken")]
    fine, broken = asked[Scope.POOLED]
    assert (fine < 0.05, broken > 0.8) == (True, True)
    assert asked[Scope.TENANT][0] == asked[Scope.TENANT][1] == pytest.approx(0.25, abs=0.05)


def test_a_tenant_that_fails_everywhere_is_expected_to_fail_on_a_worker_it_never_used() -> None:
    failures = Failures(POLICY)
    for number in range(300):
        failures.add("fine", f"w{number % 5}", None, 1, failed=number % 50 == 0)
    for number in range(30):
        failures.add("locked out", f"w{number % 3}", None, 1, failed=True)
    assert failures.probability("locked out", "w4", None, 1) > 3 * failures.probability("fine", "w4", None, 1)


def test_a_model_that_fails_is_known_to_a_worker_that_never_ran_it() -> None:
    failures = Failures(POLICY)
    for number in range(60):
        failures.add("t", f"w{number % 6}", "bad" if number % 2 else "good", 1, failed=number % 2 == 1)
    assert failures.probability("t", "new", "bad", 1) > 0.5 > failures.probability("t", "new", "good", 1)


def test_what_is_a_week_old_counts_half_and_what_is_older_than_is_kept_counts_nothing() -> None:
    def after(days: int) -> float:
        failures = Failures(FailurePolicy(borrowed=(2.0,), prior_rate=0.0), Scope.TENANT)
        for _ in range(2):
            failures.add("t", "w", None, 0, failed=True)
        return failures.probability("t", "w", None, days)

    everyone, tenant = (1 + 0) / (1 + 2), (1 + 2 / 3) / (1 + 2)
    assert after(7) == pytest.approx((1 + 2 * tenant) / (1 + 2))
    assert tenant == pytest.approx((1 + 2 * everyone) / 3)
    assert after(POLICY.kept_days + 1) == 0.0


def test_forgetting_changes_no_answer_and_makes_room() -> None:
    dice = random.Random(1)
    kept, forgotten = Failures(POLICY), Failures(POLICY)
    for day in range(80):
        for _ in range(5):
            tenant, worker, failed = f"t{dice.randrange(3)}", f"w{day // 9}", dice.random() < 0.2
            for failures in (kept, forgotten):
                failures.add(tenant, worker, None, day, failed=failed)
        forgotten.forget(day)
        assert forgotten.probability("t1", f"w{day // 9}", None, day) == kept.probability(
            "t1", f"w{day // 9}", None, day
        )
    assert len(forgotten) < len(kept)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("ab"), st.sampled_from("xyz"), st.booleans()), max_size=40),
    st.randoms(use_true_random=False),
)
def test_with_nothing_to_learn_about_borrowing_any_order_tells_the_same(
    runs: list[tuple[int, str, str, bool]], dice: random.Random
) -> None:
    shuffled = dice.sample(runs, len(runs))
    asked = []
    for order in (runs, shuffled):
        failures = Failures(FailurePolicy(borrowed=(2.0,)), Scope.TENANT)
        for day, tenant, worker, failed in order:
            failures.add(tenant, worker, None, day, failed=failed)
            failures.probability("a", "x", None, 41)  # what is remembered must not be stale
        asked.append([failures.probability(t, w, None, day) for t in "ab" for w in "xyz" for day in (20, 41)])
    assert asked[0] == asked[1]
    assert all(0 <= p <= 1 for p in asked[0])


def test_the_same_runs_in_the_same_order_tell_the_same() -> None:
    assert told_of(heterogeneous(9, 2_000)) == told_of(heterogeneous(9, 2_000))


def heterogeneous(seed: int, runs: int = 12_000) -> list[tuple[int, str, str, bool]]:
    """Return runs of 40 workers, most of which rarely fail and a few often; 30 days."""
    dice = random.Random(seed)
    rates = [dice.betavariate(0.3, 3) for _ in range(40)]
    drawn = []
    for number in range(runs):
        worker = dice.randrange(40)
        drawn.append((number * 30 // runs, f"t{dice.randrange(100)}", f"w{worker}", dice.random() < rates[worker]))
    return drawn


@pytest.mark.parametrize("seed", range(3))
def test_of_runs_that_are_told_p_a_share_of_p_fails(seed: int) -> None:
    told = told_of(heterogeneous(seed))[6_000:]
    for row in reliability(told, [0, 0.05, 0.1, 0.2, 0.4, 1.0]):
        spread = (row.told_mean * (1 - row.told_mean) / row.told) ** 0.5
        assert abs(row.told_mean - row.happened_mean) < 4 * spread + 0.03, row
    rate = sum(one.happened for one in told) / len(told)
    gained = skill(brier(told), brier_constant(told, rate))
    assert gained is not None
    assert gained > 0.05


def test_where_all_workers_are_alike_nothing_is_gained_and_hardly_anything_lost() -> None:
    dice = random.Random(4)
    runs = [(n // 400, f"t{n % 10}", f"w{n % 7}", dice.random() < 0.1) for n in range(12_000)]
    told = told_of(runs)[6_000:]
    lost = skill(brier(told), brier_constant(told, 0.1))
    assert lost is not None
    assert -0.03 < lost < 0.01
