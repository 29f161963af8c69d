"""What is fed to a simulated world: a generated stream, placed, and the settings rows that are appended on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from engines.cost.parts import USERS_PER_PART
from tests.generated import Event, Shape
from tests.oracle import Line, LogRecord, Record, Setting, decode, placed
from tests.oracle.runs import evaluate
from tests.oracle.runs import making as runs
from tests.oracle.runs.histories import make_history
from tests.simulation.faults import Plan
from tests.simulation.reading import guilty, topic_of
from tests.simulation.rules import Identity
from tests.strategies import make_rich_stream, make_stream

USD = 10**9


@dataclass(frozen=True, slots=True)
class Feed:
    """A placed stream in the order of its append.

    Attributes:
        rows: (row, index of the record before which it is appended; 0: before anything runs), in order.
        killers: records that kill the process that folds them. poison: such as cannot be folded.
        refused: such as the database does not take; all their copies, too.
        live: whether its records say when they are appended.
    """

    log: list[LogRecord]
    rows: list[tuple[Setting, int]]
    killers: frozenset[Identity]
    poison: frozenset[Identity]
    refused: frozenset[Identity]
    live: bool


def feed_of(plan: Plan) -> Feed:
    """Return what *plan* feeds."""
    if plan.runs:
        log, rows = _of_runs(plan)
    elif plan.rich:
        log, rows = _rich(plan)
    else:
        log, rows = make_stream(plan.seed, _shape(plan)), []
    if plan.crowd and not plan.runs:
        log = _crowded(log, plan)
        rows = [(row, at and min(at, len(log))) for row, at in rows]
    stream = placed(log, plan.partitions)
    killers, poison, refused = _guilty(stream, plan)
    if plan.cut is not None:
        first, last = plan.cut
        stream = stream[first : last + 1]
        rows = [(row, at and min(max(1, at - first), len(stream))) for row, at in rows]
    return Feed(stream, rows, killers, poison, refused, plan.live)


def _shape(plan: Plan) -> Shape:
    return Shape(records_max=plan.events, foreign=plan.foreign, append="live" if plan.live else "none")


def _guilty(stream: list[LogRecord], plan: Plan) -> tuple[frozenset[Identity], ...]:
    """Return whom to blame, each for one thing: killers, poison, and what the database refuses."""
    sound = list(guilty(topic_of(plan), stream))
    Random(f"guilty {plan.seed}").shuffle(sound)
    found = []
    for n in (plan.killers, plan.poison, plan.refused):
        found.append(frozenset(sound[:n]))
        del sound[:n]
    return tuple(found)


def _rich(plan: Plan) -> tuple[list[LogRecord], list[tuple[Setting, int]]]:
    """Return a stretch of a rich stream: whole ones take long, and faults find what they find in some weeks."""
    rich, random = make_rich_stream(plan.seed, "live" if plan.live else "none"), Random(f"feed {plan.seed}")
    first = random.randint(0, max(0, len(rich.log) - plan.events)) if random.random() < 0.5 else 0
    log = rich.log[first : first + plan.events]
    if plan.foreign:
        log = [replace(entry, key=b"elsewhere") if random.random() < 0.1 else entry for entry in log]
    rows = [(row, 0 if at is None else min(max(0, at - first), len(log))) for row, at in rich.rows]
    return log, rows if plan.settings else [(row, at) for row, at in rows if at == 0]


def _of_runs(plan: Plan) -> tuple[list[LogRecord], list[tuple[Setting, int]]]:
    """Return a history of runs, and acknowledgements of what stood on the way; some of what has yet to come."""
    random = Random(f"feed {plan.seed}")
    shape = runs.Shape(runs_max=plan.events, tenants=random.randint(1, 4), append=plan.live, foreign=plan.foreign)
    log = make_history(plan.seed, shape)
    rows: list[tuple[Setting, int]] = []
    for number, length in enumerate(sorted(random.choices(range(1, len(log) + 1), k=random.choice((0, 2, 5))))):
        for line in evaluate(log[:length], partitions=plan.partitions).feedback[:2]:
            at = 0 if number == 0 and random.random() < 0.5 else length
            rows.append((_acknowledgement(line, len(rows)), at))
    return log, sorted((each for each in rows if plan.settings or not each[1]), key=lambda each: each[1])


def _acknowledgement(line: Line, number: int) -> Setting:
    body = {name: line[name] for name in ("feedback_id", "as_of")}
    body |= {"acknowledged_at": f"2026-05-01T00:{number:02}:00Z", "acknowledged_by": f"person {number}"}
    return Setting("acknowledgement", line["tenant_id"], None, body)


def _crowded(log: list[LogRecord], plan: Plan) -> list[LogRecord]:
    """Put in more users on one day of a tenant than one part of a page holds, and some of them again."""
    random = Random(f"crowd {plan.seed}")
    places = [(at, found) for at, entry in enumerate(log) if isinstance(found := decode(entry.value, ()), Record)]
    if not places:
        return log
    at, record = random.choice(places)
    users = [f"c{number}" for number in range(USERS_PER_PART + random.randint(1, USERS_PER_PART))]
    crowd = [_of_user(log[at], record, user, "") for user in users]
    later = random.randint(at, len(log))
    again = [_of_user(log[at], record, user, "+") for user in random.sample(users, 5)]
    if later < len(log):
        again = [replace(entry, append_us=log[later].append_us) for entry in again]
    elif log[-1].append_us is not None:
        again = [replace(entry, append_us=log[-1].append_us) for entry in again]
    return [*log[:at], *crowd, *log[at:later], *again, *log[later:]]


def _of_user(beside: LogRecord, record: Record, user_id: str, mark: str) -> LogRecord:
    event = Event(record.tenant_id, user_id, None, "no-such-model-a", record.occurred_us, USD, id=f"{user_id}{mark}")
    event.more = {"input_tokens": 1, "output_tokens": 1}
    return replace(event.written(0), key=beside.key, append_us=beside.append_us)
