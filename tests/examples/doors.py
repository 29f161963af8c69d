"""A door to a broker that opens when it is told to: until then nobody answers at its address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator


def unanswered() -> str:
    """Return an address of this machine where nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


@contextlib.asynccontextmanager
async def opened(address: str, broker: str) -> AsyncIterator[None]:
    """Let *address* lead to *broker* while the block runs."""

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection(*broker.split(":"))
        await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))

    host, _, port = address.partition(":")
    server = await asyncio.start_server(through, host, int(port))
    try:
        yield
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
