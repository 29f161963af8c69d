"""The rules under simulation: those of costs, which note what was known of the settings, and may be made to fail."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from engines.core.model import Context, Effects, SettingRow
from engines.core.ports import Event, Pages
from engines.core.time import US_PER_DAY
from engines.cost.domain import CostDomain
from engines.cost.event import CostEvent
from engines.cost.fold import NO_LIMITS, FoldLimits
from engines.cost.prices import UNKNOWN_MODEL, UNKNOWN_PROVIDER, Unpriced
from engines.cost.rules import STANDARD
from engines.cost.settings import CostSettings
from engines.runs.domain import RunsDomain
from engines.runs.event import OUTCOMES, RunEvent
from tests.simulation.faults import Kind

_TYPES = {outcome: kind for kind, outcome in OUTCOMES.items()}
FOLDED_KNOWING = "folded knowing."
"""Prefix of counters in the position: accepted records, by the newest settings row that was known when they were."""


class NoPrices:
    """Knows no model: a record without a cost stays unpriced."""

    version = "none"

    def price_of(self, event: CostEvent) -> int | Unpriced:
        """Return the reason, by the provider's name."""
        return UNKNOWN_PROVIDER if (event.provider or "").startswith("no-such") else UNKNOWN_MODEL


class _Settings(CostSettings):
    """Settings that know up to which row they go."""

    def __init__(self, rows: Sequence[SettingRow]) -> None:
        super().__init__(rows, STANDARD)
        self.newest = rows[-1].seq if rows else 0


class Died(BaseException):
    """The process is gone: no code of ours may catch it."""


Identity = tuple[object, ...]
"""Tenant, source, id and UTC day, and of a run's event its type where that counts: what a record is known by."""


def identity_of(event: Event) -> Identity:
    """Return what *event* is known by, as the oracle of its domain has it."""
    known = event.tenant_id, event.source, event.id, event.occurred_at // US_PER_DAY
    return (*known, _TYPES[event.outcome] if event.is_id_default else None) if isinstance(event, RunEvent) else known


class Harm:
    """Records that do harm when they are folded.

    Args:
        poison: folding them fails, after pages have been changed.
        killers: folding them kills the process.
    """

    def __init__(self, poison: Collection[Identity], killers: Collection[Identity]) -> None:
        self.struck: Callable[[Kind], None] = lambda _kind: None
        """Hears of what failed; when it is a kill, it kills the node that runs."""
        self._poison = frozenset(poison)
        self._killers = frozenset(killers)

    def strike(self, folded: Iterable[Sequence[Event]]) -> None:
        """Fail when one of those that were *folded* does harm."""
        if not (self._poison or self._killers):
            return
        known = {identity_of(event) for of_tenant in folded for event in of_tenant}
        if not self._killers.isdisjoint(known):
            self.struck(Kind.KILLED)
            raise Died
        if not self._poison.isdisjoint(known):
            self.struck(Kind.POISON)
            raise ValueError("poison")


class SimDomain(CostDomain):
    """The cost rules; what they count is committed with the state, so that it is rolled back with it, too.

    Args:
        poison, killers: see ``Harm``.
        limits: of folding.
    """

    def __init__(
        self,
        poison: Collection[Identity] = (),
        killers: Collection[Identity] = (),
        limits: FoldLimits = NO_LIMITS,
    ) -> None:
        super().__init__(NoPrices(), STANDARD, limits)
        self.harm = Harm(poison, killers)

    def settings(self, rows: Sequence[SettingRow]) -> CostSettings:
        """Return the rows as they are looked up."""
        return _Settings(rows)

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        """Fold *events*, and fail when one of them is poison."""
        effects = super().fold(pages, events, context)
        self.harm.strike(events.values())
        assert isinstance(context.settings, _Settings)
        effects.count(f"{FOLDED_KNOWING}{context.settings.newest}", sum(map(len, events.values())))
        return effects


class SimRuns(RunsDomain):
    """The rules of runs; see ``SimDomain``."""

    def __init__(
        self, poison: Collection[Identity] = (), killers: Collection[Identity] = (), *, calibrated: bool = False
    ) -> None:
        super().__init__(calibrated=calibrated)
        self.harm = Harm(poison, killers)

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        """Fold *events*, and fail when one of them is poison."""
        effects = super().fold(pages, events, context)
        self.harm.strike(events.values())
        return effects
