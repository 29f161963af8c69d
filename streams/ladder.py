"""The failure ladder: how finely a stretch of log is tried after it failed (docs/architecture.md, Failures).

A failure divides the step by ``FACTOR`` until the suspect stretch is past, then it grows again; a failure of a
single record is that record's own. Deaths of the process climb down the same ladder through the durable mark.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engines.core.model import Attempt

FACTOR = 8


@dataclass(frozen=True, slots=True)
class Rung:
    """*limit* records a step, for records below offset *until*."""

    limit: int
    until: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rungs climbed down so far, the finest last; none: full steps."""

    top: int
    rungs: tuple[Rung, ...] = ()

    @property
    def limit(self) -> int:
        """Records per step."""
        return self.rungs[-1].limit if self.rungs else self.top

    @property
    def suspicious(self) -> bool:
        """Whether steps are small, so that each must be committed before the next."""
        return bool(self.rungs)

    @property
    def at_single_record(self) -> bool:
        """Whether the next failure is one record's own: it is the only one tried, and nothing else is uncommitted."""
        return self.suspicious and self.limit == 1

    def failed(self, until: int) -> Ladder:
        """Return the ladder after a step that ended at offset *until* failed."""
        return replace(self, rungs=(*self.rungs, Rung(max(1, self.limit // FACTOR), until)))

    def mark(self, offset: int, tries: int) -> Attempt | None:
        """Return the mark of a step that would begin at *offset* now, None when nothing is suspect."""
        return Attempt(offset, self.rungs[-1].limit, self.rungs[-1].until, tries) if self.rungs else None

    def at_top(self, top: int) -> Ladder:
        """Return the same rungs below full steps of *top* records."""
        return replace(self, top=top)

    def passed(self, next_offset: int) -> Ladder:
        """Return the ladder after everything before *next_offset* went well."""
        rungs = self.rungs
        while rungs and next_offset >= rungs[-1].until:
            rungs = rungs[:-1]
        return replace(self, rungs=rungs)


def resumed(top: int, position_offset: int, mark: Attempt | None) -> Ladder:
    """Return where to stand after the last owner died: one rung below the step it marked.

    Without a mark nothing was suspect yet: the first step is tried at full size, under a mark this time.
    """
    if mark is None or mark.offset != position_offset:
        return Ladder(top, (Rung(mark.limit if mark else top, position_offset + 1),))
    return Ladder(mark.limit).failed(mark.until).at_top(top)


def taken_over(top: int, position_offset: int, mark: Attempt | None) -> Ladder:
    """Return where to stand after the last owner left cleanly: where it stood, for its leave was nobody's fault."""
    if mark is None or mark.offset != position_offset:
        return Ladder(top)
    return Ladder(top, (Rung(mark.limit, mark.until),))
