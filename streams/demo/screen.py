"""How the demo shows itself: a live table on a terminal, lines elsewhere; then what it all came to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from streams.demo import table_runs
from streams.demo.board import Board, DeadLetter, Fact, News
from streams.demo.table import WIDE, cells, lines, table
from streams.demo.verdict import Check, TenantRow
from streams.demo.words import usd

_TENANTS_SHOWN: Final = 20
_FACTS_SHOWN: Final = 60
_OTHER_LINES: Final = 8
"""Lines of the live tables that are no facts and nothing of runs."""
_OF_RUNS: Final = 3
"""One line in so many may tell of runs."""


class Screen:
    """Shows on standard output."""

    def __init__(self, console: Console | None = None) -> None:
        plain = console or Console(highlight=False)
        self._console = plain if plain.is_terminal else Console(highlight=False, width=max(plain.width, WIDE))
        self._started_s = time.monotonic()
        self._live: Live | None = None
        self._board = Board()
        self._published = self._read = 0

    def said(self, text: str) -> None:
        """Show what happens next."""
        self._console.print(f"[{time.monotonic() - self._started_s:5.1f} s] {text}", markup=False)

    def pasted(self, text: str) -> None:
        """Show what is to be copied, as it is, however wide the terminal."""
        self._console.out(text, highlight=False)

    @contextmanager
    def watching(self, board: Board) -> Iterator[None]:
        """Show the facts of *board* as they come, while the block runs."""
        self._board = board
        if not self._console.is_terminal:
            yield
            return
        with Live(self._render(), console=self._console, transient=True, get_renderable=self._render) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def progressed(self, published: int, read: int) -> None:
        """Take in how many records are published, and how many the worker has committed."""
        self._published, self._read = published, read

    def told(self, news: News) -> None:
        """Show a message that arrived; on a terminal the table has it already."""
        if self._live is not None:
            return
        if isinstance(news, DeadLetter):
            self.said(f"dead letter {news.topic}/{news.partition}/{news.offset}: {news.field} {news.reason}")
            return
        if not isinstance(news, Fact):
            when, who, kind, says, status = table_runs.cells(news)
            self.said(f"runs {status:11} {when} {kind} of {who}: {says}")
            return
        when, who, kind, severity, cause, spent, expected, _, status = cells(news)
        self.said(f"fact {status:11} {when} {severity} {kind} of {who}: {spent}, expected {expected}; {cause}")

    def totals(self, rows: Sequence[TenantRow], whence: str) -> None:
        """Show each tenant's totals, as they should be and as PostgreSQL has them.

        Args:
            rows: the tenants, dearest first.
            whence: what the stored ones are held against, in a word.
        """
        names = (f"{what}\n{where}" for where in (whence, "stored") for what in ("requests", "tokens", "cost"))
        columns = (Column(name, justify="right", no_wrap=True) for name in names)
        table = Table("tenant", *columns, "equal", box=None, header_style="bold", padding=(0, 2, 0, 0))
        for row in rows[:_TENANTS_SHOWN]:
            numbers = (*_numbers(row, sent=True), *_numbers(row, sent=False))
            table.add_row(row.tenant_id, *numbers, Text("yes", "green") if row.equal else Text("NO", "bold red"))
        self._console.print(f"\nTotals by tenant: {whence}, and stored in PostgreSQL", style="bold")
        self._console.print(table)
        if len(rows) > _TENANTS_SHOWN:
            equal = sum(row.equal for row in rows[_TENANTS_SHOWN:])
            self._console.print(f"and {len(rows) - _TENANTS_SHOWN} more tenants, {equal} of them equal")

    def facts(self) -> None:
        """Show the facts as they stand."""
        facts = self._board.in_order()
        self._console.print("\nFacts on the topic", style="bold")
        self._console.print(table(facts[:_FACTS_SHOWN], self._console.width) if facts else "none")
        if len(facts) > _FACTS_SHOWN:
            self._console.print(f"and {len(facts) - _FACTS_SHOWN} more")

    def notices(self) -> None:
        """Show what is told of runs as it stands."""
        told = self._board.notices_in_order()
        self._console.print("\nFeedback and predictions on their topics", style="bold")
        self._console.print(table_runs.table(told[:_FACTS_SHOWN], self._console.width) if told else "none")
        if len(told) > _FACTS_SHOWN:
            self._console.print(f"and {len(told) - _FACTS_SHOWN} more")

    def verdict(self, checks: Sequence[Check]) -> bool:
        """Show what had to be so, and whether it is; return whether all is."""
        table = Table(
            "", Column("verdict: what had to come of it", no_wrap=True), "what came", box=None, header_style="bold"
        )
        self._console.print()
        for check in checks:
            mark = Text("ok", "green") if check.holds else Text("FAILED", "bold red")
            table.add_row(mark, check.what, Text(check.detail))
        self._console.print(table)
        failed = sum(not check.holds for check in checks)
        seconds = time.monotonic() - self._started_s
        if failed:
            self._console.print(f"\nFAILED: {failed} of {len(checks)} checks, after {seconds:.1f} s", style="bold red")
        else:
            self._console.print(f"\nAll {len(checks)} checks hold, after {seconds:.1f} s", style="bold green")
        return not failed

    def _render(self) -> Group:
        head = (
            f"{self._published:,} events published, {self._read:,} read, "
            f"{len(self._board.facts)} facts, {len(self._board.notices)} things told of runs, "
            f"{len(self._board.dead)} dead letters\n"
        )
        width = self._console.width
        rows = max((self._console.height - _OTHER_LINES) // lines(width), 2)
        notices = list(self._board.notices.values())[-max(rows // _OF_RUNS, 1) :]
        newest = list(self._board.facts.values())[-max(rows - len(notices), 1) :]
        of_runs = (Text(), table_runs.table(notices, width)) if notices else ()
        return Group(Text(head), table(newest, width), *of_runs)


def _numbers(row: TenantRow, *, sent: bool) -> tuple[str, str, str]:
    totals = row.sent if sent else row.stored
    cost = "-" if totals.requests == totals.unpriced else usd(totals.cost_nanousd)
    return (f"{totals.requests:,}", f"{totals.input_tokens + totals.output_tokens:,}", cost)
