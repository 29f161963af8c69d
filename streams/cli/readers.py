"""Readers of what is told of runs, lent to the commands that show it: one for each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from drivers.postgres.feedback import FeedbackReader
from drivers.postgres.predictions import PredictionReader
from drivers.settings import Settings
from streams.chosen import postgres_limits


@asynccontextmanager
async def of_feedback(settings: Settings) -> AsyncIterator[list[FeedbackReader]]:
    """Lend readers of feedback."""
    async with AsyncExitStack() as held:
        readers = [FeedbackReader(url, postgres_limits(settings)) for url in settings.databases]
        for reader in readers:
            held.push_async_callback(reader.close)
        yield readers


@asynccontextmanager
async def of_predictions(settings: Settings) -> AsyncIterator[list[PredictionReader]]:
    """Lend readers of predictions."""
    async with AsyncExitStack() as held:
        readers = [PredictionReader(url, postgres_limits(settings)) for url in settings.databases]
        for reader in readers:
            held.push_async_callback(reader.close)
        yield readers
