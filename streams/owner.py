"""The owner of one partition: claims it, keeps a claim alive, and answers for what goes wrong.

Failures end a claim, never the owner: it drops what is not committed and starts again from the position
(docs/architecture.md, Failures). Only ``release`` ends it.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from engines.core.errors import DataRefused, Halt, PositionRefused, SettingsError, SettingsMoved
from engines.core.model import Attempt, Batch, Chunk, Position, Record, TopicPartition
from streams import closes, fates, process, rejudging
from streams.claim import Claim
from streams.deps import Deps
from streams.endings import ClaimOver, Fenced, LogChanged, Rewound
from streams.ladder import Ladder, resumed, taken_over
from streams.retrying import persist

log = logging.getLogger(__name__)

_REASON_CHARS = 4_000


class StepFailed(Exception):
    """Folding a step raised; ``__cause__`` says what."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What is being tried: the offset of its first record and the offset behind it."""

    first: int
    end: int


class Owner:
    """One worker's hold on one partition, from assignment to revocation."""

    def __init__(self, tp: TopicPartition, deps: Deps) -> None:
        self.tp = tp
        self.committed: Position | None = None
        self.refusal: str | None = None
        """Why the partition is stopped until an operator accepts its position, None when it is not."""
        self._deps = deps
        self._claim: Claim | None = None
        self._ladder: Ladder | None = None
        self._poison: dict[int, str] = {}
        self._bury_at: int | None = None
        self._tries = 1
        self._step: _Step | None = None
        self._leaving = False
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def claim(self) -> Claim | None:
        """The claim that holds now, None while there is none."""
        return self._claim

    async def start(self) -> None:
        """Claim the partition and seek to its position; returns when that is done or is refused."""
        self._task = asyncio.create_task(self._run(), name=f"owner {self.tp.topic}/{self.tp.partition}")
        await self._ready.wait()

    async def take(self, chunk: Chunk) -> None:
        """Fold *chunk* if it starts where this owner stands; else have the source seek there."""
        claim = self._claim
        if claim is None or self._leaving:
            return
        if chunk.start != claim.state.folded.next_offset:
            self._deps.source.seek(self.tp, claim.state.folded.next_offset)
            return
        try:
            await claim.resumed.wait()
            await self._fold(claim, chunk)
        except ClaimOver:
            return
        except (Halt, SettingsError) as error:
            claim.fail(error)
        except Exception as error:  # noqa: BLE001 whatever a fold raises, the ladder owns it
            failure = StepFailed()
            failure.__cause__ = error
            claim.fail(failure)

    async def release(self) -> None:
        """Commit and publish what is folded if that is quick, mark the partition as left cleanly, and stop."""
        self._leaving = True
        claim = self._claim
        if claim is not None:
            claim.leave()
            try:
                async with asyncio.timeout(self._deps.limits.release_s):
                    await claim.committer.flushed()
                    await claim.outbox.drained()
                    claim.state.release(self._suspect(claim))
                    await claim.committer.flushed()
            except (TimeoutError, ClaimOver):
                log.warning("%s/%s: left with work undone; its next owner does it again", *self.tp)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._claim = None

    async def _run(self) -> None:
        try:
            while True:
                await self._hold_one_claim()
        except Exception as error:
            expected = isinstance(error, (Halt, SettingsError))  # says by itself what to do
            log.error("%s/%s: cannot go on", *self.tp, exc_info=not expected)  # noqa: TRY400 a bug has its traceback
            self._deps.halt(f"{self.tp.topic}/{self.tp.partition}: {error}")
        finally:
            self._ready.set()

    async def _hold_one_claim(self) -> None:
        claim = await self._open_claim()
        if claim is None:
            self._ready.set()
            await self._deps.sleep(self._deps.limits.reclaim_after_s)
            return
        try:
            self._claim = claim
            self._deps.source.seek(self.tp, claim.state.sealed.next_offset)
            closing = asyncio.ensure_future(self._resume(claim))
            self._ready.set()
            try:
                await self._run_claim(claim)
            finally:
                closing.cancel()
                await asyncio.gather(closing, return_exceptions=True)
        except Fenced:
            self._claim = None
            log.warning("%s/%s: another worker owns it now", *self.tp)
            await self._deps.sleep(self._deps.limits.reclaim_after_s)
        except Rewound:
            log.warning("%s/%s: the database is not where we left it; starting again from its position", *self.tp)
        except LogChanged as change:
            log.error("%s/%s: %s", *self.tp, change)  # noqa: TRY400 no traceback: it is no bug
        except SettingsMoved:
            log.info("%s/%s: settings have changed while a period closed; closing it again by the new ones", *self.tp)
        except (Halt, SettingsError):
            raise
        except StepFailed as failure:
            self._climb_down(failure.__cause__ or failure)
        except Exception as error:  # noqa: BLE001 data the database refuses, a body that cannot be packed
            self._climb_down(error)
        finally:
            self._claim = None

    async def _run_claim(self, claim: Claim) -> None:
        """Run *claim* to its end; what failed after it was lost, by what its successor had written, is no failure."""
        try:
            await claim.run()
        except (Fenced, Rewound, LogChanged, SettingsMoved):
            raise
        except Exception:
            name = f"{self.tp.topic}/{self.tp.partition} reading position"
            limits, sleep, left = self._deps.limits, self._deps.sleep, claim.state.sealed
            row = await persist(name, lambda: claim.store.read_position(self.tp), limits, sleep)
            if row is None or row.epoch < left.epoch:
                raise Rewound from None
            if row.epoch > left.epoch:
                raise Fenced from None
            if row.version < left.version - 1:  # the newest batch may not have been committed yet
                raise Rewound from None
            raise

    @staticmethod
    async def _resume(claim: Claim) -> None:
        """Run closes left over by an earlier owner, judge by settings it did not know; chunks wait for it."""
        try:
            await closes.resume_closes(claim)  # first: a window half closed must not be judged as an open one
            await rejudging.notice(claim)
        except ClaimOver:
            return
        except Exception as error:  # noqa: BLE001 see ``take``
            claim.fail(error)
        finally:
            claim.resumed.set()

    async def _open_claim(self) -> Claim | None:
        limits, sleep = self._deps.limits, self._deps.sleep
        name = f"{self.tp.topic}/{self.tp.partition}"
        bounds = await persist(f"{name} log bounds", lambda: self._deps.source.bounds(self.tp), limits, sleep)
        store = self._deps.store_for(self.tp)
        try:
            position = await persist(f"{name} claim", lambda: store.claim(self.tp, bounds), limits, sleep)
        except PositionRefused as error:
            self.refusal = str(error)
            log.error("%s: STOPPED: %s; see `outlay positions`", name, error)  # noqa: TRY400 no traceback: it is no bug
            self._deps.source.seek(self.tp, bounds.end)
            return None
        self.refusal = None
        if self._ladder is None:
            self._ladder = self._first_ladder(position)
        self.committed = position
        self._judge_dead(position)
        claim = Claim(self._deps, position, bounds, self._on_commit)
        await claim.load()
        if position.attempt is not None:
            claim.state.mark(self._suspect(claim))
        return claim

    def _first_ladder(self, position: Position) -> Ladder:
        """Return where to begin: where an owner that left cleanly stood, or where a dead one's mark says."""
        limits, mark = self._deps.limits, position.attempt
        died = not position.released
        if mark is not None and mark.offset == position.next_offset:
            died = died and mark.tries > 0  # else nothing was being tried here
            if mark.limit == 1:
                self._tries = abs(mark.tries) + died
                if self._tries > limits.deaths_before_dead_letter:
                    self._bury_at = mark.offset
        resume = resumed if died else taken_over
        return resume(limits.chunk_records, position.next_offset, mark)

    def _suspect(self, claim: Claim) -> Attempt | None:
        """Return the mark to leave behind while its step is not under way.

        It tells where to go on, and counts no death: killers elsewhere must neither acquit this stretch nor convict it.
        """
        offset = claim.state.folded.next_offset
        return None if self._ladder is None else self._ladder.passed(offset).mark(offset, -self._tries)

    async def _fold(self, claim: Claim, chunk: Chunk) -> None:
        claim.committer.more_to_come(chunk.end_of_log_ms is None)
        await rejudging.notice(claim)
        records, at = chunk.records, 0
        while at < len(records):
            ladder = self._ladder or Ladder(self._deps.limits.chunk_records)
            step = records[at : at + ladder.limit]
            at += len(step)
            await self._try(claim, ladder, step, records[at].offset if at < len(records) else chunk.end)
        if claim.state.folded.next_offset < chunk.end:  # control records only
            await process.step(claim, [], chunk.end, {})
        await closes.close_idle(claim, chunk)

    async def _try(self, claim: Claim, ladder: Ladder, records: Sequence[Record], end: int) -> None:
        claim.check()
        first = records[0].offset
        if self._bury_at is not None:
            self._poison[first] = f"the process died {self._tries - 1} times while it was being processed"
            self._bury_at = None
        self._step = _Step(first, end)
        if ladder.suspicious:
            await self._try_under_mark(claim, ladder, records, end)
        else:
            await process.step(claim, records, end, self._poison)
        self._ladder = ladder.passed(end)

    async def _try_under_mark(self, claim: Claim, ladder: Ladder, records: Sequence[Record], end: int) -> None:
        """Try a step that is remembered if the process dies in it, alone among those of this process."""
        state, buries = claim.state, records[0].offset in self._poison
        tries = -self._tries if buries else self._tries  # whoever dies at a burial did not die of its record
        async with self._deps.suspect:
            claim.check()
            state.mark(Attempt(state.folded.next_offset, ladder.limit, end, tries))
            await claim.committer.flushed()
            claim.check()
            await process.step(claim, records, end, self._poison)
            state.mark(None)
            await claim.committer.flushed()
            self._tries = 1

    def _climb_down(self, error: BaseException) -> None:
        """Try what failed in smaller steps; a single record that fails is dead-lettered.

        Raises *error* when no record can be to blame: none was tried yet, or the one that was is already committed
        or given up. Then an operator decides, for going on would come back here for ever.
        """
        ladder, step = self._ladder or Ladder(self._deps.limits.chunk_records), self._step
        kind = "refused by the database" if isinstance(error, DataRefused) else type(error).__name__
        if step is None or step.first in self._poison or (self.committed and step.end <= self.committed.next_offset):
            raise error
        log.error("%s/%s: step %d … %d: %s: %s", *self.tp, step.first, step.end, kind, error)
        if ladder.at_single_record:
            self._poison[step.first] = f"{kind}: {error}\n{''.join(traceback.format_exception(error))[-_REASON_CHARS:]}"
        else:
            self._ladder = ladder.failed(step.end)

    def _on_commit(self, batch: Batch) -> None:
        position = self.committed = batch.position
        self._deps.source.report(self.tp, position.next_offset)
        self._poison = {offset: why for offset, why in self._poison.items() if offset >= position.next_offset}
        self._judge_dead(position)

    def _judge_dead(self, position: Position) -> None:
        """Halt when so much was refused that going on would bury what is wrong; also whoever takes up after that."""
        counts, limits = position.counts, self._deps.limits
        dead, events = counts.get(fates.DEAD, 0), counts.get(fates.EVENTS, 0)
        if dead > limits.dead_letters_max and dead > limits.dead_letter_ratio * events:
            self._deps.halt(
                f"{self.tp.topic}/{self.tp.partition}: {dead} of {events} records are dead letters: see"
                " `outlay dead-letters list`; to go on, raise OUTLAY_DEAD_LETTERS_MAX or OUTLAY_DEAD_LETTER_RATIO"
            )
