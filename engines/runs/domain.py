"""The runs domain as the shell sees it: which pages a record needs, what folding and closing do (port ``Domain``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, cast

from engines.core.model import NEW_READERS, Context, Effects, Invalid, PageKey, Record, Search, SettingRow, TableRow
from engines.core.ports import Event, Pages
from engines.core.time import HOURS_PER_DAY, US_PER_DAY, US_PER_HOUR, day_of
from engines.patterns.signature import compute_error_signature
from engines.patterns.signature_v2 import signature_of_template, template_of
from engines.runs import acknowledgements, cost_spikes, failure_patterns, needs, odds, packing, predictions
from engines.runs.book import RunBook
from engines.runs.decode import decode
from engines.runs.event import FAILED, STARTED, RunEvent, stamp
from engines.runs.pages import DUE, LEDGER, DayPage, Ledger, SumsPage, day_key, ledger_key
from engines.runs.series import Failure, Run

TOPIC: Final = "runs"
GRACE_US: Final = US_PER_HOUR
"""How far behind the watermark a record may be; what is older is late (CONTRACT §7)."""
SAMPLE_CHARACTERS: Final = 500
"""How much of an error, and of its template, is kept to be shown."""


class RunsDomain:
    """Failure patterns, cost spikes and predictions of what becomes of runs, over the topic ``runs``.

    Its windows slide; what the close of an hour settles is all that was due in it.

    Args:
        calibrated: also tell, at the end of each UTC day, how likely each worker's runs are to fail.
    """

    topic = TOPIC
    period_us = US_PER_HOUR
    lateness_us = GRACE_US

    def __init__(self, *, calibrated: bool = False) -> None:
        self._calibrated = calibrated

    def decode(self, record: Record) -> Event | Invalid:
        """Return the event in *record*, or why it is none."""
        return decode(record.value, record.headers, record.timestamp * 1000)

    def stamp(self, event: Event) -> bytes:
        """Return the identity of *event* (CONTRACT §3) and the checksum of its known fields."""
        return stamp(cast("RunEvent", event))

    def money(self, event: Event) -> int | None:
        """Return what the run of *event* cost, if its producer said so."""
        return cast("RunEvent", event).cost_nanousd

    def settings(self, rows: Sequence[SettingRow]) -> acknowledgements.RunsSettings:
        """Return the rows as they are looked up."""
        return acknowledgements.RunsSettings(rows)

    def concerned(self, rows: Sequence[SettingRow]) -> frozenset[str] | None:
        """Return whose feedback *rows* may tell otherwise."""
        return acknowledgements.concerned(rows)

    def next_due(self, closed_through: int | None) -> int | None:
        """Return the watermark at which the hour after *closed_through* closes."""
        return None if closed_through is None else (closed_through + 2) * US_PER_HOUR + GRACE_US

    def closable_through(self, watermark_us: int) -> int:
        """Return the last hour whose end and grace *watermark_us* has reached."""
        return (watermark_us - GRACE_US) // US_PER_HOUR - 1

    def ids_closed_through(self, closed: int) -> int | None:
        """Return the last UTC day that is over when the hours through *closed* are."""
        return (closed + 1) // HOURS_PER_DAY - 1

    def missing(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> set[PageKey]:
        """Return the pages that folding *events* needs."""
        del context
        wanted: set[PageKey] = set()
        for tenant_id, of_tenant in _ended(events).items():
            instants_us = {event.occurred_at for event in of_tenant}
            wanted |= _unknown(pages, tenant_id, partial(needs.of_runs, tenant_id, instants_us=instants_us))
        return wanted

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        """Take in the runs that ended; tell what is news after each, patterns before the predictions that name them."""
        effects = Effects()
        for tenant_id, of_tenant in _ended(events).items():
            book = RunBook(pages, tenant_id, context)
            for event in of_tenant:
                run = _run_of(event)
                book.add(run)
                if self._calibrated:
                    book.is_due((day_of(run.occurred_us) + 1) * US_PER_DAY)
                failure_patterns.fold(book, run, effects)
                cost_spikes.fold(book, run, effects)
                predictions.fold(book, run, effects)
        return effects

    def tenants_scope(self) -> tuple[str, range]:
        """Return where every tenant with any state is found: each has a ledger."""
        return LEDGER, range(1)

    def closing_scope(self, period: int) -> tuple[str, range]:
        """Return where every tenant is found of whom anything is due in the hour *period*."""
        return DUE, range(period, period + 1)

    def searches(self, first: int, last: int) -> Sequence[Search]:
        """Return where to look for an hour in which anything is due."""
        return [Search(DUE, range(first, last + 1), _hour)]

    def close_missing(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> set[PageKey]:
        """Return the pages that the close of the hour *period* reads."""
        del context
        wanted = _unknown_of_open(pages, tenants, _settled_us(period))
        if self._tells_odds(period):
            keys = (day_key(tenant_id, day) for day in odds.days_read(_day(period)) for tenant_id in tenants)
            wanted |= {key for key in keys if not pages.known(key)}
        return wanted

    def close(self, pages: Pages, period: int, tenants: Sequence[str], context: Context) -> Effects:
        """Tell for good what is settled with the hour *period*."""
        effects = Effects()
        for tenant_id in tenants:
            book = RunBook(pages, tenant_id, context)
            book.settled_us = _settled_us(period)
            failure_patterns.settle(book, effects)
            cost_spikes.settle(book, effects)
            predictions.settle(book, effects)
            if self._tells_odds(period) and _day(period) in book.ledger.days:
                odds.tell(book, _day(period), effects)
            book.close(period, _day(period) - needs.FORGOTTEN_DAYS)
        return effects

    def open_missing(self, pages: Pages, tenants: Sequence[str], context: Context) -> set[PageKey]:
        """Return the pages that telling of what is not settled reads."""
        del context
        return _unknown_of_open(pages, tenants, None)

    def rejudge(self, pages: Pages, tenants: Sequence[str], context: Context) -> Effects:
        """Tell of what was acknowledged."""
        effects = Effects()
        for tenant_id in tenants:
            failure_patterns.rejudge(RunBook(pages, tenant_id, context), effects)
        return effects

    def standing(
        self, pages: Pages, tenant_id: str, context: Context, watermark_us: int
    ) -> list[tuple[dict[str, object], dict[str, object] | None]]:
        """Return the lines of all feedback and predictions that are not told for good, as of *watermark_us*.

        They are those of the records alone: what was told of them while they came out of order is not among them.
        """
        book = RunBook(pages, tenant_id, context)
        book.settled_us = max(book.settled_us, watermark_us - GRACE_US)
        told = (failure_patterns.standing(book), cost_spikes.standing(book), predictions.standing(book))
        return [(line, None) for lines in told for line in lines]

    def day_keys(self, tenant_id: str, period: int) -> Iterable[PageKey]:
        """Return none: rows are written as things are told, not from pages."""
        del tenant_id, period
        return ()

    def pack(self, key: PageKey, body: object, readers: int = NEW_READERS) -> Sequence[tuple[int, bytes]]:
        """Return the changed parts of a page; there is one layout, whoever reads."""
        del key, readers
        return packing.pack(body)

    def unpack(self, key: PageKey, parts: Mapping[int, bytes]) -> object:
        """Return the page sealed in *parts*."""
        return packing.unpack(key, parts)

    def weight(self, body: object) -> int:
        """Return how many runs, workers or patterns a page holds."""
        if isinstance(body, DayPage):
            return len(body.all.runs)
        if isinstance(body, SumsPage):
            return len(body.workers) + len(body.carried)
        return len(body.patterns) if isinstance(body, Ledger) else 1

    def project(self, key: PageKey, body: object, as_of: int) -> Iterable[TableRow]:
        """Return none: see ``day_keys``."""
        del key, body, as_of
        return ()

    def _tells_odds(self, period: int) -> bool:
        return self._calibrated and period % HOURS_PER_DAY == HOURS_PER_DAY - 1


def _ended(events: Mapping[str, Sequence[Event]]) -> dict[str, list[RunEvent]]:
    """Return the events that end a run, by tenant; that one began changes nothing."""
    runs = cast("Mapping[str, Sequence[RunEvent]]", events)
    ended = {tenant_id: [one for one in of if one.outcome != STARTED] for tenant_id, of in runs.items()}
    return {tenant_id: of for tenant_id, of in ended.items() if of}


def _run_of(event: RunEvent) -> Run:
    failure = None
    if event.outcome == FAILED and event.error is not None:
        template = template_of(event.error)
        hashes = (signature_of_template(template), compute_error_signature(event.error))
        failure = Failure(*hashes, event.error[:SAMPLE_CHARACTERS], template[:SAMPLE_CHARACTERS])
    return Run(
        event.occurred_at,
        event.run_id,
        event.source,
        event.id,
        event.outcome,
        event.worker_id,
        event.cost_nanousd,
        failure,
        event.model,
    )


def _unknown(pages: Pages, tenant_id: str, needed: Callable[[Ledger], Iterable[PageKey]]) -> set[PageKey]:
    """Return the pages a tenant's work reads that are not known; first of all its ledger."""
    key = ledger_key(tenant_id)
    if not pages.known(key):
        return {key}
    ledger = pages.get(key)
    return {key for key in needed(ledger) if not pages.known(key)} if isinstance(ledger, Ledger) else set()


def _unknown_of_open(pages: Pages, tenants: Sequence[str], settled_us: int | None) -> set[PageKey]:
    wanted: set[PageKey] = set()
    for tenant_id in tenants:
        wanted |= _unknown(pages, tenant_id, partial(needs.of_open, tenant_id, settled_us=settled_us))
    return wanted


def _settled_us(period: int) -> int:
    return (period + 1) * US_PER_HOUR


def _day(period: int) -> int:
    return period // HOURS_PER_DAY


def _hour(bucket: int) -> int:
    return bucket
