"""What the guarantees assume of broker and database, held against what is there (``outlay doctor``).

Nothing here asks anybody: the facts come in, findings go out, the worst of them decide. FAIL: a promise does not hold,
or workers refuse to start. WARN: it holds now, and will not in a case that can be foreseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from drivers.kafka.admin import TopicState
from drivers.postgres.facts import DatabaseFacts
from drivers.topics import Topic
from engines.core.model import LogBounds, Position, TopicPartition

_DAY_MS: Final = 86_400_000
_POSTGRES_MIN: Final = 150_000
_SKEW_S: Final = 1.0
_COPIES: Final = 2
_SHOWN: Final = 5


class Level(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what is the matter, and what to do unless all is well."""

    level: Level
    check: str
    says: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """What the operator wants to be able to rely on.

    Attributes:
        restore_days: how old a backup may be that is restored.
        idle_margin_s: by how much the clocks may differ before idle days would close too early.
        connections: of one worker to each database.
    """

    restore_days: int
    idle_margin_s: float
    connections: int


@dataclass(frozen=True, slots=True)
class Held:
    """A position, as it was and as it is a few seconds later, and in which database it lies."""

    before: Position
    now: Position
    database: int


def topic(wanted: Topic, state: TopicState | None, needs: Needs) -> Iterator[Finding]:
    """Yield what is to be said of one topic; *state* None: it is not there."""
    check = f"topic {wanted.name}"
    if state is None:
        yield Finding(Level.FAIL, check, "is not there", "outlay topics apply")
        return
    config, findings = state.config, list[Finding]()
    if state.partitions != wanted.partitions:
        says = f"{state.partitions} partitions instead of {wanted.partitions}"
        findings.append(Finding(Level.FAIL, check, says, "the number is pinned: make the topic anew, see topics.yaml"))
    for name in ("message.timestamp.type", "cleanup.policy"):
        if config.get(name) != (expected := wanted.config()[name]):
            do = f"set {name}={expected} on the topic"
            findings.append(Finding(Level.FAIL, check, f"{name} is {config.get(name)} instead of {expected}", do))
    if int(config.get("max.message.bytes", wanted.max_message_bytes)) < wanted.max_message_bytes:
        do = f"set max.message.bytes={wanted.max_message_bytes} on the topic, or large records are refused"
        findings.append(Finding(Level.WARN, check, f"max.message.bytes is {config['max.message.bytes']}", do))
    findings += _copies(check, state)
    if wanted.writes:
        findings += _retention(check, config, needs)
    yield from findings or [
        Finding(Level.OK, check, f"{state.partitions} partitions, {config['message.timestamp.type']}")
    ]


def copies(states: Mapping[str, TopicState]) -> Iterator[Finding]:
    """Yield, once for all topics, which have one copy only: that is how a broker was set up, not a topic."""
    single = [name for name, state in states.items() if state.replicas < _COPIES]
    if single:
        whose = "all topics" if len(single) == len(states) else ", ".join(single)
        do = "in production have 3 copies and min.insync.replicas=2: an acknowledged record may be lost with its broker"
        yield Finding(Level.WARN, "copies", f"one of each partition, of {whose}", do)


def _copies(check: str, state: TopicState) -> Iterator[Finding]:
    in_sync = state.config.get("min.insync.replicas", "1")
    if state.replicas >= _COPIES > int(in_sync):
        do = "set min.insync.replicas=2: a record may be acknowledged by one broker alone, and lost with it"
        yield Finding(Level.WARN, check, f"min.insync.replicas is {in_sync}", do)
    if state.short:
        yield Finding(Level.WARN, check, f"{state.short} partitions lack copies", "look after the brokers")
    if state.config.get("unclean.leader.election.enable") == "true":
        do = "set it to false: a broker that was behind may take over, and acknowledged records are gone"
        yield Finding(Level.WARN, check, "unclean.leader.election.enable is true", do)


def _retention(check: str, config: Mapping[str, str], needs: Needs) -> Iterator[Finding]:
    """Yield when the log may not reach back to a backup: work goes on at the position that the backup holds."""
    kept_ms, kept_bytes = int(config.get("retention.ms", -1)), int(config.get("retention.bytes", -1))
    if 0 <= kept_ms < needs.restore_days * _DAY_MS:
        says = f"keeps records for {kept_ms / _DAY_MS:.3g} days; a backup {needs.restore_days} days old needs as many"
        yield Finding(Level.WARN, check, says, "raise retention.ms, or restore younger backups only (--restore-days)")
    if kept_bytes >= 0:
        do = "set retention.bytes=-1, or a busy day may push records out sooner than their time"
        yield Finding(Level.WARN, check, f"keeps at most {kept_bytes} bytes of a partition", do)


