"""The plain program that reads all events at once: the oracle of CONTRACT's first paragraph."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.oracle import lines
from tests.oracle.lines import Line
from tests.oracle.records import DAY_US, HOUR_US, LogRecord
from tests.oracle.spikes import Accepted, Profile, daily_totals, hourly_totals, spikes
from tests.oracle.walk import Closed, Judged, Price, Walk, forwarded_copies, no_prices, placed

RECORD_DAYS = 30  # the days whose records make a revision: D-29 … D


@dataclass(frozen=True)
class Options:
    """What, besides the log, decides an outcome.

    Attributes:
        closed_through: by partition, the day an idle worker had closed at the end.
        append_forwarded: put the copies of forwarded records at the end of their home partitions' logs;
            False when the log already holds them, as one read from a broker does.
        now_us: the clock at the start, for records without append time; None: nothing is in the future.
    """

    profile: Profile = "standard"
    partitions: int = 1
    close_all: bool = False
    price: Price = no_prices
    closed_through: Mapping[int, int] = field(default_factory=dict)
    append_forwarded: bool = True
    now_us: int | None = None


@dataclass(frozen=True)
class PartitionEnd:
    """Where a partition stands after its last record; days are ints since the epoch."""

    next_offset: int
    watermark_us: int | None
    closed_through: int | None


@dataclass(frozen=True)
class Outcome:
    """The state at the end of a log, in the forms and order of CONTRACT §5."""

    snapshots: list[Line]
    anomalies: list[Line]
    facts: list[Line]
    dead: list[Line]
    late: list[Line]
    summary: Line
    fates: list[Judged]
    ends: dict[int, PartitionEnd]


@dataclass(frozen=True)
class Publication:
    """One revision of a fact as it goes to the topic, and what made it go.

    `at` is ("record", offset) or ("close", day). Publications of one `at` have no order among them.
    """

    partition: int
    at: tuple[str, int]
    fact: Line


@dataclass(frozen=True)
class _Story:
    partition: int
    steps: list[Judged | Closed]
    end: PartitionEnd


def evaluate(
    log: Sequence[LogRecord],
    *,
    profile: Profile = "standard",
    partitions: int = 1,
    close_all: bool = False,
    price: Price = no_prices,
    closed_through: Mapping[int, int] | None = None,
    append_forwarded: bool = True,
    now_us: int | None = None,
) -> Outcome:
    """Return the state at the end of *log*; see `Options` for the arguments."""
    options = Options(profile, partitions, close_all, price, closed_through or {}, append_forwarded, now_us)
    stories = _stories(log, options)
    fates = [step for story in stories for step in story.steps if isinstance(step, Judged)]
    snapshots: list[Line] = []
    facts: list[Line] = []
    for story in stories:
        for tenant_id, records in _by_tenant(_accepted(story.steps)).items():
            snapshots += _snapshot_lines(tenant_id, records, story.end.closed_through)
            facts += _fact_lines(tenant_id, records, story.end.closed_through, options)
    facts.sort(key=lines.order)
    return Outcome(
        snapshots=sorted(snapshots, key=lines.order),
        anomalies=[_without_fact_fields(fact) for fact in facts],
        facts=facts,
        dead=[lines.dead_line(judged) for judged in fates if judged.fate == "dead"],
        late=[lines.late_line(judged) for judged in fates if judged.fate == "late"],
        summary=_summary(fates, facts),
        fates=fates,
        ends={story.partition: story.end for story in stories},
    )


def publications(
    log: Sequence[LogRecord],
    *,
    profile: Profile = "standard",
    partitions: int = 1,
    close_all: bool = False,
    price: Price = no_prices,
    closed_through: Mapping[int, int] | None = None,
    append_forwarded: bool = True,
    now_us: int | None = None,
) -> list[Publication]:
    """Return every revision that is published for *log*, in order, one partition after the other.

    Everything is judged anew after each accepted record: the first crossing at once, then a change of type,
    severity, episode or cause, then the close.
    """
    options = Options(profile, partitions, close_all, price, closed_through or {}, append_forwarded, now_us)
    return [published for story in _stories(log, options) for published in _published(story, options)]


def tenant_lines(
    tenant_id: str, records: Sequence[Accepted], closed_through: int | None, profile: Profile = "standard"
) -> list[Line]:
    """Return the fact lines of one tenant from its accepted records, days up to *closed_through* as final."""
    return _fact_lines(tenant_id, records, closed_through, Options(profile))


def _stories(log: Sequence[LogRecord], options: Options) -> list[_Story]:
    whole = placed(log, options.partitions)
    if options.append_forwarded:
        whole = placed([*whole, *_appended(whole, options)], options.partitions)
    walks = [Walk(at, options.partitions, options.price, options.now_us) for at in range(options.partitions)]
    logs = [[entry for entry in whole if entry.partition == walk.partition] for walk in walks]
    steps = [list(walk.steps(part)) for walk, part in zip(walks, logs, strict=True)]
    days = [accepted.record.day for part in steps for accepted in _accepted(part)]
    for walk in walks:
        if walk.partition in options.closed_through:
            steps[walk.partition] += walk.close(options.closed_through[walk.partition])
        if options.close_all and days:
            steps[walk.partition] += walk.close(max(days))
    return [
        _Story(walk.partition, part, PartitionEnd(_next_offset(entries), walk.watermark_us, walk.closed_through))
        for walk, part, entries in zip(walks, steps, logs, strict=True)
    ]


def _appended(log: Sequence[LogRecord], options: Options) -> list[LogRecord]:
    # What is appended last has the latest append time; an older one would look like a gap to the copy after it.
    latest_us = max((entry.append_us for entry in log if entry.append_us is not None), default=None)
    return [replace(copy, append_us=latest_us) for copy in forwarded_copies(log, options.partitions, options.now_us)]


def _next_offset(entries: Sequence[LogRecord]) -> int:
    return 0 if not entries or entries[-1].offset is None else entries[-1].offset + 1


def _accepted(steps: Iterable[Judged | Closed]) -> list[Accepted]:
    return [
        Accepted(step.record, step.cost_nanousd)
        for step in steps
        if isinstance(step, Judged) and step.fate == "accepted" and step.record is not None
    ]


def _by_tenant(accepted: Iterable[Accepted]) -> dict[str, list[Accepted]]:
    tenants: dict[str, list[Accepted]] = {}
    for one in accepted:
        tenants.setdefault(one.record.tenant_id, []).append(one)
    return tenants


def _snapshot_lines(tenant_id: str, records: Sequence[Accepted], closed_through: int | None) -> list[Line]:
    def complete(day: int) -> bool:
        return closed_through is not None and day <= closed_through

    found = []
    for entity, hours in hourly_totals(records).items():
        for hour, totals in hours.items():
            day = hour * HOUR_US // DAY_US
            found.append(lines.hour_line(tenant_id, entity, hour, totals, complete=complete(day)))
    for entity, days in daily_totals(records).items():
        found += [lines.day_line(tenant_id, entity, day, days, complete=complete(day)) for day in days]
    return found


def _fact_lines(
    tenant_id: str,
    records: Sequence[Accepted],
    closed_through: int | None,
    options: Options,
    after: int | None = None,
) -> list[Line]:
    found = spikes(records, options.profile, after=after)
    of_tenant = {spike.day: spike for spike in found if spike.entity[0] == "tenant"}
    result = []
    for spike in found:
        final = closed_through is not None and spike.day <= closed_through
        counted = [one for one in records if spike.day - RECORD_DAYS < one.record.day <= spike.day]
        anomaly = lines.anomaly_line(
            tenant_id, spike, of_tenant.get(spike.day), len(counted), final=final, profile=options.profile
        )
        latest_us = max(one.record.occurred_us for one in counted if one.record.day == spike.day)
        result.append(lines.fact_line(anomaly, latest_us))
    return sorted(result, key=lines.order)


def _without_fact_fields(fact: Line) -> Line:
    own = {"current_value_cents", "expected_value_cents", "confidence", "observed_at"}
    return {name: content for name, content in fact.items() if name not in own}


def _summary(fates: Sequence[Judged], facts: Sequence[Line]) -> Line:
    counts = Counter(judged.fate for judged in fates)
    return {
        "events": len(fates),
        "accepted": counts["accepted"],
        "duplicates": counts["duplicate"],
        "conflicting": sum(judged.conflicting for judged in fates),
        "dead": counts["dead"],
        "late": counts["late"],
        "forwarded": counts["forwarded"],
        "restated": 0,
        "unpriced": dict(Counter(judged.unpriced_reason for judged in fates if judged.unpriced_reason is not None)),
        "facts": dict(Counter(fact["anomaly_type"] for fact in facts)),
    }


def _published(story: _Story, options: Options) -> list[Publication]:
    result: list[Publication] = []
    records: dict[str, list[Accepted]] = {}
    shown: dict[str, tuple[str, ...]] = {}
    closed_through: int | None = None
    for step in story.steps:
        if isinstance(step, Closed):
            result += _finals(story.partition, records, (closed_through, step.through), options)
            closed_through = step.through
        elif step.fate == "accepted" and step.record is not None:
            tenant_id = step.record.tenant_id
            own = records.setdefault(tenant_id, [])
            own.append(Accepted(step.record, step.cost_nanousd))
            facts = _fact_lines(tenant_id, own, closed_through, options, after=closed_through)
            for fact in facts:
                now = tuple(fact[name] for name in ("anomaly_type", "severity", "episode_id", "derived_cause"))
                if shown.get(fact["anomaly_id"]) != now:
                    shown[fact["anomaly_id"]] = now
                    result.append(Publication(story.partition, ("record", step.offset), fact))
    return result


def _finals(
    partition: int, records: Mapping[str, list[Accepted]], close: tuple[int | None, int], options: Options
) -> list[Publication]:
    before, through = close
    facts = [
        fact
        for tenant_id, own in records.items()
        for fact in _fact_lines(tenant_id, own, through, options, after=before)
        if fact["status"] == "final"
    ]
    facts.sort(key=lambda fact: (fact["window_start"], lines.order(fact)))
    days = {lines.day_text(one.record.day): one.record.day for own in records.values() for one in own}
    return [Publication(partition, ("close", days[fact["window_start"]]), fact) for fact in facts]
