"""Every message that goes in or out, as others meet it: its schema, key, headers and topic (CONTRACT §1, §5).

One list, from which ``outlay schemas``, ``outlay asyncapi`` and the tables of ``docs/events`` are made; tests hold it
to ``topics.yaml`` and to what is published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from engines.core.described import Count, Described, Id, Time, described
from engines.core.errors import SettingsError
from engines.cost import record
from engines.cost.published import CostAnomalyFact, CostSnapshotLine
from engines.runs import record as run_record
from engines.runs.event import OUTCOMES
from engines.runs.published import PatternFeedback, WorkerPrediction

_BASE64: Final = {"contentEncoding": "base64"}

Base64 = Annotated[str, Field(json_schema_extra=_BASE64)]
Header = Annotated[list[str | None], Field(min_length=2, max_length=2)]


class DeadLetter(Described):
    """A record that was refused, whole, with the reason. Nothing else stops because of it.

    Mend the producer, or send the record again with `outlay dead-letters retry`.
    """

    topic: Id
    """Where the record lay."""
    partition: Count
    """Where the record lay."""
    offset: Count
    """Where the record lay."""
    key: Base64 | None
    """The record's key, base64; null when it had none."""
    headers: list[Header]
    """The record's headers in their order: lists of name and value, the value base64 or null."""
    field: str | None
    """The member to blame; null when it is the record as a whole."""
    reason: Id
    """What is wrong with it; the traceback when it made the code fail."""
    value_base64: Base64 | None
    """The record's value, byte for byte, base64; null when it had none."""


class LateRecord(Described):
    """A record that came when its day was closed, or its hour. It says whether the record still counted."""

    tenant_id: Id
    """Whose record it is; the message's key."""
    source: str
    """CloudEvents source of the record; empty when it named none."""
    id: Id
    """The record's id."""
    occurred_at: Time
    """When it happened."""
    partition: Count
    """Partition of the input topic where the record lies; the header ce_id names the topic."""
    offset: Count
    """Its offset there."""
    reason: Literal["restated", "too_old", "dedup_unknown"]
    """restated: it counted and corrected its day; the others were not counted. Of runs always too_old."""
    cost_nanousd: Count | None
    """What it cost, nano-USD; null when it has no known price."""


@dataclass(frozen=True, slots=True)
class Message:
    """One kind of message.

    Attributes:
        name: as ``topics.yaml`` calls it, and ``ce_type`` if it has no ``types``.
        title: for people.
        schema: makes the JSON Schema of its value.
        key: what its key is, and ``key_schema`` as JSON Schema.
        ce_id, ce_source, ce_time: what these CloudEvents headers hold; a producer's own are optional.
        operation: what Outlay does with it, as AsyncAPI names operations.
        types: what ``ce_type`` may be when one kind of message tells of several kinds of event.
    """

    name: str
    title: str
    schema: Callable[[], dict[str, Any]]
    key: str
    key_schema: dict[str, object]
    ce_id: str
    ce_source: str
    ce_time: str
    operation: str
    types: tuple[str, ...] = ()

    @property
    def comes_in(self) -> bool:
        """Whether others publish it."""
        return self.name in {COST_RECORD, RUN_EVENT}

    @property
    def headers(self) -> dict[str, tuple[str, dict[str, object]]]:
        """The headers: what each holds, and its schema."""
        of_type: dict[str, object] = {"type": "string"}
        time = {**of_type, "format": "date-time"}
        kinds: dict[str, object] = {"enum": list(self.types)} if self.types else {"const": self.name}
        return {
            "ce_specversion": ("CloudEvents version", {**of_type, "const": "1.0"}),
            "ce_id": (self.ce_id, {**of_type, "minLength": 1}),
            "ce_source": (self.ce_source, {**of_type, "format": "uri-reference"}),
            "ce_type": ("kind of event", {**of_type, **kinds}),
            "ce_time": (self.ce_time, time),
            "content-type": ("how the value is written", {**of_type, "const": "application/json"}),
        }


COST_RECORD: Final = "cost-record"
RUN_EVENT: Final = "run-event"
_TENANT_KEY: Final[dict[str, object]] = {"type": "string", "minLength": 1}

MESSAGES: Final = (
    Message(
        COST_RECORD,
        "Cost record",
        record.json_schema,
        "tenant_id, UTF-8",
        _TENANT_KEY,
        "stands in for a missing id",
        "who produced it; part of the record's identity, so never change it for records sent again",
        "stands in for a missing occurred_at",
        "receiveCostRecords",
    ),
    Message(
        RUN_EVENT,
        "Run event",
        run_record.json_schema,
        "tenant_id, UTF-8",
        _TENANT_KEY,
        "stands in for a missing id; without either, run_id and type identify the event",
        "who produced it; part of the event's identity, so never change it for events sent again",
        "stands in for a missing occurred_at",
        "receiveRunEvents",
        tuple(OUTCOMES),
    ),
    Message(
        "cost-anomaly-fact",
        "Cost anomaly fact",
        lambda: described(CostAnomalyFact),
        "anomaly_id, UTF-8",
        {"type": "string", "pattern": "^ca_[0-9a-f]{16}$"},
        "anomaly_id:revision",
        "outlay/cost",
        "observed_at",
        "sendCostAnomalyFacts",
    ),
    Message(
        "cost-snapshot",
        "Cost snapshot",
        lambda: described(CostSnapshotLine),
        "compact JSON list of tenant_id, entity_type, entity_id, window, start",
        {"type": "string", "minLength": 1},
        "key:version",
        "outlay/cost",
        "start",
        "sendCostSnapshots",
    ),
    Message(
        "pattern-feedback",
        "Pattern feedback line",
        lambda: described(PatternFeedback),
        "feedback_id, UTF-8",
        {"type": "string", "pattern": "^pf_[0-9a-f]{16}$"},
        "feedback_id:revision",
        "outlay/runs",
        "as_of",
        "sendPatternFeedback",
    ),
    Message(
        "prediction",
        "Prediction",
        lambda: described(WorkerPrediction),
        "prediction_id, UTF-8",
        {"type": "string", "pattern": "^pr_[0-9a-f]{16}$"},
        "prediction_id:revision",
        "outlay/runs; of month_end_spend outlay/cost",
        "as_of",
        "sendPredictions",
    ),
    Message(
        "dead-letter",
        "Dead letter",
        lambda: described(DeadLetter),
        "topic/partition/offset of the record",
        {"type": "string", "pattern": "^.+/[0-9]+/[0-9]+$"},
        "the key",
        "outlay",
        "append time of the record",
        "sendDeadLetters",
    ),
    Message(
        "late-record",
        "Late record",
        lambda: described(LateRecord),
        "tenant_id, UTF-8",
        _TENANT_KEY,
        "late:topic/partition/offset of the record",
        "outlay",
        "occurred_at",
        "sendLateRecords",
    ),
)
"""What goes in first, then what comes out."""


def message(name: str) -> Message:
    """Return the message *name*. Raises SettingsError when there is none."""
    known = {one.name: one for one in MESSAGES}
    if name in known:
        return known[name]
    nearest = get_close_matches(name, known, n=1)
    hint = f"; {nearest[0]}?" if nearest else f": there are {', '.join(known)}"
    raise SettingsError(f"there is no message {name!r}{hint}")
