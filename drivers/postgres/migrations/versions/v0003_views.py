"""Views for reading spend, baselines, budgets and the history of anomalies; ``window`` is now ``window_kind``.

The column needed quotes in every query. Views hold no data: nothing is moved, and each is locked for a moment only.
"""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

HERE = Path(__file__).parent
FORMER = ("progress", "anomalies_current", "spend_by_day", "snapshot_lines")
VIEWS = ("budget_usage", "budgets_current", "baselines", "spend_today", *FORMER, "anomaly_history")
FUNCTIONS = (
    "budget_usage_on(date)",
    "budgets_before(timestamptz)",
    "spend_on(date)",
    "start_of(date)",
    "latest_day()",
)


def upgrade() -> None:
    _drop("VIEW", FORMER)
    _run("v0003_views.sql")


def downgrade() -> None:
    _drop("VIEW", VIEWS)
    _drop("FUNCTION", FUNCTIONS)
    _run("v0001_views.sql")


def _drop(kind: str, names: tuple[str, ...]) -> None:
    for name in names:
        op.execute(sa.text(f"DROP {kind} {name}"))


def _run(file: str) -> None:
    for statement in re.split(r";\s*\n", (HERE / file).read_text("utf-8")):
        if statement.strip():
            op.execute(sa.text(statement.replace(":", r"\:")))
