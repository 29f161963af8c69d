"""Feedback on runs, predictions, forecasts of spend: their tables, and views for reading them.

Expands: all that code of revision 0004 uses stays as it is; the two functions of time partitions learn of the new
tables. ``progress`` tells of each topic's own windows, which are hours for runs.
"""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CODE_POINTS = sa.Text(collation="C")
INSTANT = sa.TIMESTAMP(timezone=True)
HERE = Path(__file__).parent


def upgrade() -> None:
    _pattern_feedback()
    _predictions("prediction_events")
    _predictions("spend_forecasts")
    _functions("v0005_partitions.sql")
    _run((HERE / "v0005_views.sql").read_text("utf-8"))


def downgrade() -> None:
    for view in ("feedback_current", "feedback_history", "predictions_current", "prediction_history", "progress"):
        op.execute(sa.text(f"DROP VIEW {view}"))
    op.drop_table("pattern_feedback")
    op.drop_table("prediction_events")
    op.drop_table("spend_forecasts")
    _functions("v0002_partitions.sql")
    _, view, rest = (HERE / "v0003_views.sql").read_text("utf-8").partition("CREATE VIEW progress")
    _run(view + rest.partition("COMMENT ON TABLE")[0])


def _functions(file: str) -> None:
    connection = op.get_bind()
    schema = connection.scalar(sa.text("SELECT quote_ident(current_schema())"))
    script = (HERE / file).read_text("utf-8").replace("{schema}", str(schema))
    for function in re.split(r"^;$", script, flags=re.MULTILINE):
        connection.exec_driver_sql(function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))


def _run(script: str) -> None:
    for statement in re.split(r";\s*\n", script):
        if statement.strip():
            op.execute(sa.text(statement.replace(":", r"\:")))


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


def _predictions(table: str) -> None:
    op.create_table(
        table,
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
        sa.CheckConstraint("is_advisory", name=f"{table}_is_advisory"),
        postgresql_partition_by="RANGE (as_of)",
    )
