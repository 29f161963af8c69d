"""The plain program that reads all events at once: the oracle of CONTRACT's first paragraph."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.oracle import lines
from tests.oracle.keeper import Keeper, Revision
from tests.oracle.lines import Line
from tests.oracle.records import LogRecord
from tests.oracle.settings import Known, Profile, Setting
from tests.oracle.totals import Book, day_of_hour
from tests.oracle.walk import HORIZON_DAYS, Judged, Price, Step, Walk, forwarded_copies, no_prices, placed


@dataclass(frozen=True)
class Options:
    """What, besides the log, decides an outcome.

    Attributes:
        profile: the rules without any setting.
        closed_through: by partition, the day an idle worker had closed at the end.
        append_forwarded: put the copies of forwarded records at the end of their home partitions' logs;
            False when the log already holds them, as one read from a broker does.
        now_us: the clock at the start, for records without append time; None: nothing is in the future.
        settings: rows in the order in which they were appended, and from where on each is known.
        dedup_days: identities are kept for so many days before the watermark's, at most the horizon.
        entities_max: of a tenant's day; what has a name that is new then counts under `~other`.
    """

    profile: Profile = "standard"
    partitions: int = 1
    close_all: bool = False
    price: Price = no_prices
    closed_through: Mapping[int, int] = field(default_factory=dict)
    append_forwarded: bool = True
    now_us: int | None = None
    settings: Sequence[Setting] = ()
    dedup_days: int = HORIZON_DAYS
    entities_max: int | None = None


@dataclass(frozen=True)
class PartitionEnd:
    """Where a partition stands after its last record; days are ints since the epoch."""

    next_offset: int
    watermark_us: int | None
    closed_through: int | None


@dataclass(frozen=True)
class Outcome:
    """The state at the end of a log, in the forms and order of CONTRACT §5.

    `anomalies` and `facts` have one line for each id in its last state, withdrawn ones included; a fact is there for
    each id that ever was HIGH. `late` holds `restated` records, too. `capped` counts the names that a tenant's day had
    no room for.
    """

    snapshots: list[Line]
    anomalies: list[Line]
    facts: list[Line]
    dead: list[Line]
    late: list[Line]
    summary: Line
    fates: list[Judged]
    ends: dict[int, PartitionEnd]
    capped: int


@dataclass(frozen=True)
class Publication:
    """One revision of a fact as it goes to the topic, and what made it go; `at` as in `Revision`."""

    partition: int
    at: tuple[str, int | None]
    fact: Line


@dataclass(frozen=True)
class _Story:
    partition: int
    steps: list[Step]
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
    settings: Sequence[Setting] = (),
    dedup_days: int = HORIZON_DAYS,
) -> Outcome:
    """Return the state at the end of *log*; see `Options` for the arguments."""
    options = Options(
        profile, partitions, close_all, price, closed_through or {}, append_forwarded, now_us, settings, dedup_days
    )
    return judged(log, options)[0]


def judged(log: Sequence[LogRecord], options: Options) -> tuple[Outcome, list[Revision]]:
    """Return the state at the end of *log*, and every revision on the way, as `revisions` does."""
    stories = _stories(log, options)
    fates = [step for story in stories for step in story.steps if isinstance(step, Judged)]
    keepers = [_kept(story, options) for story in stories]
    standing = [revision for keeper in keepers for revision in keeper.standing()]
    facts = sorted((revision.fact for revision in standing if revision.fact is not None), key=lines.order)
    outcome = Outcome(
        snapshots=sorted(_snapshot_lines(keepers), key=lines.order),
        anomalies=sorted((revision.line for revision in standing), key=lines.order),
        facts=facts,
        dead=[lines.dead_line(one) for one in fates if one.fate == "dead"],
        late=[lines.late_line(one) for one in fates if one.late_reason is not None],
        summary=_summary(fates, facts),
        fates=fates,
        ends={story.partition: story.end for story in stories},
        capped=sum(keeper.capped for keeper in keepers),
    )
    return outcome, [revision for keeper in keepers for revision in keeper.revisions]


def revisions(
    log: Sequence[LogRecord],
    *,
    profile: Profile = "standard",
    partitions: int = 1,
    close_all: bool = False,
    price: Price = no_prices,
    closed_through: Mapping[int, int] | None = None,
    append_forwarded: bool = True,
    now_us: int | None = None,
    settings: Sequence[Setting] = (),
    dedup_days: int = HORIZON_DAYS,
) -> list[Revision]:
    """Return every revision of every anomaly line for *log*, facts or not, in order, one partition after the other.

    Everything open is judged anew after each accepted record, each close and each new setting: the first crossing is
    told at once, then a change of type, severity, episode or cause, a withdrawal, then the close, then what a
    re-judgement finds.
    """
    options = Options(
        profile, partitions, close_all, price, closed_through or {}, append_forwarded, now_us, settings, dedup_days
    )
    return [revision for story in _stories(log, options) for revision in _kept(story, options).revisions]


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
    settings: Sequence[Setting] = (),
    dedup_days: int = HORIZON_DAYS,
) -> list[Publication]:
    """Return every revision of a fact that is published for *log*, in order, one partition after the other."""
    options = Options(
        profile, partitions, close_all, price, closed_through or {}, append_forwarded, now_us, settings, dedup_days
    )
    told = [revision for story in _stories(log, options) for revision in _kept(story, options).revisions]
    return [Publication(one.partition, one.at, one.fact) for one in told if one.fact is not None]


def _kept(story: _Story, options: Options) -> Keeper:
    known = Known(options.profile, story.partition, options.settings)
    keeper = Keeper(story.partition, known, options.entities_max)
    for step in story.steps:
        keeper.take(step)
    return keeper


def _stories(log: Sequence[LogRecord], options: Options) -> list[_Story]:
    whole = placed(log, options.partitions)
    if options.append_forwarded:
        whole = placed([*whole, *_appended(whole, options)], options.partitions)
    walks = [_walk(at, options) for at in range(options.partitions)]
    logs = [[entry for entry in whole if entry.partition == walk.partition] for walk in walks]
    steps = [list(walk.steps(part)) for walk, part in zip(walks, logs, strict=True)]
    days = [step.counted.day for part in steps for step in part if isinstance(step, Judged) and step.counted]
    for walk in walks:
        if walk.partition in options.closed_through:
            steps[walk.partition] += walk.close(options.closed_through[walk.partition])
        if options.close_all and days:
            steps[walk.partition] += walk.close(max(days))
    return [
        _Story(walk.partition, part, PartitionEnd(_next_offset(entries), walk.watermark.at_us, walk.closed_through))
        for walk, part, entries in zip(walks, steps, logs, strict=True)
    ]


def _walk(partition: int, options: Options) -> Walk:
    learns_at = sorted({row.known_before[partition] for row in options.settings if partition in row.known_before})
    return Walk(
        partition,
        options.partitions,
        options.price,
        options.now_us,
        dedup_days=options.dedup_days,
        learns_at=learns_at,
    )


def _appended(log: Sequence[LogRecord], options: Options) -> list[LogRecord]:
    # What is appended last has the latest append time; an older one would look like a gap to the copy after it.
    latest_us = max((entry.append_us for entry in log if entry.append_us is not None), default=None)
    return [replace(copy, append_us=latest_us) for copy in forwarded_copies(log, options.partitions, options.now_us)]


def _next_offset(entries: Sequence[LogRecord]) -> int:
    return 0 if not entries or entries[-1].offset is None else entries[-1].offset + 1


def _snapshot_lines(keepers: Sequence[Keeper]) -> list[Line]:
    return [line for keeper in keepers for book in keeper.books.values() for line in _snapshots(book)]


def _snapshots(book: Book) -> list[Line]:
    found = [lines.day_line(book, entity, day) for entity, days in book.days.items() for day in days]
    for entity, hours in book.hours.items():
        for hour, totals in hours.items():
            complete = book.closed(day_of_hour(hour))
            found.append(lines.hour_line(book.tenant_id, entity, hour, totals, complete=complete))
    return found


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
        "restated": sum(judged.late_reason == "restated" for judged in fates),
        "unpriced": dict(Counter(judged.unpriced_reason for judged in fates if judged.unpriced_reason is not None)),
        "facts": dict(Counter(fact["anomaly_type"] for fact in facts)),
    }
