"""What fails in a claim that was lost meanwhile is nobody's fault: it may have read what its successor has written."""

from collections.abc import Mapping, Sequence

import pytest

from engines.core.model import Context, Effects
from engines.core.ports import Event, Pages
from engines.cost.domain import CostDomain
from engines.cost.rules import STANDARD
from streams.limits import ShellLimits
from tests.streams.failing import TP, Rig, check_without, stream_of
from tests.streams.running import PRICES


class Confused(CostDomain):
    """The rules, which fail once where they are told to, as over a page that makes no sense to their owner."""

    def __init__(self) -> None:
        super().__init__(PRICES, STANDARD)
        self.fails_at = ""

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        self._fail("fold")
        return super().fold(pages, events, context)

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        self._fail("close")
        return super().close(pages, period, tenants, context)

    def _fail(self, where: str) -> None:
        if self.fails_at == where:
            self.fails_at = ""
            raise KeyError("a page of somebody else's")


def rig_of(rules: Confused, where: str) -> Rig:
    """Return a rig with a step of its own for each record; a day closes within a step, before anything is committed."""
    limits = ShellLimits(chunk_records=1 if where == "fold" else 5_000, backoff_s=0.001)
    return Rig(stream_of(2), domain=rules, limits=limits)


@pytest.mark.parametrize("where", ["fold", "close"])
async def test_what_fails_after_another_has_claimed_makes_no_dead_letter_and_halts_nothing(where: str) -> None:
    rules = Confused()
    rig = rig_of(rules, where)
    owner = await rig.owner()
    await rig.store.claim(TP, rig.log.bounds(TP))
    rules.fails_at = where
    await rig.drive(owner)
    assert rules.fails_at == "", "it did fail"
    assert rig.slept == [rig.deps.limits.reclaim_after_s], "as one who was fenced"
    check_without(await rig.read(owner), [])


@pytest.mark.parametrize("where", ["fold", "close"])
async def test_what_fails_after_the_database_went_back_makes_no_dead_letter_and_halts_nothing(where: str) -> None:
    rules = Confused()
    rig = rig_of(rules, where)
    before = rig.store.snapshot()
    owner = await rig.owner()
    rig.store.restore(before)
    rules.fails_at = where
    await rig.drive(owner)
    assert rules.fails_at == "", "it did fail"
    assert rig.slept == [], "there is nobody to wait for"
    check_without(await rig.read(owner), [])
