"""The projection tables: what people query, by name, columns and key.

Drivers build their upserts from this list and migrations create the same columns; a test holds them equal.
The column ``partition`` comes first in every table and every key (each row has one writing input partition).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["text", "int", "numeric", "timestamp_us", "bool", "json", "float"]
"""``numeric`` is an exact integer without bound; ``timestamp_us`` an instant given in µs since the epoch."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column after ``partition``."""

    name: str
    type: ColumnType
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A projection.

    Attributes:
        columns: those after ``partition``.
        key_columns: how many of the first ones make the key with it.
        always_true: columns in which a store takes no other value.
    """

    name: str
    columns: tuple[Column, ...]
    key_columns: int
    always_true: tuple[str, ...] = ()


SNAPSHOTS = Table(
    "snapshots",
    (
        Column("tenant_id", "text"),
        Column("window_kind", "text"),  # hour | day
        Column("start_at", "timestamp_us"),
        Column("entity_type", "text"),  # tenant | user | feature | model
        Column("entity_id", "text"),
        Column("requests", "int"),
        Column("unpriced_requests", "int"),
        Column("retry_requests", "int"),
        Column("input_tokens", "numeric"),
        Column("cached_input_tokens", "numeric"),
        Column("output_tokens", "numeric"),
        Column("cost_nanousd", "numeric", nullable=True),  # null when nothing was priced
        Column("baseline_nanousd", "numeric", nullable=True),  # days only, fixed at close
        Column("restated", "bool"),
        Column("as_of_offset", "int"),
    ),
    key_columns=5,
)

ANOMALIES = Table(
    "anomalies",
    (
        Column("anomaly_id", "text"),
        Column("revision", "int"),
        Column("window_start", "timestamp_us"),  # part of the key, as the table is partitioned by it
        Column("tenant_id", "text"),
        Column("anomaly_type", "text"),
        Column("severity", "text"),
        Column("entity_type", "text"),
        Column("entity_id", "text"),
        Column("window_end", "timestamp_us"),
        Column("period", "text", nullable=True),
        Column("status", "text"),  # provisional | final | withdrawn
        Column("current_nanousd", "numeric", nullable=True),
        Column("expected_nanousd", "numeric", nullable=True),
        Column("deviation_pct", "float"),
        Column("breach_count", "int"),
        Column("derived_cause", "text"),
        Column("message", "text"),
        Column("line", "json"),  # the whole anomaly line, CONTRACT §5
    ),
    key_columns=3,
)

PATTERN_FEEDBACK = Table(
    "pattern_feedback",
    (
        Column("feedback_id", "text"),
        Column("revision", "int"),
        Column("as_of", "timestamp_us"),  # part of the key, as the table is partitioned by it
        Column("tenant_id", "text"),
        Column("pattern_type", "text"),  # failure_pattern | cost_spike
        Column("severity", "text"),
        Column("status", "text"),  # active | cleared; of a spike provisional | final | withdrawn
        Column("active", "bool"),
        Column("signature", "text"),
        Column("worker_id", "text"),
        Column("occurrence_count", "int"),
        Column("active_since", "timestamp_us"),
        Column("line", "json"),  # the whole feedback line, CONTRACT §7
    ),
    key_columns=3,
)

PREDICTION_EVENTS = Table(
    "prediction_events",
    (
        Column("prediction_id", "text"),
        Column("revision", "int"),
        Column("as_of", "timestamp_us"),  # part of the key, as the table is partitioned by it
        Column("tenant_id", "text"),
        Column("prediction_type", "text"),  # failure_likelihood | cost_overrun
        Column("subject_type", "text"),  # worker
        Column("subject_id", "text"),
        Column("status", "text"),  # active | superseded | withdrawn | expired
        Column("confidence_score", "float"),
        Column("expires_at", "timestamp_us"),
        Column("is_advisory", "bool"),
        Column("line", "json"),  # the whole prediction line, CONTRACT §7
    ),
    key_columns=3,
    always_true=("is_advisory",),  # nothing but an envelope may act on a prediction
)

SPEND_FORECASTS = Table(  # of costs, as each table has one input topic that writes it
    "spend_forecasts",
    PREDICTION_EVENTS.columns,  # prediction_type month_end_spend; subject_type tenant | feature | user; status active
    key_columns=3,
    always_true=("is_advisory",),
)

TABLES: dict[str, Table] = {
    table.name: table for table in (SNAPSHOTS, ANOMALIES, PATTERN_FEEDBACK, PREDICTION_EVENTS, SPEND_FORECASTS)
}
