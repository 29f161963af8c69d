"""Acknowledgements may be set: code of revision 0004, which takes every settings row for one of costs, works no more.

Contracts: changes no table.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from drivers.postgres.migrations import steps

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
contract = True


def upgrade() -> None:
    steps.retire(5)


def downgrade() -> None:
    op.execute(sa.text("UPDATE schema_range SET oldest = 4"))
