"""Real ``outlay`` processes on real servers, held against the oracle's reading of the log that came to be."""

import pytest

pytest.register_assert_rewrite("tests.end_to_end.exact")
