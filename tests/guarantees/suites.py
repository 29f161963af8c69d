"""Tests that prove more than one promise, and the beginnings of long names."""

from __future__ import annotations

from typing import Final

SIMULATION: Final = (
    "tests/simulation/test_simulation.py::test_whatever_goes_wrong_everything_stored_and_published_equals_the_oracle"
)
ORACLE: Final = "tests/streams/test_against_oracle.py::test_a_run_equals_the_oracle"
ALL_RULES: Final = (
    "tests/streams/test_against_oracle.py::test_all_rules_restatements_and_settings_on_the_way_equal_the_oracle"
)
STORE: Final = "tests/drivers/postgres/test_store.py::TestPostgresStore"
KILLS: Final = "tests/end_to_end/test_kills.py::test_kills_at_random_moments_and_moving_partitions_change_nothing"
KILLS_RULES: Final = "tests/end_to_end/test_kills_all_rules.py::test_kills_change_nothing_with_all_rules_on"
