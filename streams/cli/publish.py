"""``outlay publish``: files of events to the broker, each to the home of its tenant."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from streams.lines import Line, LineReader
    from streams.publishing import Publishing

INTERRUPTED = 130
_SHOWN_MAX = 20
EXAMPLES: Final = """\b
Examples:
  outlay publish calls.jsonl
  outlay publish monday.jsonl.gz tuesday.jsonl.gz --rate 500
  zcat calls.jsonl.gz | outlay publish -
"""


def publish(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="JSON lines; .gz too; - is standard input.")],
    rate: Annotated[
        float | None, typer.Option(min=0.01, help="At most this many events a second; default: as fast as it goes.")
    ] = None,
    topic: Annotated[str, typer.Option(help="Where to publish.")] = "costs",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as one JSON object.")] = False,
) -> None:
    """Publish events to their tenants' home partitions, their bytes unchanged.

    Several files are merged by event time. Publishing again after a failure is safe: an event with a known id counts
    as a duplicate. Ctrl-C stops after what is on its way.
    """
    from streams.cli import once

    raise typer.Exit(once.run(_publish(files, rate, topic, as_json=as_json)))


async def _publish(files: list[str], rate: float | None, topic: str, *, as_json: bool) -> int:
    from drivers import settings
    from drivers.kafka.bulk import BulkProducer
    from engines.core.errors import OutlayError
    from streams.cli import once
    from streams.lines import LineReader
    from streams.publishing import Publishing

    kafka = settings.load().kafka
    reader = LineReader(files)
    failures = _Failures(reader)
    bulk = BulkProducer(kafka, topic, failures.refused)
    partitions = await once.with_tries(bulk.start)
    started_s = time.monotonic()
    with _progress(reader) as shown:
        publishing = Publishing(reader, bulk, rate=rate, shown=shown)
        _stop_on_interrupt(publishing, reader)
        try:
            await publishing.run(partitions)
        except OutlayError as error:
            failures.stopped(error, bulk.unknown())
        finally:
            await bulk.close()
    failures.tell_rest()
    if nobodys := publishing.without_tenant:
        what = "1 line names" if nobodys == 1 else f"{nobodys} lines name"
        _say(f"outlay: {what} no tenant: workers refuse such records, `outlay dead-letters list` shows them")
    seconds = time.monotonic() - started_s
    _tell(topic, bulk.sent, failures.count, seconds, interrupted=publishing.stopped.is_set(), as_json=as_json)
    if publishing.stopped.is_set():
        return INTERRUPTED
    return 1 if failures.count or failures.was_stopped else 0


class _Failures:
    """What was not published: the first ones are told one by one, the rest as a number."""

    def __init__(self, reader: LineReader) -> None:
        self.count = 0
        self.was_stopped = False
        self._reader = reader

    def refused(self, line: Line, reason: str) -> None:
        """Tell that the broker does not take *line*."""
        self.count += 1
        if self.count <= _SHOWN_MAX:
            _say(f"{self._reader.place(line)}: not published: {reason}")

    def stopped(self, error: Exception, unknown: list[Line]) -> None:
        """Tell that nothing more is published, and of which lines nobody knows whether they arrived."""
        self.was_stopped = True
        self.count += len(unknown)
        _say(f"outlay: stopped: {' '.join(str(error).split())}")
        if unknown:
            first = {line.source: line for line in sorted(unknown, reverse=True)}
            places = ", ".join(self._reader.place(line) for line in sorted(first.values()))
            _say(f"outlay: {len(unknown)} lines from {places} on may not have arrived; publish again from there")

    def tell_rest(self) -> None:
        """Tell how many were not told of."""
        if self.count > _SHOWN_MAX and not self.was_stopped:
            _say(f"outlay: and {self.count - _SHOWN_MAX} more")


def _tell(topic: str, sent: int, failed: int, seconds: float, *, interrupted: bool, as_json: bool) -> None:
    if as_json:
        told = {
            "topic": topic,
            "sent": sent,
            "failed": failed,
            "seconds": round(seconds, 2),
            "interrupted": interrupted,
        }
        print(json.dumps(told, separators=(",", ":"), sort_keys=True), flush=True)
        return
    per_second = f", {sent / seconds:,.0f} events/s" if seconds > 0 else ""
    ending = ", interrupted" if interrupted else ""
    print(f"{topic}: {sent} sent, {failed} failed, {seconds:.2f} s{per_second}{ending}", flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def _progress(reader: LineReader) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr when that is a terminal; yield what to tell of (events, bytes read)."""
    if not sys.stderr.isatty():
        yield lambda _events, _bytes_read: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    started_s = time.monotonic()
    with Progress(
        TextColumn("{task.fields[events]:,} events, {task.fields[rate]:,.0f}/s"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=reader.total_bytes, events=0, rate=0.0)

        def shown(events: int, bytes_read: int) -> None:
            rate = events / max(time.monotonic() - started_s, 0.001)
            bar.update(task, completed=bytes_read, events=events, rate=rate)

        yield shown


def _stop_on_interrupt(publishing: Publishing, reader: LineReader) -> None:
    """Stop in order at the first Ctrl-C or SIGTERM, and at once at the second."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        publishing.stopped.set()
        reader.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        _say("outlay: stopping after what is on its way")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
