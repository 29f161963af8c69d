"""Replays of several topics at once: each line of the input goes to the topic of its type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

import msgspec

from engines.core.model import Invalid, LogRecord, SettingRow
from engines.core.ports import Domain
from streams.replay import Replay, Replayed

_ESCAPE: Final = b"\\u"


class _Typed(msgspec.Struct, gc=False):
    """What is read of an event to tell its topic."""

    type: str | None = None


_typed = msgspec.json.Decoder(_Typed).decode


class Replays:
    """A replay for each domain, fed from one stream of lines; none of them sees the lines of another.

    A record's offset counts the lines of its own topic (CONTRACT §5).

    Args:
        default: whose topic has what tells of no type, or of one that nobody knows: it refuses it.
        others: domains by what the types of their events begin with.
    """

    def __init__(
        self,
        default: Domain,
        others: Mapping[str, Domain],
        partitions: int,
        now_ms: int,
        *,
        settings: Sequence[SettingRow] = (),
        keep_dead: bool = True,
        keep_snapshots: bool = True,
    ) -> None:
        def replay(domain: Domain) -> Replay:
            return Replay(
                domain,
                partitions,
                now_ms,
                settings=settings,
                keep_dead=keep_dead,
                keep_snapshots=keep_snapshots,
            )

        self._now_ms = now_ms
        self._domains = others
        self._starts = {prefix: prefix.encode() for prefix in others}
        self._replays = {"": replay(default)} | {prefix: replay(domain) for prefix, domain in others.items()}
        """By what the types of their events begin with, the default first."""

    async def start(self) -> None:
        """Claim every partition of every topic."""
        for replay in self._replays.values():
            await replay.start()

    async def feed(self, values: Iterable[bytes]) -> None:
        """Append *values*, each to the topic of its type. Raises Halt when they cannot be processed."""
        apart: dict[str, list[bytes]] = {prefix: [] for prefix in self._replays}
        for value in values:
            apart[self._prefix_of(value)].append(value)
        for prefix, mine in apart.items():
            await self._replays[prefix].feed(mine)

    async def finish(self, *, close_all: bool) -> Replayed:
        """Process the rest and return the end of it all, topics one after the other.

        Args:
            close_all: each topic's, see ``Replay.finish``.
        """
        return _joined([await replay.finish(close_all=close_all) for replay in self._replays.values()])

    def _prefix_of(self, value: bytes) -> str:
        """Return what the type of *value* begins with, "" for the default: nearly all lines are not even parsed."""
        if not any(start in value for start in self._starts.values()) and _ESCAPE not in value:
            return ""
        try:
            told = _typed(value).type or ""
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return self._read_by_domains(value)
        return next((prefix for prefix in self._domains if told.startswith(prefix)), "")

    def _read_by_domains(self, value: bytes) -> str:
        """Return whose event *value* is: a domain may read what a plain decoder does not."""
        record = LogRecord(0, self._now_ms, None, value)
        mine = (prefix for prefix, domain in self._domains.items() if not isinstance(domain.decode(record), Invalid))
        return next(mine, "")


def _joined(ends: Sequence[Replayed]) -> Replayed:
    def lines(of: Callable[[Replayed], list[bytes]]) -> list[bytes]:
        return list(chain.from_iterable(map(of, ends)))

    return Replayed(
        facts=lines(lambda end: end.facts),
        snapshots=lines(lambda end: end.snapshots),
        anomalies=lines(lambda end: end.anomalies),
        feedback=lines(lambda end: end.feedback),
        predictions=lines(lambda end: end.predictions),
        dead=lines(lambda end: end.dead),
        late=lines(lambda end: end.late),
        counts=_added(end.counts for end in ends),
        facts_by_type=_added(end.facts_by_type for end in ends),
        seconds=max(end.seconds for end in ends),
    )


def _added(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in several:
        for name, n in one.items():
            total[name] = total.get(name, 0) + n
    return total
