"""What is kept of a tenant is what may still change: however many errors it ever had, those that are over are gone."""

import json
from typing import cast

from engines.core.model import Context, Effects, PageKey
from engines.core.time import US_PER_DAY, US_PER_HOUR
from engines.runs.domain import GRACE_US, RunsDomain
from engines.runs.event import FAILED, RunEvent
from engines.runs.pages import Ledger, ledger_key

TENANT = "acme"
START_US = 20_000 * US_PER_DAY
DOMAIN = RunsDomain()
ERRORS = ("connection refused", "quota exceeded", "model not found")


class Kept:
    """Pages that are all there."""

    def __init__(self) -> None:
        self.bodies: dict[PageKey, object] = {}

    def known(self, key: PageKey) -> bool:
        """Say that whatever is asked for is known."""
        return bool(key)

    def get(self, key: PageKey) -> object | None:
        """Return the body of *key*."""
        return self.bodies.get(key)

    def put(self, key: PageKey, body: object) -> None:
        """Keep *body*."""
        self.bodies[key] = body

    def touch(self, key: PageKey) -> None:
        """Refuse a page that is not there."""
        assert key in self.bodies

    @property
    def ledger(self) -> Ledger:
        """The tenant's."""
        return cast("Ledger", self.bodies[ledger_key(TENANT)])


def context(instant_us: int) -> Context:
    return Context(instant_us // US_PER_HOUR - 1, DOMAIN.settings([]))


def fail(pages: Kept, error: str, instant_us: int) -> Effects:
    """Let three runs fail with *error*, a minute apart."""
    events = [
        RunEvent(f"{error} {at_us}", TENANT, "", at_us, f"{error} {at_us}", "worker", FAILED, error)
        for at_us in (instant_us, instant_us + 60_000_000, instant_us + 120_000_000)
    ]
    return DOMAIN.fold(pages, {TENANT: events}, context(instant_us - GRACE_US))


def close(pages: Kept, first_us: int, end_us: int) -> Effects:
    """Close the hours from *first_us* to *end_us*."""
    told = Effects()
    for hour in range(first_us // US_PER_HOUR, end_us // US_PER_HOUR):
        told.outgoing += DOMAIN.close(pages, hour, [TENANT], context(hour * US_PER_HOUR)).outgoing
    return told


def feedback(effects: Effects) -> list[dict[str, object]]:
    return [json.loads(one.value or b"") for one in effects.outgoing if one.topic == "pattern-feedback"]


def test_a_pattern_that_is_over_for_good_is_forgotten() -> None:
    pages = Kept()
    for error in ERRORS:
        fail(pages, error, START_US)
    assert len(pages.ledger.patterns) == len(ERRORS)
    told = feedback(close(pages, START_US, START_US + 2 * US_PER_DAY))
    assert [line["status"] for line in told] == ["cleared"] * len(ERRORS)
    assert not pages.ledger.patterns
    assert not pages.ledger.unsettled


def test_a_pattern_that_was_forgotten_comes_back_under_its_id_with_a_higher_revision() -> None:
    pages = Kept()
    fail(pages, ERRORS[0], START_US)
    (cleared,) = feedback(close(pages, START_US, START_US + 2 * US_PER_DAY))
    (again,) = feedback(fail(pages, ERRORS[0], START_US + 2 * US_PER_DAY + GRACE_US))
    assert (again["feedback_id"], again["status"]) == (cleared["feedback_id"], "active")
    assert cast("int", again["revision"]) > cast("int", cleared["revision"])


def test_a_pattern_that_may_go_on_at_the_very_instant_is_not_forgotten() -> None:
    """It is over at the end of an hour, and a failure just then would be of the same activation."""
    pages = Kept()
    fail(pages, ERRORS[0], START_US - 1)
    over_us = START_US + US_PER_DAY
    close(pages, START_US, over_us)
    assert len(pages.ledger.patterns) == 1
    (again, *_) = feedback(fail(pages, ERRORS[0], over_us))
    assert again["status"] == "active"
    assert again["active_since"] == "2024-10-04T00:01:59.999999Z"
