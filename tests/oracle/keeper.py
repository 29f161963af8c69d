"""One partition's tenants on their way through its log: what is judged when, and what is told of it (CONTRACT §2, §5).

Invariant: of each id the last that was told stands in the ledger; what is told is one revision after the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tests.oracle import judge, lines
from tests.oracle.findings import Finding, Key, Window, day_window, month_of
from tests.oracle.lines import Line
from tests.oracle.records import Record
from tests.oracle.settings import Known
from tests.oracle.totals import Accepted, Book
from tests.oracle.walk import Closed, Judged, Learned, Step

At = tuple[str, int | None]
OTHER = "~other"  # where the spend of entities goes that a tenant's day has no room for
LATER_DAYS = 7  # a close judges so many days before it again; the last a silent day can drift after its last record


@dataclass(frozen=True)
class Revision:
    """One revision of an anomaly line, and what made it go.

    `at` is ("record", offset), ("close", day) or ("settings", offset of the record they are known before, None: of
    none). Revisions of one `at` have no order among them. `fact` is the line as it goes to the facts' topic, None
    while the id never was HIGH.
    """

    partition: int
    at: At
    line: Line
    fact: Line | None


@dataclass(frozen=True)
class _Told:
    finding: Finding
    revision: Revision

    @property
    def stands(self) -> bool:
        return bool(self.revision.line["status"] != "withdrawn")


class Keeper:
    """What a worker would remember of one partition."""

    def __init__(self, partition: int, known: Known, entities_max: int | None = None) -> None:
        """Begin with an empty log and the settings *known* at its start; `entities_max` as in `Options`."""
        self.capped = 0
        self.books: dict[str, Book] = {}
        self.revisions: list[Revision] = []
        self._partition = partition
        self._known = known
        self._entities_max = entities_max
        self._closed_through: int | None = None
        self._told: dict[str, dict[Key, _Told]] = {}

    def take(self, step: Step) -> None:
        """Go one step further."""
        match step:
            case Closed(through):
                for book in self.books.values():
                    for day in _worth_closing(book, through):
                        self._close(book, day)
                    book.closed_through = through
                self._closed_through = through
            case Learned(offset):
                if self._known.learn(offset):
                    for book in self.books.values():
                        self._judge_open(book, ("settings", offset))
            case Judged(fate="accepted"):
                self._judge_open(self._counted(step), ("record", step.offset))

    def standing(self) -> list[Revision]:
        """Return every id in its last state: as it stands now in an open window, or else as it was last told."""
        found: list[Revision] = []
        for book in self.books.values():
            last = {key: told.revision for key, told in self._ledger(book).items()}
            for window in judge.open_windows(book):
                now = self._found(book, window, closing=False)
                for finding in now:
                    if finding.holds:
                        last[finding.key] = self._revision(book, ("end", None), finding, now, restated=False)
            found += last.values()
        return found

    def _counted(self, judged: Judged) -> Book:
        record = judged.record
        assert record is not None
        tag = self._known.feature_tag(record.tenant_id, record.feature_tag, record.occurred_us)
        book = self.books.setdefault(record.tenant_id, Book(record.tenant_id, self._known, self._closed_through))
        record = self._admitted(book, replace(record, feature_tag=tag))
        book.add(Accepted(record, judged.cost_nanousd, restated=judged.late_reason is not None))
        return book

    def _admitted(self, book: Book, record: Record) -> Record:
        """Return the record under the names for which its tenant's day has room."""
        if self._entities_max is None or len(on_day := book.on(record.day)) < self._entities_max:
            return record
        names = {"user": record.user_id, "feature": record.feature_tag, "model": record.model}
        new = {kind for kind, name in names.items() if name not in (None, OTHER) and (kind, name) not in on_day}
        self.capped += len(new)
        user_id, feature_tag, model = (OTHER if kind in new else name for kind, name in names.items())
        return replace(record, user_id=user_id, feature_tag=feature_tag, model=model or "")

    def _close(self, book: Book, day: int) -> None:
        """Judge the restated days again, oldest first, then the day, then its month; then what is still open."""
        at = ("close", day)
        again = sorted(each for each in book.pending if day - LATER_DAYS <= each < day)
        for each in again:
            judge.fix_flags(book, each)
            self._tell_all(book, day_window(each), at, restated=True)
        judge.fix_flags(book, day)
        for entity in book.on(day):
            book.fix_baseline(entity, day)
        book.closed_through = day
        book.pending -= set(again)
        self._tell_all(book, day_window(day), at, restated=False)
        months = dict.fromkeys(month_of(each) for each in [*again, day])
        for month in months:
            if month.last <= day:
                self._tell_all(book, month, at, restated=month.last < day)
        self._judge_open(book, at)

    def _judge_open(self, book: Book, at: At) -> None:
        """Tell what is new in the open windows: a crossing, a change of type, severity, episode or cause, an end.

        What a close changed waits for the tenant's next record: a revision has one content.
        """
        for window in judge.open_windows(book):
            now = self._found(book, window, closing=False)
            for finding in now:
                last = self._ledger(book).get(finding.key)
                if last is None or not last.stands or not finding.holds or last.finding.news != finding.news:
                    revision = self._revision(book, at, finding, now, restated=False)
                    if last is None or last.revision.line["revision"] != revision.line["revision"]:
                        self._tell(book, revision, finding)

    def _tell_all(self, book: Book, window: Window, at: At, *, restated: bool) -> None:
        """Tell what holds in a window that is closed, and what was told of it and holds no more."""
        now = self._found(book, window, closing=True)
        for finding in now:
            self._tell(book, self._revision(book, at, finding, now, restated=restated), finding)

    def _found(self, book: Book, window: Window, *, closing: bool) -> list[Finding]:
        told = {key: told.finding for key, told in self._ledger(book).items() if told.stands}
        return judge.findings(book, window, told, closing=closing)

    def _tell(self, book: Book, revision: Revision, finding: Finding) -> None:
        self._ledger(book)[finding.key] = _Told(finding, revision)
        self.revisions.append(revision)

    def _revision(self, book: Book, at: At, finding: Finding, beside: Sequence[Finding], *, restated: bool) -> Revision:
        status = "final" if book.closed(finding.key.window.last) else "provisional"
        if not finding.holds:
            status = "withdrawn"
        line = lines.anomaly_line(book, finding, beside, status=status, restated=restated)
        last = self._ledger(book).get(finding.key)
        ever_high = last is not None and last.revision.fact is not None
        if finding.holds and finding.severity == "HIGH":
            ever_high = True
        fact = lines.fact_line(book, line, finding.key.window) if ever_high else None
        return Revision(self._partition, at, line, fact)

    def _ledger(self, book: Book) -> dict[Key, _Told]:
        return self._told.setdefault(book.tenant_id, {})


def _worth_closing(book: Book, through: int) -> Iterable[int]:
    """Return the days not yet closed at whose close anything of the tenant can be judged, in order."""
    held = book.of(book.tenant)
    days = {day + later for day in held for later in range(LATER_DAYS + 1)} | {month_of(day).last for day in held}
    return sorted(day for day in days if day <= through and not book.closed(day))
