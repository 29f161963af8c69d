"""Log streams made of what breaks programs; `tests.strategies` is the way in."""

from tests.generated.dice import Dice
from tests.generated.events import Event
from tests.generated.spoiled import FAULTS, faulty, spoiled
from tests.generated.streams import DISORDER_MAX_US, Shape, build

__all__ = ["DISORDER_MAX_US", "FAULTS", "Dice", "Event", "Shape", "build", "faulty", "spoiled"]
