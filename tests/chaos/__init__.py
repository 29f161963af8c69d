"""Faults on real processes, real Kafka and real PostgreSQL: what is lost, counted twice or told wrongly is counted."""

import pytest

pytest.register_assert_rewrite("tests.chaos.faults")
