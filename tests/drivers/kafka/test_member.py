"""What becomes of requests that the consumer's owner does not wait for any more."""

import asyncio
import gc

import pytest
from aiokafka.errors import KafkaError, NotCoordinatorForGroupError

from drivers.kafka.member import given_up


async def _forgotten(error: Exception) -> None:
    """Have a task fail that nobody asks."""
    asyncio.get_running_loop().set_exception_handler(given_up)

    async def fail() -> None:
        raise error

    task = asyncio.ensure_future(fail())
    await asyncio.wait({task})
    del task
    gc.collect()


@pytest.mark.parametrize("error", [NotCoordinatorForGroupError(), KafkaError()])
async def test_a_request_that_was_given_up_says_nothing(error: KafkaError, caplog: pytest.LogCaptureFixture) -> None:
    await _forgotten(error)
    assert caplog.text == ""


async def test_whatever_else_nobody_waits_for_is_still_told(caplog: pytest.LogCaptureFixture) -> None:
    await _forgotten(ZeroDivisionError("a bug"))
    assert "ZeroDivisionError: a bug" in caplog.text
