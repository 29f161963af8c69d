"""A record of a closed day corrects it, once, however the log is cut, whoever owns it, whatever is still in memory."""

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.core.model import IdBlock, TopicPartition
from streams import fates
from streams.limits import ShellLimits
from tests.streams.desk import Desk, Raw, die, entry
from tests.streams.tally import ECHO_DAYS, START

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
FIVE_MINUTES, HOUR = 5 / 1440, 1 / 24
Sums = dict[tuple[str, int], dict[str, int]]


@dataclass(frozen=True)
class Step:
    """One record: *name* of *tenant*, at the noon of *day*."""

    name: str
    tenant: str
    day: int
    amount: int


@dataclass
class Model:
    """What must come of a log, record by record; days count from the first one."""

    dedup_days: int = 35
    sums: Sums = field(default_factory=dict)
    late: list[tuple[int, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    closes: list[tuple[str, int, list[int]]] = field(default_factory=list)
    watermark: float | None = None
    closed: int | None = None

    def take(self, offset: int, step: Step) -> None:
        self._decide(offset, step)
        self.watermark = max(self.watermark or 0, step.day + 0.5 - FIVE_MINUTES)
        through = int(self.watermark - HOUR) - 1
        for day in range((through if self.closed is None else self.closed) + 1, through + 1):
            for tenant in ("acme", "globex"):
                sums = [sum(self.sums.get((tenant, at), {}).values()) for at in (day - ECHO_DAYS, day)]
                if any(sums):
                    self.closes.append((tenant, day, sums))
        self.closed = through if self.closed is None else max(self.closed, through)

    def _decide(self, offset: int, step: Step) -> None:
        closed = self.closed is not None and step.day <= self.closed
        today = int(self.watermark or 0)
        of_day = self.sums.setdefault((step.tenant, step.day), {})
        if closed and step.day < today - 35:
            self._count(fates.LATE, "late.too_old")
            self.late.append((offset, fates.TOO_OLD))
        elif closed and step.day < today - self.dedup_days:
            self._count(fates.LATE, "late.dedup_unknown")
            self.late.append((offset, fates.DEDUP_UNKNOWN))
        elif step.name in of_day:
            self._count(fates.DUPLICATES, *([fates.CONFLICTING] if of_day[step.name] != step.amount else []))
        else:
            of_day[step.name] = step.amount
            self._count(fates.ACCEPTED, *([fates.RESTATED] if closed else []))
            self.late += [(offset, fates.RESTATED)] if closed else []

    def _count(self, *names: str) -> None:
        for name in (fates.EVENTS, *names):
            self.counts[name] = self.counts.get(name, 0) + 1


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Return records whose days go on, sometimes by far, and reach back, mostly not so far."""
    drawn, today = [], 50
    for _ in range(draw(st.integers(1, 60))):
        today += draw(st.sampled_from((0, 0, 0, 1, 1, 2, 12)))
        back = draw(st.sampled_from((0, 0, 0, 1, 2, 3, 5, 8, 34, 35, 36, 37, 40)))
        tenant, name = draw(st.sampled_from(("acme", "globex"))), f"n{draw(st.integers(0, 3))}"
        drawn.append(Step(name, tenant, today - back, draw(st.integers(1, 2))))
    return drawn


def raws(log: list[Step]) -> list[Raw]:
    return [entry(one.name, one.day + 0.5, tenant=one.tenant, amount=one.amount) for one in log]


def model_of(log: list[Step], dedup_days: int = 35) -> Model:
    model = Model(dedup_days)
    for offset, step in enumerate(log):
        model.take(offset, step)
    return model


def check(desk: Desk, model: Model) -> None:
    assert desk.sums() == {key: of_day for key, of_day in model.sums.items() if of_day}
    assert [(line["offset"], line["reason"]) for line in desk.published(fates.LATE_RECORDS)] == model.late
    assert [(tenant, day, sums) for tenant, day, sums, _ in desk.told("close")] == model.closes
    counts = {name: n for name, n in desk.position.counts.items() if n and "sent" not in name and "nano" not in name}
    assert counts == model.counts


@FEW
@given(steps(), st.integers(1, 70), st.sampled_from((0, 3, 8_000_000)), st.sampled_from((0, 4, 35, 60)))
def test_whatever_the_chunks_and_the_memory_each_record_comes_to_the_same_end(
    log: list[Step], chunk: int, ids_max: int, dedup_days: int
) -> None:
    async def run() -> Desk:
        limits = ShellLimits(closed_ids_max=ids_max, dedup_days=dedup_days, close_slice_tenants=1)
        desk = Desk(raws(log), limits=limits)
        owner = await desk.owner()
        claim = owner.claim
        await desk.feed(owner, lambda: chunk)
        assert owner.claim is claim, "nothing had to be done again"
        await owner.release()
        return desk

    check(asyncio.run(run()), model_of(log, dedup_days))


@FEW
@given(steps(), st.lists(st.integers(1, 12), max_size=6), st.booleans())
def test_an_owner_that_dies_or_leaves_is_missed_by_nobody(log: list[Step], stints: list[int], dies: bool) -> None:
    async def run() -> Desk:
        desk, at = Desk(), 0
        for first, last in pairwise([0, *(at := at + n for n in stints), len(log)]):
            desk.append(*raws(log[first:last]))
            owner = await desk.owner()
            await desk.feed(owner, lambda: 5, flush=not dies)
            await (die(owner) if dies else owner.release())
        owner = await desk.owner()
        await desk.feed(owner)
        await owner.release()
        return desk

    desk, model = asyncio.run(run()), model_of(log)
    if dies:  # what is published twice is the same
        assert desk.sums() == {key: of_day for key, of_day in model.sums.items() if of_day}
        assert sorted({(line["offset"], line["reason"]) for line in desk.published(fates.LATE_RECORDS)}) == model.late
    else:
        check(desk, model)


async def test_a_late_line_says_what_was_corrected_and_stands_where_its_record_does() -> None:
    spoiled = Raw(b"?")
    old = [entry("a", 1.5), entry("b", 1.5, amount=7), entry("a", 1.6), entry("c", 1.5)]
    desk = Desk([entry("x", 1.5), entry("y", 9.5), old[0], spoiled, old[1], old[2], entry("z", 60.5), old[3]])
    owner = await desk.owner()
    await desk.feed(owner)
    await owner.release()
    lines = desk.published(fates.LATE_RECORDS)
    assert [(line["id"], line["reason"], line["cost_nanousd"], line["offset"]) for line in lines] == [
        ("a", "restated", 1, 2),
        ("b", "restated", 7, 4),
        ("c", "too_old", 1, 7),
    ]
    seqs = sorted(row for row in desk.position.counts.items() if row[0].startswith("sent."))
    assert seqs == [("sent.dead-letters", 1), ("sent.late-records", 3), ("sent.told", 4)]


async def test_a_copy_of_a_record_that_only_the_store_remembers_is_a_duplicate() -> None:
    desk = Desk([entry("a", 1.5), entry("x", 9.5)])
    first = await desk.owner()
    await desk.feed(first)
    await first.release()
    desk.append(entry("a", 1.5), entry("b", 1.5), entry("b", 1.5, amount=2))
    second = await desk.owner()
    await desk.feed(second)
    await second.release()
    counts = desk.position.counts
    assert (counts["accepted"], counts["duplicates"], counts["conflicting"], counts["restated"]) == (3, 2, 1, 1)
    assert desk.sums()["acme", 1] == {"a": 1, "b": 1}


class _Asked(Desk):
    """Remembers which identities are asked for."""

    def watch(self) -> list[tuple[int | None, int | None]]:
        asked: list[tuple[int | None, int | None]] = []
        load_ids = self.store.load_ids

        async def load(tp: TopicPartition, first_day: int | None, last_day: int | None = None) -> list[IdBlock]:
            days = tuple(None if day is None else day - START for day in (first_day, last_day))
            asked.append((days[0], days[1]))
            return await load_ids(tp, first_day, last_day)

        self.store.load_ids = load  # type: ignore[method-assign]  # it is asked all the same
        return asked


@pytest.mark.parametrize("ids_max, again", [(8_000_000, []), (0, [(1, 1)])])
async def test_a_closed_day_is_asked_for_once_unless_memory_is_short(
    ids_max: int, again: list[tuple[int, int]]
) -> None:
    desk = _Asked([entry("a", 1.5), entry("x", 9.5)], limits=ShellLimits(closed_ids_max=ids_max))
    first = await desk.owner()
    await desk.feed(first)
    await first.release()
    asked = desk.watch()
    owner = await desk.owner()
    for name in ("b", "c"):
        desk.append(entry(name, 1.5))
        await desk.feed(owner)
    await owner.release()
    assert asked == [(9, None), (1, 1), *again]


async def test_a_day_that_closes_here_is_not_asked_for_at_all() -> None:
    desk = _Asked([entry("a", 1.5), entry("x", 9.5)])
    asked = desk.watch()
    owner = await desk.owner()
    await desk.feed(owner, lambda: 1)
    desk.append(entry("b", 1.5), entry("a", 1.5))
    await desk.feed(owner)
    await owner.release()
    assert (asked, desk.position.counts["duplicates"]) == ([(None, None)], 1)


async def test_a_day_with_identities_that_are_not_committed_yet_is_not_dropped() -> None:
    limits = ShellLimits(closed_ids_max=0, commit_every_s=1e6, commit_records=10_000)
    desk = Desk([entry("x", 9.5)], limits=limits)
    owner = await desk.owner()
    await desk.feed(owner, end_of_log_ms=None)
    claim = owner.claim
    assert claim is not None
    for _ in range(3):
        desk.append(entry("a", 1.5))
        await desk.feed(owner, end_of_log_ms=None, flush=False)
    assert owner.claim is claim, "nothing had to be done again"
    assert claim.state.dirty, "the copies came while the first one was not committed"
    await owner.release()
    assert (desk.position.counts["accepted"], desk.position.counts["duplicates"]) == (2, 2)
