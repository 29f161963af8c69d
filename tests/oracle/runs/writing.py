"""Runs written by hand, and cases: what was appended, and what of the lines must be said of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.oracle.records import LogRecord
from tests.oracle.runs.lines import comparable
from tests.oracle.runs.program import Outcome, evaluate
from tests.oracle.runs.tenant import Acknowledgement, Line

TIMEOUT = "Timeout after 30 seconds"


@dataclass(frozen=True)
class Case:
    """One row of a table, for any program that reads runs.

    Attributes:
        name: what the row shows, in words.
        log: what is appended to one partition, in order, without append times.
        feedback: of each expected line, in the order of files, some members; None: not looked at.
        predictions: the same.
        late: the ids that came too late, in order; None: none.
        counts: of the summary, what is looked at.
        close_all: settle everything that is due.
        acknowledgements: rows that are known from the start.
    """

    name: str
    log: Sequence[LogRecord]
    feedback: Sequence[Mapping[str, Any]] | None = None
    predictions: Sequence[Mapping[str, Any]] | None = None
    late: Sequence[str] = ()
    counts: Mapping[str, int] | None = None
    close_all: bool = False
    acknowledgements: Sequence[Acknowledgement] = ()

    def evaluate(self) -> Outcome:
        """Return what the oracle says."""
        return evaluate(self.log, close_all=self.close_all, acknowledgements=self.acknowledgements)

    def differences(
        self, feedback: Sequence[Line], predictions: Sequence[Line], late: Sequence[Line], summary: Mapping[str, Any]
    ) -> list[str]:
        """Return in what the lines are not as expected; nothing when they are."""
        found = [
            *_differences("feedback", self.feedback, feedback),
            *_differences("prediction", self.predictions, predictions),
        ]
        if [line["id"] for line in late] != list(self.late):
            found.append(f"late: {late}")
        counts = {name: summary.get(name, 0) for name in self.counts or {}}
        return found if counts == (self.counts or {}) else [*found, f"counts: {counts}"]


def _differences(kind: str, wanted: Sequence[Mapping[str, Any]] | None, lines: Sequence[Line]) -> list[str]:
    if wanted is None:
        return []
    if len(lines) != len(wanted):
        return [f"{len(lines)} lines of {kind}, not {len(wanted)}: {lines}"]
    return [
        f"{kind} {place}: {name} is {comparable(line).get(name)!r}, not {content!r}"
        for place, (line, members) in enumerate(zip(lines, wanted, strict=True))
        for name, content in comparable(dict(members)).items()
        if comparable(line).get(name) != content
    ]


def event(kind: str, at: str, *, cents: str | None = None, **members: Any) -> LogRecord:
    """Return an event of tenant acme and worker w; its run is named by its time unless members say otherwise.

    Args:
        cents: `cost_cents` as it is written.
    """
    body = {"type": f"run-{kind}", "run_id": f"r-{at}", "tenant_id": "acme", "worker_id": "w", "occurred_at": at}
    text = json.dumps(body | members)
    return LogRecord((text if cents is None else f'{text[:-1]},"cost_cents":{cents}}}').encode())


def failed(at: str, error: str | None = TIMEOUT, **members: Any) -> LogRecord:
    return event("failed", at, error=error, **members)


def completed(at: str, cents: str | None = None, **members: Any) -> LogRecord:
    return event("completed", at, cents=cents, **members)


def crashed(at: str, **members: Any) -> LogRecord:
    return event("crashed", at, **members)


def come_to(at: str) -> LogRecord:
    """Return a mere start: time goes on to `at`, less 65 minutes is settled, and nothing is counted."""
    return event("started", at, run_id=f"tick-{at}")


def minutes(day: str, *events: tuple[str, str | None]) -> list[LogRecord]:
    """Return events of one worker, a minute apart from noon on: `("completed", "12.5")`, `("failed", None)` …"""
    return [
        event(kind, f"{day}T12:{place:02}:00Z", cents=cents, **({"error": TIMEOUT} if kind == "failed" else {}))
        for place, (kind, cents) in enumerate(events)
    ]


def costs(day: str, *cents: str) -> list[LogRecord]:
    """Return completed runs of one worker, a minute apart from noon on."""
    return minutes(day, *(("completed", one) for one in cents))


def outcomes(day: str, text: str) -> list[LogRecord]:
    """Return runs of one worker by a letter each (`f`ailed, `c`ompleted, `x` crashed), a minute apart from noon on."""
    names = {"f": "failed", "c": "completed", "x": "crashed"}
    return minutes(day, *((names[letter], None) for letter in text))
