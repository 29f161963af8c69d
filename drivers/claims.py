"""Whether a position and a log belong together: the one rule of every claim.

A partition is claimed only on the log its state was built from; anything else waits for an operator.
"""

from __future__ import annotations

from dataclasses import dataclass

from engines.core.model import LogBounds, Position, TopicPartition

HINT = "see `outlay positions accept`"


@dataclass(frozen=True, slots=True)
class TopicPin:
    """What the first claim of a topic fixed for all of its partitions; "" means not known yet."""

    topic: str
    partitions: int
    cluster_id: str
    topic_id: str


def pin_of(topic: str, log: LogBounds) -> TopicPin:
    """Return the pin that a first claim on *log* makes."""
    return TopicPin(topic, log.partitions, log.cluster_id, log.topic_id)


def completed(pin: TopicPin, log: LogBounds) -> TopicPin:
    """Return *pin* with the ids it lacks taken from *log*."""
    return TopicPin(pin.topic, pin.partitions, pin.cluster_id or log.cluster_id, pin.topic_id or log.topic_id)


def refusal(pin: TopicPin, position: Position, log: LogBounds) -> str | None:
    """Return why *position* must not go on with *log*, None when it may; ids of "" are never compared."""
    problem = _differing_log(pin, position, log)
    if problem is None and not log.start <= position.next_offset <= log.end:
        problem = f"position {position.next_offset} lies outside the log, {log.start} to {log.end}"
    return None if problem is None else f"{_name(position.tp)}: {problem}; {HINT}"


def _differing_log(pin: TopicPin, position: Position, log: LogBounds) -> str | None:
    if pin.partitions != log.partitions:
        return f"the topic has {log.partitions} partitions, the state was built with {pin.partitions}"
    for what, here, known in (
        ("cluster", log.cluster_id, (pin.cluster_id, position.cluster_id)),
        ("topic", log.topic_id, (pin.topic_id, position.topic_id)),
    ):
        if here and any(there not in ("", here) for there in known):
            there = next(there for there in known if there not in ("", here))
            return f"the {what} id is {here}, the state was built from {there}"
    return None


def _name(tp: TopicPartition) -> str:
    return f"{tp.topic}/{tp.partition}"
