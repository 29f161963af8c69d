"""The first tables: positions, pages, identities, outbox, the projections, and the views people read."""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

CODE_POINTS = sa.Text(collation="C")
INSTANT = sa.TIMESTAMP(timezone=True)
VIEWS = Path(__file__).with_name("v0001_views.sql")
TUNING = Path(__file__).with_name("v0001_tuning.sql")


def upgrade() -> None:
    _positions()
    _state()
    _snapshots()
    _anomalies()
    for script in (TUNING, VIEWS):
        for statement in re.split(r";\s*\n", script.read_text("utf-8")):
            if statement.strip():
                op.execute(sa.text(statement.replace(":", r"\:")))


def downgrade() -> None:
    for view in ("progress", "anomalies_current", "spend_by_day", "snapshot_lines"):
        op.execute(sa.text(f"DROP VIEW {view}"))
    for table in ("anomalies", "snapshots", "outbox", "id_blocks", "pages", "topics", "positions"):
        op.drop_table(table)


def _positions() -> None:
    op.create_table(
        "positions",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("topic", CODE_POINTS, nullable=False),
        sa.Column("cluster_id", CODE_POINTS, nullable=False),
        sa.Column("topic_id", CODE_POINTS, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("watermark_us", sa.BigInteger()),
        sa.Column("last_append_ms", sa.BigInteger()),
        sa.Column("closed_through", sa.Integer()),
        sa.Column("closing_day", sa.Integer()),
        sa.Column("closing_cursor", CODE_POINTS),
        sa.Column("outbox_seq", sa.BigInteger(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.Column("projected", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("released", sa.Boolean(), nullable=False),
        sa.Column("attempt_offset", sa.BigInteger()),
        sa.Column("attempt_limit", sa.Integer()),
        sa.Column("attempt_until", sa.BigInteger()),
        sa.Column("attempt_tries", sa.Integer()),
        sa.Column("counts", pg.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "topic"),
    )
    op.create_table(
        "topics",
        sa.Column("topic", CODE_POINTS, nullable=False),
        sa.Column("partitions", sa.Integer(), nullable=False),
        sa.Column("cluster_id", CODE_POINTS, nullable=False),
        sa.Column("topic_id", CODE_POINTS, nullable=False),
        sa.PrimaryKeyConstraint("topic"),
    )


def _state() -> None:
    op.create_table(
        "pages",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("topic", CODE_POINTS, nullable=False),
        sa.Column("kind", CODE_POINTS, nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("tenant_id", CODE_POINTS, nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "topic", "kind", "bucket", "tenant_id", "page"),
    )
    op.create_index("pages_as_of", "pages", ["as_of", "partition", "topic"])
    op.create_table(
        "id_blocks",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("topic", CODE_POINTS, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("end_offset", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "topic", "day", "end_offset"),
    )
    op.create_table(
        "outbox",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("topic", CODE_POINTS, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("out_topic", CODE_POINTS, nullable=False),
        sa.Column("key", sa.LargeBinary()),
        sa.Column("value", sa.LargeBinary()),
        sa.Column("headers", sa.LargeBinary(), nullable=False),
        sa.Column("route", sa.LargeBinary()),
        sa.Column("out_partition", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "topic", "seq"),
    )


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("tenant_id", CODE_POINTS, nullable=False),
        sa.Column("window_kind", CODE_POINTS, nullable=False),
        sa.Column("start_at", INSTANT, nullable=False),
        sa.Column("entity_type", CODE_POINTS, nullable=False),
        sa.Column("entity_id", CODE_POINTS, nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_requests", sa.BigInteger(), nullable=False),
        sa.Column("retry_requests", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.Numeric(), nullable=False),
        sa.Column("cached_input_tokens", sa.Numeric(), nullable=False),
        sa.Column("output_tokens", sa.Numeric(), nullable=False),
        sa.Column("cost_nanousd", sa.Numeric()),
        sa.Column("baseline_nanousd", sa.Numeric()),
        sa.Column("restated", sa.Boolean(), nullable=False),
        sa.Column("as_of_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "tenant_id", "window_kind", "start_at", "entity_type", "entity_id"),
    )
    op.create_index(
        "snapshots_tenant_days",
        "snapshots",
        ["start_at", "tenant_id"],
        postgresql_where=sa.text("window_kind = 'day' AND entity_type = 'tenant'"),
    )


def _anomalies() -> None:
    op.create_table(
        "anomalies",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("anomaly_id", CODE_POINTS, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", CODE_POINTS, nullable=False),
        sa.Column("anomaly_type", CODE_POINTS, nullable=False),
        sa.Column("severity", CODE_POINTS, nullable=False),
        sa.Column("entity_type", CODE_POINTS, nullable=False),
        sa.Column("entity_id", CODE_POINTS, nullable=False),
        sa.Column("window_start", INSTANT, nullable=False),
        sa.Column("window_end", INSTANT, nullable=False),
        sa.Column("period", CODE_POINTS),
        sa.Column("status", CODE_POINTS, nullable=False),
        sa.Column("current_nanousd", sa.Numeric()),
        sa.Column("expected_nanousd", sa.Numeric()),
        sa.Column("deviation_pct", sa.Double(), nullable=False),
        sa.Column("breach_count", sa.BigInteger(), nullable=False),
        sa.Column("derived_cause", CODE_POINTS, nullable=False),
        sa.Column("message", CODE_POINTS, nullable=False),
        sa.Column("line", pg.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "anomaly_id", "revision"),
    )
