"""The oracle: a plain, slow reading of the contract, written without sight of the engines."""

from tests.oracle.keeper import Revision
from tests.oracle.lines import Line, anomaly_id, comparable, episode_id, order
from tests.oracle.placement import home, murmur2, partition_of
from tests.oracle.program import (
    Options,
    Outcome,
    PartitionEnd,
    Publication,
    evaluate,
    judged,
    publications,
    revisions,
)
from tests.oracle.records import Bad, LogRecord, Record, decode, parse_time
from tests.oracle.settings import NUMBERS, Profile, Setting
from tests.oracle.walk import Price, forwarded_copies, no_prices, placed

__all__ = [
    "NUMBERS",
    "Bad",
    "Line",
    "LogRecord",
    "Options",
    "Outcome",
    "PartitionEnd",
    "Price",
    "Profile",
    "Publication",
    "Record",
    "Revision",
    "Setting",
    "anomaly_id",
    "comparable",
    "decode",
    "episode_id",
    "evaluate",
    "forwarded_copies",
    "home",
    "judged",
    "murmur2",
    "no_prices",
    "order",
    "parse_time",
    "partition_of",
    "placed",
    "publications",
    "revisions",
]
