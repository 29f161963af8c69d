"""What is acknowledged by hand is read back by those who judge."""

import json

import pytest

from engines.core.errors import SettingsError
from engines.core.model import SettingRow
from engines.core.time import format_instant, parse_instant
from engines.runs.acknowledgements import Acknowledgement, RunsSettings
from engines.runs.setting_lines import acknowledgement

SEEN = "2026-01-15T10:00:00.5Z"
SEEN_US = parse_instant(SEEN)


def test_an_acknowledgement_reads_back_as_it_was_said() -> None:
    setting = acknowledgement("acme", "pf_1", SEEN, at_us=SEEN_US + 1, by="ana ü", note="rolled back").setting()
    assert (setting.kind, setting.tenant_id, setting.effective_us) == ("acknowledgement", "acme", None)
    assert json.loads(setting.body) == {
        "feedback_id": "pf_1",
        "as_of": SEEN,
        "acknowledged_at": format_instant(SEEN_US + 1),
        "acknowledged_by": "ana ü",
        "note": "rolled back",
    }
    known = RunsSettings([SettingRow(1, *setting)])
    assert known.count("pf_1") == 1
    assert known.of("pf_1", SEEN_US) == Acknowledgement(SEEN_US, format_instant(SEEN_US + 1), "ana ü")
    assert known.of("pf_1", SEEN_US + 1) is None, "an activation that begins later is another one"


def test_a_member_without_a_value_is_left_out() -> None:
    assert b"note" not in acknowledgement("acme", "pf_1", SEEN, at_us=0, by="ana").setting().body


@pytest.mark.parametrize(
    "by, note, reason",
    [
        ("", None, "acknowledged_by is empty"),
        ("x" * 257, None, "acknowledged_by is longer than 256 characters"),
        ("a\0", None, "acknowledged_by .*NUL"),
        ("ana", "", "note is empty"),
        ("ana", "\0", "note .*NUL"),
    ],
)
def test_what_nobody_could_read_is_refused(by: str, note: str | None, reason: str) -> None:
    with pytest.raises(SettingsError, match=f"^acknowledgement: {reason}"):
        acknowledgement("acme", "pf_1", SEEN, at_us=0, by=by, note=note)
