"""A real PostgreSQL and a real Apache Kafka for tests and benchmarks, without Docker, in the folder `.stack`."""

from tests.stack.stack import Stack
from tests.stack.unavailable import Unavailable

__all__ = ["Stack", "Unavailable"]
