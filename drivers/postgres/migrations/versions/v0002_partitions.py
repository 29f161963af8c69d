"""Settings rows, and the big tables partitioned by time.

State of the version before cannot be read by engines of this one: it is emptied on request (``outlay migrate
--rebuild``), never silently. So no row is moved here, and the old tables are dropped while they are empty. Takes an
exclusive lock on each for a moment; workers must be stopped.
"""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from engines.core.errors import SettingsError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CODE_POINTS = sa.Text(collation="C")
INSTANT = sa.TIMESTAMP(timezone=True)
HERE = Path(__file__).parent
VIEWS = ("progress", "anomalies_current", "spend_by_day", "snapshot_lines")
STATE = ("positions", "pages", "id_blocks", "outbox", "snapshots", "anomalies")
NEW_KEYS = {
    "pages": ("bucket", ("partition", "topic", "kind", "bucket", "tenant_id", "page")),
    "id_blocks": ("day", ("partition", "topic", "day", "end_offset")),
    "snapshots": ("start_at", ("partition", "tenant_id", "window_kind", "start_at", "entity_type", "entity_id")),
    "anomalies": ("window_start", ("partition", "anomaly_id", "revision", "window_start")),
}

LEDGERS = "toast_tuple_target = 8160, fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05"
COMMENTS = {
    "settings": "Budgets, tags and rules as they were set: rows are appended, never changed.",
    "settings_head": "One row: the newest sequence number in settings. A writer locks it; a close shares it.",
}


def upgrade() -> None:
    connection = op.get_bind()
    held = [
        table for table in STATE if connection.scalar(sa.select(sa.exists(sa.select(1).select_from(sa.table(table)))))
    ]
    if held:
        raise SettingsError(
            f"the tables {', '.join(held)} hold state of an earlier version, which must be built anew from the log:"
            " stop all workers and run `outlay migrate --rebuild`"
        )
    for view in VIEWS:
        op.execute(sa.text(f"DROP VIEW {view}"))
    for table, (column, key) in NEW_KEYS.items():
        _partition(table, column, key)
    op.add_column("positions", sa.Column("settings_seq", sa.BigInteger(), nullable=False, server_default="0"))
    op.alter_column("positions", "settings_seq", server_default=None)
    _indexes()
    _settings()
    _functions(connection)
    _run((HERE / "v0001_views.sql").read_text("utf-8"))
    for table, text in COMMENTS.items():
        op.create_table_comment(table, text)


def downgrade() -> None:
    raise SettingsError("tables partitioned by time do not go back: restore the database from before")


def _partition(table: str, column: str, key: tuple[str, ...]) -> None:
    """Put an empty table of the same columns, partitioned by *column*, in the place of *table*."""
    op.execute(sa.text(f"ALTER TABLE {table} RENAME TO {table}_before"))
    op.execute(sa.text(f"CREATE TABLE {table} (LIKE {table}_before INCLUDING STORAGE) PARTITION BY RANGE ({column})"))
    op.execute(sa.text(f"DROP TABLE {table}_before"))
    op.create_primary_key(f"{table}_pkey", table, list(key))


def _indexes() -> None:
    op.create_index("pages_as_of", "pages", ["as_of", "partition", "topic"])
    op.create_index(
        "snapshots_tenant_days",
        "snapshots",
        ["start_at", "tenant_id"],
        postgresql_where=sa.text("window_kind = 'day' AND entity_type = 'tenant'"),
    )


def _settings() -> None:
    op.create_table(
        "settings",
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("kind", CODE_POINTS, nullable=False),
        sa.Column("tenant_id", CODE_POINTS, nullable=False),
        sa.Column("effective_at", INSTANT),
        sa.Column("body", pg.JSONB(), nullable=False),
        sa.Column("appended_at", INSTANT, nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table("settings_head", sa.Column("seq", sa.BigInteger(), nullable=False))
    op.execute(sa.text("INSERT INTO settings_head (seq) VALUES (0)"))


def _functions(connection: sa.Connection) -> None:
    schema = connection.scalar(sa.text("SELECT quote_ident(current_schema())"))
    script = (HERE / "v0002_partitions.sql").read_text("utf-8").replace("{schema}", str(schema))
    for function in re.split(r"^;$", script, flags=re.MULTILINE):
        connection.exec_driver_sql(function)
    op.execute(sa.text(f"CREATE TABLE pages_timeless PARTITION OF pages FOR VALUES FROM (0) TO (1) WITH ({LEDGERS})"))


def _run(script: str) -> None:
    for statement in re.split(r";\s*\n", script):
        if statement.strip():
            op.execute(sa.text(statement.replace(":", r"\:")))
