"""Acknowledgements as people write them; what is in a settings row passed this model (see ``acknowledgements``)."""

from __future__ import annotations

import json
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from engines.core.errors import SettingsError
from engines.core.fields import Instant, Text
from engines.core.model import NewSetting
from engines.core.time import format_instant
from engines.runs.acknowledgements import ACKNOWLEDGEMENT

_REASONS: Final = {"string_too_short": "is empty", "string_too_long": "is longer than 256 characters"}


class AcknowledgementLine(BaseModel):
    """That somebody has seen feedback as it stood at ``as_of``; it holds until the pattern becomes active anew."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant_id: Text
    feedback_id: Text
    as_of: Instant
    """That of the line which was acknowledged."""
    acknowledged_at: Instant
    acknowledged_by: Text
    note: Text | None = None

    def setting(self) -> NewSetting:
        """Return the row that says the same; an acknowledgement changes no past, so it is always in force."""
        members = self.model_dump(mode="json", exclude={"tenant_id"}, exclude_none=True)
        body = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
        return NewSetting(ACKNOWLEDGEMENT, self.tenant_id, None, body)


def acknowledgement(
    tenant_id: str, feedback_id: str, as_of: str, *, at_us: int, by: str, note: str | None = None
) -> AcknowledgementLine:
    """Return the line that acknowledges feedback of a tenant.

    Args:
        tenant_id: whose feedback it is.
        feedback_id: which.
        as_of: that of its newest line, as the line has it.
        at_us: when it was acknowledged, µs since the epoch.
        by: who did.
        note: what they had to say.

    Raises:
        SettingsError: *by* or *note* is empty, too long, or holds a NUL.
    """
    at = format_instant(at_us)
    try:
        return AcknowledgementLine(
            tenant_id=tenant_id,
            feedback_id=feedback_id,
            as_of=as_of,
            acknowledged_at=at,
            acknowledged_by=by,
            note=note,
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        reason = _REASONS.get(first["type"], first["msg"])
        raise SettingsError(f"acknowledgement: {first['loc'][0]} {reason}") from error
