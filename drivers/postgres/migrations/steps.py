"""What revisions that contract have in common.

Such a revision says ``contract = True``. ``outlay migrate`` leaves it, and what comes after it, until it is asked for.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_LOCK = "LOCK TABLE positions IN SHARE ROW EXCLUSIVE MODE"  # waits for claims and commits under way, holds off others
_FENCE = """
UPDATE positions SET version = version + 1,
    epoch = greatest(epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
"""


def retire(oldest: int) -> None:
    """Let no code work here any more that does not know revision *oldest*; comes first in a revision that contracts.

    Whoever works on a partition is fenced and must claim it again; then old code refuses and ends, and new code
    learns that only new code reads what it writes.
    """
    op.execute(sa.text(_LOCK))
    op.execute(sa.text("UPDATE schema_range SET oldest = :oldest").bindparams(oldest=oldest))
    op.execute(sa.text(_FENCE))
