"""What people said of feedback: settings rows, which change no past (CONTRACT §7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from engines.core.model import SettingRow
from engines.core.time import parse_instant

ACKNOWLEDGEMENT: Final = "acknowledgement"


class Acknowledgement(NamedTuple):
    """That somebody has seen a pattern as its line told it.

    Attributes:
        as_of_us: the ``as_of`` of that line: an activation that began later is another one.
    """

    as_of_us: int
    acknowledged_at: str
    acknowledged_by: str


class _Body(msgspec.Struct):
    feedback_id: str
    as_of: str
    acknowledged_at: str
    acknowledged_by: str


_read = msgspec.json.Decoder(_Body).decode


class RunsSettings:
    """The settings rows as runs are judged by them."""

    def __init__(self, rows: Sequence[SettingRow]) -> None:
        self._by_id: dict[str, list[Acknowledgement]] = {}
        for row in rows:
            if row.kind == ACKNOWLEDGEMENT:
                body = _read(row.body)
                said = Acknowledgement(parse_instant(body.as_of), body.acknowledged_at, body.acknowledged_by)
                self._by_id.setdefault(body.feedback_id, []).append(said)

    def count(self, feedback_id: str) -> int:
        """Return how often anything of *feedback_id* was acknowledged: its part of the revision."""
        return len(self._by_id.get(feedback_id, ()))

    def of(self, feedback_id: str, active_since_us: int) -> Acknowledgement | None:
        """Return the newest acknowledgement of what is active since then, None when there is none."""
        return next(
            (said for said in reversed(self._by_id.get(feedback_id, ())) if said.as_of_us >= active_since_us), None
        )


def concerned(rows: Sequence[SettingRow]) -> frozenset[str]:
    """Return the tenants whose feedback *rows* may tell otherwise."""
    return frozenset(row.tenant_id for row in rows if row.kind == ACKNOWLEDGEMENT)
