"""The oracle of runs: a plain, slow reading of CONTRACT §7, written without sight of the engine."""

from tests.oracle.runs.lines import comparable, feedback_order, prediction_order
from tests.oracle.runs.program import End, Outcome, evaluate, whole_hours
from tests.oracle.runs.record import Run, decode
from tests.oracle.runs.tenant import Acknowledgement, Line
from tests.oracle.runs.walk import Judged, forwarded_copies

__all__ = [
    "Acknowledgement",
    "End",
    "Judged",
    "Line",
    "Outcome",
    "Run",
    "comparable",
    "decode",
    "evaluate",
    "feedback_order",
    "forwarded_copies",
    "prediction_order",
    "whole_hours",
]
