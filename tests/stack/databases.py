"""Throw-away databases on the shared PostgreSQL, so that tests can run side by side."""

import asyncio
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import asyncpg

from tests.stack.stack import Stack


@contextmanager
def fresh_database(stack: Stack, template: str | None = None) -> Iterator[str]:
    """Create a database, empty or a copy of *template*; yield its SQLAlchemy URL; drop it at the end.

    Works with and without a running event loop, so fixtures of any scope may use it.

    Args:
        stack: whose PostgreSQL to use.
        template: the name of a database that nobody is connected to.
    """
    name = f"t_{secrets.token_hex(6)}"
    _execute(stack, f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    try:
        yield stack.database_url.rpartition("/")[0] + f"/{name}"
    finally:
        _execute(stack, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(stack: Stack, statement: str) -> None:
    async def on_own_connection() -> None:
        connection = await asyncpg.connect(stack.database_url.replace("+asyncpg", ""))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as aside:  # a loop of its own, whatever runs in this thread
        aside.submit(asyncio.run, on_own_connection()).result()
