"""What a fault left behind, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """One row of the programme's table.

    Attributes:
        fault: its name.
        times: how often it struck.
        kills: how many processes it ended with SIGKILL.
        events: records taken in, forwarded ones at each end.
        lost: records that the oracle counts and the deployment does not.
        double: records that the deployment counts more often than the oracle.
        differing: lines that are not the oracle's.
        stall_s: the longest time in which nothing was taken in under load.
        note: what happened, in a few words.
    """

    fault: str
    times: int = 0
    kills: int = 0
    events: int = 0
    lost: int = 0
    double: int = 0
    differing: int = 0
    stall_s: float = 0.0
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, counted twice or told otherwise."""
        return not (self.lost or self.double or self.differing)
