"""Lines of a file as the backtests want them: finished runs, or spend by day.

One invariant: the first line that cannot be read ends it, and the error names line and field: a score over half a
file would be believed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, NoReturn

from engines.core.cents import COST_CENTS_MAX, nanousd_of_cents
from engines.core.errors import OutlayError
from engines.core.fields import TEXT_CHARACTERS_MAX
from engines.core.model import Invalid
from engines.core.time import day_of, parse_instant
from engines.core.wire import read_object
from engines.cost import decode
from engines.cost.prices import PriceBook, Unpriced
from streams.backtest.cases import Series
from streams.backtest.failures import Run

By = Literal["tenant", "feature", "user", "model", "worker"]
ENDED: Final = ("run-completed", "run-failed", "run-crashed")
STARTED: Final = "run-started"
_FAILED: Final = "run-failed"
_COST: Final = "cost-record"
_END_OF_TIME_US: Final = 1 << 62
_SERIES_MAX: Final = 2_000
_MEMBERS: Final[dict[By, str]] = {"feature": "feature_tag", "user": "user_id", "model": "model", "worker": "worker_id"}


class _Event(NamedTuple):
    """What a line says, of a run or of a cost."""

    id: str
    tenant_id: str
    occurred_us: int
    type: str
    cost_nanousd: int | None
    members: dict[str, object]


@dataclass(slots=True)
class Counts:
    """What became of the lines."""

    lines: int = 0
    repeated: int = 0
    not_ended: int = 0
    unpriced: int = 0
    without_entity: int = 0


class UnreadableLine(OutlayError):
    """A line is no event, or not one that this backtest is about."""


class _Reader:
    """What both readers do: place errors, and count each event once (CONTRACT §3)."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._seen: set[tuple[str, str, int]] = set()

    def _is_new(self, event_id: str, tenant_id: str, occurred_us: int) -> bool:
        self.counts.lines += 1
        identity = (tenant_id, event_id, day_of(occurred_us))
        if identity in self._seen:
            self.counts.repeated += 1
            return False
        self._seen.add(identity)
        return True


class RunReader(_Reader):
    """Collects the finished runs of a file."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Run] = []

    def add(self, value: bytes, place: str) -> None:
        """Take in the line *value* that stands at *place*. Raises UnreadableLine."""
        members = _object(value, place)
        kind = members.get("type")
        if kind not in (*ENDED, STARTED):
            _refuse(place, "type", f"is not one of {', '.join((*ENDED, STARTED))}: failures are told of runs")
        run_id, at_us = _run_id(members, place), _instant(members, place)
        tenant, worker = _text(members, "tenant_id", place), _text(members, "worker_id", place)
        model = _text(members, "model", place) if members.get("model") is not None else None
        if kind == STARTED:
            self.counts.lines += 1
            self.counts.not_ended += 1
        elif self._is_new(run_id, tenant, at_us):
            self.runs.append(Run(at_us, tenant, worker, model, kind == _FAILED))


class SpendReader(_Reader):
    """Adds up a file's spend by UTC day; of cost records, or of runs that say what they cost."""

    def __init__(self, by: By, prices: PriceBook) -> None:
        super().__init__()
        self._by = by
        self._prices = prices
        self._days: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._last_day = 0

    def add(self, value: bytes, place: str) -> None:
        """Take in the line *value* that stands at *place*. Raises UnreadableLine."""
        kind = b'"run-' in value and _object(value, place).get("type")
        event = (
            self._run(value, place) if isinstance(kind, str) and kind.startswith("run-") else self._cost(value, place)
        )
        if not self._is_new(event.id, event.tenant_id, event.occurred_us):
            return
        self._last_day = max(self._last_day, day_of(event.occurred_us))
        entity = event.tenant_id if self._by == "tenant" else event.members.get(_MEMBERS[self._by])
        if event.cost_nanousd is None:
            self.counts.unpriced += 1
        elif not isinstance(entity, str) or not entity:
            self.counts.without_entity += 1
        else:
            name = event.tenant_id if self._by == "tenant" else f"{event.tenant_id}/{entity}"
            self._days[name][day_of(event.occurred_us)] += event.cost_nanousd

    def series(self) -> Series:
        """Return each entity's spend by day, from its first day to the last of the file.

        Raises:
            OutlayError: nothing was spent, or there are too many series to look at one by one.
        """
        spent = {name: days for name, days in self._days.items() if any(days.values())}
        if not spent:
            raise OutlayError("no line has a price: there is no spend to tell")
        if len(spent) > _SERIES_MAX:
            raise OutlayError(f"{len(spent)} series by {self._by}: a backtest looks at {_SERIES_MAX} at most")
        return {
            name: (min(days), [days.get(day, 0) for day in range(min(days), self._last_day + 1)])
            for name, days in spent.items()
        }

    def _cost(self, value: bytes, place: str) -> _Event:
        event = decode.decode(value, (), _END_OF_TIME_US)
        if isinstance(event, Invalid):
            _refuse(place, event.field, event.reason)
        cost = event.cost_nanousd
        if cost is None:
            price = self._prices.price_of(event)
            cost = None if isinstance(price, Unpriced) else price
        members: dict[str, object] = {"feature_tag": event.feature_tag, "user_id": event.user_id, "model": event.model}
        return _Event(event.id, event.tenant_id, event.occurred_at, _COST, cost, members)

    def _run(self, value: bytes, place: str) -> _Event:
        members = _object(value, place)
        if members["type"] not in (*ENDED, STARTED):
            _refuse(place, "type", f"is not one of {', '.join((*ENDED, STARTED))}")
        cents: Any = members.get("cost_cents")
        if isinstance(cents, bool | str | list | dict) or (cents is not None and not 0 <= cents <= COST_CENTS_MAX):
            _refuse(place, "cost_cents", f"is not a number from 0 to {COST_CENTS_MAX}")
        return _Event(
            _run_id(members, place),
            _text(members, "tenant_id", place),
            _instant(members, place),
            str(members["type"]),
            None if cents is None else nanousd_of_cents(cents),
            members,
        )


def _object(value: bytes, place: str) -> dict[str, object]:
    members = read_object(value)
    if isinstance(members, Invalid):
        _refuse(place, members.field, members.reason)
    return members


def _text(members: dict[str, object], name: str, place: str) -> str:
    text = members.get(name)
    if text is None:
        _refuse(place, name, "is missing or null")
    if not isinstance(text, str) or not 0 < len(text) <= TEXT_CHARACTERS_MAX:
        _refuse(place, name, f"is not a string of 1 to {TEXT_CHARACTERS_MAX} characters")
    return text


def _run_id(members: dict[str, object], place: str) -> str:
    """Return the event's id: that of its run, with what became of it, when it has none of its own (CONTRACT §7)."""
    if members.get("id") is not None:
        return _text(members, "id", place)
    return f"{_text(members, 'run_id', place)}/{members.get('type') == STARTED}"


def _instant(members: dict[str, object], place: str) -> int:
    try:
        return parse_instant(_text(members, "occurred_at", place))
    except ValueError as error:
        _refuse(place, "occurred_at", str(error))


def _refuse(place: str, name: str | None, reason: str) -> NoReturn:
    raise UnreadableLine(f"{place}: {reason if name is None else f'{name} {reason}'}")
