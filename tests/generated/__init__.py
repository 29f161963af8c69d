"""Log streams made of what breaks programs; `tests.strategies` is the way in."""

from tests.generated.dice import Dice
from tests.generated.events import Event
from tests.generated.quiet import build_quiet
from tests.generated.rich import Rich, build_rich
from tests.generated.spoiled import FAULTS, every_fault, faulty, spoiled
from tests.generated.streams import DISORDER_MAX_US, Shape, build

__all__ = [
    "DISORDER_MAX_US",
    "FAULTS",
    "Dice",
    "Event",
    "Rich",
    "Shape",
    "build",
    "build_quiet",
    "build_rich",
    "every_fault",
    "faulty",
    "spoiled",
]
