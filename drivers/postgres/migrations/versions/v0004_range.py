"""Which code may work with the schema, so that from here on old and new workers may run side by side.

Workers of the version before know no such range: they must be stopped for this revision.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("schema_range", sa.Column("oldest", sa.Integer(), nullable=False))
    op.execute(sa.text("INSERT INTO schema_range (oldest) VALUES (4)"))
    comment = "One row: code that knows this revision of the schema, or a later one, may work here."
    op.create_table_comment("schema_range", comment)


def downgrade() -> None:
    op.drop_table("schema_range")