def logs(
    bounds: Mapping[TopicPartition, LogBounds], held: Sequence[Held], pins: Mapping[str, int]
) -> Iterator[Finding]:
    """Yield whether positions and logs belong together.

    Args:
        bounds: of each partition of the inputs.
        held: every position.
        pins: the number of partitions that each topic's state was made with.
    """
    bad = list[Finding]()
    for tp, log in bounds.items():
        if tp.partition == 0 and pins.get(tp.topic, log.partitions) != log.partitions:
            says = f"{log.partitions} partitions, but state was made with {pins[tp.topic]}"
            bad.append(Finding(Level.FAIL, f"log {tp.topic}", says, "give the topic its partitions back, or rebuild"))
    for one in held:
        known = bounds.get(one.now.tp)
        strange = None if known is None else _stranger(one.now, known)
        if strange is not None:
            do = "outlay positions accept, after finding out why"
            bad.append(Finding(Level.FAIL, f"log {one.now.tp}", strange, do))
    yield from bad or [Finding(Level.OK, "positions", f"all {len(held)} lie inside their logs")]


def _stranger(position: Position, log: LogBounds) -> str | None:
    """Return why *log* is not the one *position* speaks of, None when it is."""
    for what, ours, theirs in (
        ("cluster", position.cluster_id, log.cluster_id),
        ("topic id", position.topic_id, log.topic_id),
    ):
        if ours and theirs and ours != theirs:
            return f"is of {what} {theirs}, the position of {ours}"
    if position.next_offset < log.start:
        return f"begins at {log.start}, the position is {position.next_offset}: records in between are lost"
    if position.next_offset > log.end:
        return f"ends at {log.end}, the position is {position.next_offset}: the log was cut"
    return None


def progress(bounds: Mapping[TopicPartition, LogBounds], held: Sequence[Held], watched_s: float) -> Iterator[Finding]:
    """Yield partitions without progress: behind their log, or with messages to publish, and not moving."""
    by_tp = {one.now.tp: one for one in held}
    unclaimed = [tp for tp in bounds if tp not in by_tp]
    if unclaimed:
        yield Finding(Level.WARN, "progress", f"never claimed: {_names(unclaimed)}", "start `outlay worker`")
    stuck = [tp for tp, one in by_tp.items() if tp in bounds and _stands(one, bounds[tp])]
    if stuck:
        do = "is a worker running? `outlay status`, its log, its /readyz"
        yield Finding(Level.WARN, "progress", f"behind, no step in {watched_s:g} s: {_names(stuck)}", do)
    silent = [tp for tp, one in by_tp.items() if one.before.published == one.now.published < one.before.outbox_seq]
    if silent:
        do = "is a worker running? may it write to the output topics?"
        yield Finding(Level.WARN, "progress", f"messages wait, none went in {watched_s:g} s: {_names(silent)}", do)
    if not (unclaimed or stuck or silent):
        yield Finding(Level.OK, "progress", "every partition is at the end of its log, or moves")


def _stands(one: Held, log: LogBounds) -> bool:
    return one.before.next_offset == one.now.next_offset < log.end


def _names(tps: Sequence[TopicPartition]) -> str:
    shown = ", ".join(map(str, sorted(tps)[:_SHOWN]))
    return shown if len(tps) <= _SHOWN else f"{shown} and {len(tps) - _SHOWN} more"


def placed(held: Sequence[Held], databases: int) -> Iterator[Finding]:
    """Yield positions that lie in another database than the one that the order of their URLs names."""
    strangers = [one for one in held if one.now.partition % databases != one.database]
    if strangers:
        where = ", ".join(f"{one.now.tp} in database {one.database}" for one in strangers[:_SHOWN])
        do = "put OUTLAY_DATABASE_URLS back into the order, and to the number, that it had"
        yield Finding(Level.FAIL, "placement", where, do)


