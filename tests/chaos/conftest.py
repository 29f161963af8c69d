"""Where the short version of each fault does its work."""

from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here: all of it needs both servers, and time."""
    for item in items:
        if _HERE in item.path.parents:
            for name in ("postgres", "kafka", "slow"):
                item.add_marker(name)
