"""How a claim ends before its owner does: said from one of its tasks to the others."""

from __future__ import annotations


class Fenced(Exception):
    """Another worker owns the partition now."""


class Rewound(Exception):
    """The database is not where this owner left it: start again from the position it has."""


class LogChanged(Exception):
    """The log is not the one that was claimed: another topic of its name, or another number of partitions."""


class ClaimOver(Exception):
    """The claim that this work was for has ended; whatever was folded is gone, the position stands."""
