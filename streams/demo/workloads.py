"""Who spends what in the demo: seven companies with steady habits, and one too small to bother anybody.

Rates are written down here a second time, as their providers publish them, so that what the demo expects does not
come from the code it checks; a test holds them equal to the price table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Model:
    """A model; rates in nano-USD per token, None when it has no known price.

    Attributes:
        provider: as a record names it; None leaves the price table to conclude it from the model's name.
    """

    name: str
    provider: str | None
    rates: tuple[int, int, int] | None  # input, cached input, output


GPT_4O: Final = Model("gpt-4o", "openai", (2_500, 1_250, 10_000))
GPT_4O_MINI: Final = Model("gpt-4o-mini", None, (150, 75, 600))
O3: Final = Model("o3", "openai", (2_000, 500, 8_000))
OPUS: Final = Model("claude-opus-4-20250514", "anthropic", (15_000, 1_500, 75_000))
SONNET: Final = Model("claude-sonnet-4-20250514", "anthropic", (3_000, 300, 15_000))
FLASH: Final = Model("gemini-2.5-flash", "google", (300, 30, 2_500))
MISTRAL: Final = Model("mistral-large-latest", None, (2_000, 2_000, 6_000))
IN_HOUSE: Final = Model("umbrella-lab-13b", None, None)
ON_PREMISES: Final = Model("llama-3.1-70b", "server-room", None)
STORYBOARD: Final = Model("storyboard-xl", "globex", None)
MODELS: Final = (GPT_4O, GPT_4O_MINI, O3, OPUS, SONNET, FLASH, MISTRAL, IN_HOUSE, ON_PREMISES, STORYBOARD)


@dataclass(frozen=True, slots=True)
class Workload:
    """What one tenant's feature does on an ordinary working day.

    Attributes:
        users: calls are shared among them evenly; None is a job that nobody waits for.
        calls: per user and working day.
        input_tokens, output_tokens: of a middling call.
        cached_pct: share of input tokens read from the provider's cache.
        cost_cents: what the producer says a middling call costs; None leaves it to the price table.
    """

    feature: str
    model: Model
    users: tuple[str | None, ...]
    calls: float
    input_tokens: int
    output_tokens: int
    cached_pct: int = 0
    cost_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """A company.

    Attributes:
        noon: the UTC hour around which its day lies.
        swing: how far a day may be off the ordinary, as a share.
        weekend: what a day of the weekend is of a working day.
        spread: how far a call may be off the middling one in size, as a share.
        offline: the share of calls that arrive days later, because their maker was offline.
    """

    name: str
    noon: int
    workloads: tuple[Workload, ...]
    swing: float = 0.05
    weekend: float = 0.75
    spread: float = 0.3
    offline: float = 0.0


_CODERS: Final = ("bill", "dom", "milton", "peter", "samir")
_AGENTS: Final = ("ana", "ben", "chloe", "dara")

TENANTS: Final = (
    Tenant(
        "acme-support",
        14,
        (
            Workload("reply-drafting", SONNET, _AGENTS, 18, 48_000, 1_800, cached_pct=40),
            Workload("ticket-triage", GPT_4O_MINI, (None,), 70, 2_400, 120),
            Workload("call-summary", GPT_4O, _AGENTS, 5, 22_000, 900),
        ),
    ),
    Tenant(
        "globex-studio",
        17,
        (
            Workload("storyboard-render", STORYBOARD, ("kira", "luis"), 20, 900, 0, cost_cents=45),
            Workload("script-doctor", OPUS, ("kira", "luis", "mona"), 36, 38_000, 3_200, cached_pct=25),
            Workload("caption-check", FLASH, (None,), 30, 6_000, 400),
        ),
    ),
    Tenant(
        "initech-dev",
        13,
        (
            Workload("code-review", OPUS, _CODERS, 26, 34_000, 2_000, cached_pct=50),
            Workload("test-writing", SONNET, _CODERS, 12, 52_000, 6_000, cached_pct=60),
            Workload("commit-messages", GPT_4O_MINI, _CODERS, 9, 3_000, 90),
            Workload("nightly-docs", OPUS, (None,), 48, 10_000, 500),
        ),
    ),
    Tenant(
        "northwind-legal",
        15,
        (
            Workload("contract-review", OPUS, ("ruth", "saul"), 22, 46_000, 2_600),
            Workload("clause-search", MISTRAL, ("ruth", "saul", None), 12, 12_000, 500),
        ),
    ),
    Tenant(
        "umbrella-research",
        9,
        (
            Workload("literature-digest", O3, ("wei", "xenia", "yusuf"), 16, 90_000, 7_000, cached_pct=20),
            Workload("lab-notes", IN_HOUSE, ("wei", "xenia"), 10, 3_500, 600),
            Workload("protein-names", ON_PREMISES, (None,), 8, 1_200, 200),
        ),
    ),
    Tenant(
        "hooli-retail",
        18,
        (
            Workload("product-questions", SONNET, (None,), 70, 70_000, 3_000),
            Workload("image-captions", GPT_4O, (None,), 40, 60_000, 1_500),
            Workload("search-rewrite", GPT_4O_MINI, (None,), 30, 1_500, 60),
        ),
    ),
    Tenant(
        "tyrell-robotics",  # machines: no weekend, and every call like the other
        12,
        (Workload("path-planning", O3, (None,), 60, 110_000, 6_000),),
        swing=0.0,
        weekend=1.0,
        spread=0.0,
    ),
    Tenant(
        "sidewalk-startup",
        20,
        (Workload("launch-posts", GPT_4O, ("zoe",), 24, 4_000, 900),),
        swing=0.9,
        offline=0.05,
    ),
)