def reach(
    oldest_ms: Mapping[TopicPartition, int], starts: Mapping[TopicPartition, int], now_ms: int, needs: Needs
) -> Iterator[Finding]:
    """Yield whether the logs do reach back to a backup, whatever their settings promise; one never cut does."""
    cut = {tp: at_ms for tp, at_ms in oldest_ms.items() if starts.get(tp)}
    if not cut:
        yield Finding(Level.OK, "restore", "the logs are whole: any backup can be restored")
        return
    tp, newest_start_ms = max(cut.items(), key=lambda one: one[1])
    days = (now_ms - newest_start_ms) / _DAY_MS
    says = f"{tp} reaches back {days:.1f} days"
    if days < needs.restore_days:
        do = f"restoring a backup {needs.restore_days} days old would lose records: see retention of {tp.topic}"
        yield Finding(Level.WARN, "restore", says, do)
    else:
        yield Finding(Level.OK, "restore", f"{says}, the log that reaches back least")


def broker_clock(newest_ms: int | None, now_ms: int, needs: Needs) -> Iterator[Finding]:
    """Yield whether the newest record was appended in what is the future here; more is not to be seen from outside."""
    ahead_s = max(0.0, ((newest_ms or 0) - now_ms) / 1000)
    yield _clock("clock of the broker", ahead_s, needs, "its newest record is not of the future")


def _clock(check: str, skew_s: float, needs: Needs, fine: str) -> Finding:
    if abs(skew_s) <= _SKEW_S:
        return Finding(Level.OK, check, fine)
    level = Level.FAIL if abs(skew_s) > needs.idle_margin_s else Level.WARN
    says = f"{abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} this machine's"
    return Finding(level, check, says, "synchronise the clocks (NTP), or raise OUTLAY_IDLE_MARGIN_S")


def database(number: int, facts: DatabaseFacts, needs: Needs) -> Iterator[Finding]:
    """Yield what is to be said of database *number*."""
    name = f"database {number}"
    if facts.version_num < _POSTGRES_MIN:
        yield Finding(Level.FAIL, name, f"is PostgreSQL {facts.version}", "15 or later is needed")
    else:
        yield Finding(Level.OK, name, f"is PostgreSQL {facts.version}")
    if facts.read_only:
        do = "name the primary in OUTLAY_DATABASE_URL (target_session_attrs=read-write)"
        yield Finding(Level.FAIL, name, "is read-only, a standby perhaps", do)
    if facts.encoding != "UTF8":
        yield Finding(Level.FAIL, name, f"is in {facts.encoding}", "create it with ENCODING 'UTF8'")
    yield _clock(f"{name}: clock", facts.skew_s, needs, f"differs by {abs(facts.skew_s):.3f} s")
    yield from _durable(name, facts)
    room = facts.connections_max - facts.connections
    if room < needs.connections:
        do = "raise max_connections, or lower OUTLAY_DATABASE_POOL"
        yield Finding(
            Level.WARN, name, f"has room for {room} connections, a worker takes up to {needs.connections}", do
        )
    yield from _tables(name, facts)


def _durable(name: str, facts: DatabaseFacts) -> Iterator[Finding]:
    off = [setting for setting in ("fsync", "full_page_writes") if not getattr(facts, setting)]
    if off:
        do = "turn it on: after a crash of the machine the database may be broken, not only behind"
        yield Finding(Level.WARN, f"{name}: durability", f"{' and '.join(off)} off", do)
    elif facts.synchronous_commit == "off":
        says = "synchronous_commit is off: a lost commit is replayed from the log"
        yield Finding(Level.OK, f"{name}: durability", says)
    else:
        yield Finding(Level.OK, f"{name}: durability", f"synchronous_commit is {facts.synchronous_commit}")


def _tables(name: str, facts: DatabaseFacts) -> Iterator[Finding]:
    if facts.schema_problem is not None:
        yield Finding(Level.FAIL, f"{name}: tables", facts.schema_problem, "outlay migrate")
        return
    if not facts.schema_unseen:
        yield Finding(Level.OK, f"{name}: tables", "are those of this version")
    if facts.rights_lacking:
        do = "grant them: docs/operations.md"
        yield Finding(Level.FAIL, f"{name}: rights", f"{facts.role} lacks {', '.join(facts.rights_lacking)}", do)
    elif facts.superuser:
        do = "give workers a role of their own: docs/operations.md"
        yield Finding(Level.WARN, f"{name}: rights", f"{facts.role} is a superuser", do)
    else:
        yield Finding(Level.OK, f"{name}: rights", f"{facts.role} may do all that a worker does")
    if facts.settings_problem is not None:
        do = "was it restored table by table? restore it whole"
        yield Finding(Level.FAIL, f"{name}: settings", facts.settings_problem, do)
    else:
        yield Finding(Level.OK, f"{name}: settings", "budgets, rules and tags are in order")
