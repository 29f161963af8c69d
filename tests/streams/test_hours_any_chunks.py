"""Windows that close by the hour: how a log is cut into chunks shows nowhere, and all is as a plain program has it."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.core.time import US_PER_HOUR, US_PER_MINUTE
from streams import fates
from streams.limits import ShellLimits
from tests.streams.desk import Desk
from tests.streams.hourly import DUE_AFTER, FIRST, GRACE_US, START_US, Hourly, at
from tests.streams.tally import TOLD

Line = dict[str, Any]


class Sent(NamedTuple):
    """One record: what it is, when it occurred, and the silence in the log before it."""

    tenant: str
    name: str
    minute: int
    silence_s: int


SENT = st.builds(
    Sent,
    st.sampled_from(["acme", "globex", "initech"]),
    st.sampled_from("abcde"),
    st.integers(0, 8 * 60),
    st.sampled_from([0, 0, 0, 30, 61, 90, 5_000]),
)


class Ended(NamedTuple):
    """What a run leaves behind; lines of a tenant are in order, those of several are in none."""

    counts: tuple[int, int, int]
    watermark_us: int
    closed_through: int
    finals: dict[str, list[tuple[int, int]]]
    late: list[int]


class Plain:
    """Hours, lateness and finals by the words of the rule, record by record."""

    def __init__(self) -> None:
        self.watermark_us = -1
        self.closed = -1
        self.counts = [0, 0, 0]
        self.late: list[int] = []
        self.finals: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._seen: set[tuple[str, str, int]] = set()
        self._hours: dict[tuple[str, int], int] = {}

    def take(self, sent: Sent, offset: int) -> None:
        if self.watermark_us >= 0 and sent.silence_s > 60:
            self.watermark_us += sent.silence_s * 1_000_000
            self._close()
        us = START_US + sent.minute * US_PER_MINUTE
        hour, identity = us // US_PER_HOUR, (sent.tenant, sent.name, us // US_PER_HOUR // 24)
        if us < self.watermark_us - GRACE_US:
            self.counts[2] += 1
            self.late.append(offset)
        elif identity in self._seen:
            self.counts[1] += 1
        else:
            self.counts[0] += 1
            self._seen.add(identity)
            self._hours[sent.tenant, hour] = self._hours.get((sent.tenant, hour), 0) + 1
        self.watermark_us = max(self.watermark_us, us - 5 * US_PER_MINUTE)
        self._close()

    def ended(self) -> Ended:
        accepted, copies, late = self.counts
        return Ended((accepted, copies, late), self.watermark_us, self.closed, dict(self.finals), self.late)

    def _close(self) -> None:
        self.closed = (self.watermark_us - GRACE_US) // US_PER_HOUR - 1
        for tenant, hour in sorted(self._hours, key=lambda one: one[1]):
            if hour + DUE_AFTER <= self.closed:
                self.finals[tenant].append((hour - FIRST, self._hours.pop((tenant, hour))))


async def run(log: list[Sent], chunk: Callable[[], int]) -> tuple[Ended, dict[str, list[Line]]]:
    """Return what the shell makes of *log*, and every line told, by tenant."""
    desk = Desk(domain=Hourly(), limits=ShellLimits(close_slice_tenants=2, commit_every_s=0, backoff_s=0.001))
    append_ms = 0
    for sent in log:
        append_ms += sent.silence_s * 1000
        desk.append(at(sent.name, sent.minute * US_PER_MINUTE, tenant=sent.tenant, append_ms=append_ms))
    owner = await desk.owner()
    await desk.feed(owner, chunk)
    await owner.release()
    told: dict[str, list[Line]] = {}
    for line in desk.published(TOLD):
        told.setdefault(line["tenant"], []).append(line)
    finals = {
        tenant: [(line["hour"], len(line["amounts"])) for line in lines if line["what"] == "final"]
        for tenant, lines in told.items()
    }
    position = desk.position
    assert position.watermark_us is not None
    assert position.closed_through is not None
    ended = Ended(
        (position.counts[fates.ACCEPTED], position.counts.get(fates.DUPLICATES, 0), position.counts.get(fates.LATE, 0)),
        position.watermark_us,
        position.closed_through,
        {tenant: lines for tenant, lines in finals.items() if lines},
        [line["offset"] for line in desk.published(fates.LATE_RECORDS)],
    )
    return ended, told


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(SENT, min_size=1, max_size=40), st.lists(st.integers(1, 9), min_size=1, max_size=8))
async def test_any_chunks_of_a_log_tell_the_same(log: list[Sent], sizes: list[int]) -> None:
    plain = Plain()
    for offset, sent in enumerate(log):
        plain.take(sent, offset)
    single, told = await run(log, lambda: 1)
    assert single == plain.ended()
    turns = iter(sizes * len(log) * 2)
    assert await run(log, lambda: next(turns, 1)) == (single, told)
