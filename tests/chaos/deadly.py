"""``outlay`` with rules that some records kill: ``python -m tests.chaos.deadly worker``.

The hook is here alone: nothing in the product knows of it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Final

from drivers.prices import Prices
from engines.core.model import Context, Effects
from engines.core.ports import Event, Pages
from engines.cost.domain import CostDomain
from engines.cost.fold import NO_LIMITS, FoldLimits
from engines.cost.rules import PROFILES, ProfileName
from streams import app

KILLER: Final = "killer-"
"""A record whose id begins so ends the process that folds it."""


class Deadly(CostDomain):
    """The cost rules in a process that some records kill, after pages have been changed."""

    def fold(self, pages: Pages, events: Mapping[str, Sequence[Event]], context: Context) -> Effects:
        effects = super().fold(pages, events, context)
        if any(event.id.startswith(KILLER) for of_tenant in events.values() for event in of_tenant):
            os.kill(os.getpid(), signal.SIGKILL)
        return effects


def deadly_domain(profile: str, limits: FoldLimits = NO_LIMITS) -> CostDomain:
    """Return such rules."""
    return Deadly(Prices(), PROFILES[ProfileName(profile)], limits)


if __name__ == "__main__":
    app.cost_domain = deadly_domain
    from streams.cli import main

    main()
