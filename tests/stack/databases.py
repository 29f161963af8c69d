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
    url = new_database(stack, template)
    try:
        yield url
    finally:
        _execute(stack, f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


def new_database(stack: Stack, template: str | None = None) -> str:
    """Create a database that stays as long as its server; return its SQLAlchemy URL. See `fresh_database`."""
    name = f"t_{secrets.token_hex(6)}"
    _execute(stack, f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    return stack.database_url.rpartition("/")[0] + f"/{name}"


def _execute(stack: Stack, statement: str) -> None:
    async def on_own_connection() -> None:
        connection = await asyncpg.connect(stack.database_url.replace("+asyncpg", ""))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as aside:  # a loop of its own, whatever runs in this thread
        aside.submit(asyncio.run, on_own_connection()).result()
