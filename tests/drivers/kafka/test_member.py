"""What becomes of requests that the consumer's owner does not wait for any more."""

import asyncio
import gc
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError, NotCoordinatorForGroupError

from drivers.kafka.member import given_up


class Telling:
    """Stands in for the loop where errors that nobody asked for are told."""

    def __init__(self) -> None:
        self.told: list[BaseException | None] = []

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.told.append(context.get("exception"))


async def _told_of(error: Exception) -> list[BaseException | None]:
    """Have a task fail that nobody asks; return what is told of it."""
    telling = Telling()
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: given_up(cast("asyncio.AbstractEventLoop", telling), context)
    )

    async def fail() -> None:
        raise error

    task = asyncio.ensure_future(fail())
    await asyncio.wait({task})
    del task
    gc.collect()
    return telling.told


@pytest.mark.parametrize("error", [NotCoordinatorForGroupError(), KafkaError()])
async def test_a_request_that_was_given_up_says_nothing(error: KafkaError) -> None:
    assert await _told_of(error) == []


async def test_whatever_else_nobody_waits_for_is_still_told() -> None:
    bug = ZeroDivisionError("a bug")
    assert await _told_of(bug) == [bug]
