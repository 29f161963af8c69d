"""Series of daily spend whose truth is known."""

import math
import random
from collections.abc import Callable

from engines.core.time import day_of, parse_instant

FIRST_DAY = day_of(parse_instant("2025-01-01T00:00:00Z"))
DAYS = 243
"""January to August."""
UNIT = 10_000_000
WEEK = (1.2, 1.3, 1.3, 1.2, 1.0, 0.15, 0.1)

Spend = Callable[[random.Random, int], float]


def steady(dice: random.Random, _day: int) -> float:
    return dice.gammavariate(4, 25)


def weekly(dice: random.Random, day: int) -> float:
    return WEEK[day % 7] * 100 * dice.lognormvariate(0, 0.4)


def growing(dice: random.Random, day: int) -> float:
    return weekly(dice, day) * math.exp(0.006 * day)


def sparse(dice: random.Random, _day: int) -> float:
    return 100 * dice.lognormvariate(0, 0.8) if dice.random() < 0.4 else 0.0


def heavy(dice: random.Random, _day: int) -> float:
    return 100 * dice.lognormvariate(0, 1.2)


class Bursts:
    """Days of ten times the usual spend come in runs of a week or so."""

    def __init__(self) -> None:
        self._on = False

    def __call__(self, dice: random.Random, _day: int) -> float:
        if dice.random() < (0.15 if self._on else 0.06):
            self._on = not self._on
        return (600 if self._on else 60) * dice.lognormvariate(0, 0.6)


class Wandering:
    """A level that walks, 8 % a day."""

    def __init__(self) -> None:
        self._log = 0.0

    def __call__(self, dice: random.Random, day: int) -> float:
        self._log += dice.gauss(0, 0.08)
        return weekly(dice, day) * math.exp(self._log)


class Stepping:
    """A level that stays for a month or so and then is another at once, in three of ten cases next to none."""

    def __init__(self) -> None:
        self._level = 1.0

    def __call__(self, dice: random.Random, _day: int) -> float:
        if dice.random() < 1 / 30:
            self._level = 0.02 if dice.random() < 0.3 else math.exp(dice.gauss(0, 1.5))
        return self._level * sparse(dice, 0)


KINDS: dict[str, Callable[[], Spend]] = {
    "steady": lambda: steady,
    "weekly": lambda: weekly,
    "growing": lambda: growing,
    "sparse": lambda: sparse,
    "heavy": lambda: heavy,
    "bursts": Bursts,
    "wandering": Wandering,
    "stepping": Stepping,
}


def spent(kind: str, seed: int, days: int = DAYS) -> list[int]:
    """Return *days* of spend of a series, nano-USD."""
    dice, spend = random.Random(f"{kind} {seed}"), KINDS[kind]()
    return [round(spend(dice, day) * UNIT) for day in range(days)]
