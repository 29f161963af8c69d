"""Limits under which nothing would get done are refused where they are made."""

from dataclasses import replace
from typing import Any

import pytest

from streams.limits import ShellLimits


@pytest.mark.parametrize(
    "changed",
    [
        {"projection_rows": 0},
        {"projection_rows": -1},
        {"projection_share": 0.0},
        {"chunk_records": 0},
        {"commit_records": 0},
        {"pending_records": 0},
        {"pending_outbox": 0},
        {"pending_outbox_bytes": 0},
        {"close_slice_tenants": 0},
        {"publish_rows": 0},
    ],
    ids=lambda changed: "=".join(f"{part}" for pair in changed.items() for part in pair),
)
def test_a_limit_under_which_nothing_gets_done_is_refused_by_its_name(changed: dict[str, Any]) -> None:
    [name] = changed
    with pytest.raises(ValueError, match=f"^{name}: "):
        ShellLimits(**changed)
    with pytest.raises(ValueError, match=f"^{name}: "):
        replace(ShellLimits(), **changed)


def test_one_at_a_time_and_nothing_kept_are_limits() -> None:
    limits = ShellLimits(projection_rows=1, chunk_records=1, publish_rows=1, cache_entities=0, closed_ids_max=0)
    assert limits.projection_rows == 1
