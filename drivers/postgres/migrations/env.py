"""Alembic's entry: runs the revisions on the connection, and in the transaction, that ``migrate`` opened."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from drivers.postgres.schema import metadata


def run() -> None:
    """Run what Alembic was asked for."""
    connection = context.config.attributes.get("connection")
    if not isinstance(connection, Connection):
        raise TypeError("run `outlay migrate`: revisions run on the connection it opens")
    context.configure(connection=connection, target_metadata=metadata)
    context.run_migrations()


run()
