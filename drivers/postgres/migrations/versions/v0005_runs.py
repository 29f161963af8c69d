"""Feedback on runs and predictions: their tables, and views for reading them.

Expands: all that code of revision 0004 uses stays as it is; the two functions of time partitions learn of the new
tables. ``progress`` tells of each topic's own windows, which are hours for runs.
"""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from engines.core.errors import SettingsError

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CODE_POINTS = sa.Text(collation="C")
INSTANT = sa.TIMESTAMP(timezone=True)
HERE = Path(__file__).parent


def upgrade() -> None:
    _pattern_feedback()
    _prediction_events()
    connection = op.get_bind()
    schema = connection.scalar(sa.text("SELECT quote_ident(current_schema())"))
    script = (HERE / "v0005_partitions.sql").read_text("utf-8").replace("{schema}", str(schema))
    for function in re.split(r"^;$", script, flags=re.MULTILINE):
        connection.exec_driver_sql(function)
    for statement in re.split(r";\s*\n", (HERE / "v0005_views.sql").read_text("utf-8")):
        if statement.strip():
            op.execute(sa.text(statement.replace(":", r"\:")))


def downgrade() -> None:
    raise SettingsError("code of revision 0004 works with this one: there is no need to go back")


def _pattern_feedback() -> None:
    op.create_table(
        "pattern_feedback",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("feedback_id", CODE_POINTS, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("tenant_id", CODE_POINTS, nullable=False),
        sa.Column("pattern_type", CODE_POINTS, nullable=False),
        sa.Column("severity", CODE_POINTS, nullable=False),
        sa.Column("status", CODE_POINTS, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("signature", CODE_POINTS, nullable=False),
        sa.Column("worker_id", CODE_POINTS, nullable=False),
        sa.Column("occurrence_count", sa.BigInteger(), nullable=False),
        sa.Column("active_since", INSTANT, nullable=False),
        sa.Column("line", pg.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "feedback_id", "revision", "as_of"),
        postgresql_partition_by="RANGE (as_of)",
    )


def _prediction_events() -> None:
    op.create_table(
        "prediction_events",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("prediction_id", CODE_POINTS, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.Column("tenant_id", CODE_POINTS, nullable=False),
        sa.Column("prediction_type", CODE_POINTS, nullable=False),
        sa.Column("subject_type", CODE_POINTS, nullable=False),
        sa.Column("subject_id", CODE_POINTS, nullable=False),
        sa.Column("status", CODE_POINTS, nullable=False),
        sa.Column("confidence_score", sa.Double(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("is_advisory", sa.Boolean(), nullable=False),
        sa.Column("line", pg.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "prediction_id", "revision", "as_of"),
        sa.CheckConstraint("is_advisory", name="prediction_events_is_advisory"),
        postgresql_partition_by="RANGE (as_of)",
    )
