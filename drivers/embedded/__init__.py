"""Servers inside the package, for the demo and the tests: PostgreSQL from a wheel, a broker from librdkafka."""

from drivers.embedded.kafka import embedded_kafka
from drivers.embedded.postgres import embedded_postgres
from drivers.embedded.processes import ServerFailed

__all__ = ["ServerFailed", "embedded_kafka", "embedded_postgres"]
