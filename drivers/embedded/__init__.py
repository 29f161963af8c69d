"""Servers inside the package, for the demo and the tests: PostgreSQL from a wheel, a broker from librdkafka."""
