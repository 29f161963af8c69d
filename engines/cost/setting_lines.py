"""Budgets, feature tags and rules as people write them: one JSON object each (CONTRACT §4).

One invariant: what is in a settings row passed one of these models, so nothing that reads rows needs to check them.
"""

from __future__ import annotations

import difflib
import json
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from engines.core.errors import SettingsError
from engines.core.fields import Instant, Text
from engines.core.model import Invalid, NewSetting, SettingRow
from engines.core.time import format_instant, parse_instant
from engines.core.wire import read_object
from engines.cost.rule_names import RULES
from engines.cost.settings import EVERY_TENANT

Kind = Literal["budget", "tag", "rule"]

LIMIT_CENTS_MAX: Final = 10**12
SHOWN_MAX: Final = 60

_TENANT: Final = "tenant"
_REASONS: Final = {"missing": "is missing", "extra_forbidden": "is not a member of such a line"}

_Limit = Annotated[int | None, Field(strict=True, ge=0, le=LIMIT_CENTS_MAX)]
_Flag = Annotated[bool, Field(strict=True)]


class _Line(BaseModel):
    """What every line has. null means absent; of duplicate members the last counts; unknown members are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    kind: ClassVar[Kind]

    tenant_id: Text
    effective_from: Instant | None = None
    """From when on it is in force; absent: always."""

    @model_validator(mode="before")
    @classmethod
    def _null_means_absent(cls, members: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever it was given
        if isinstance(members, dict):
            return {name: one for name, one in members.items() if one is not None or name not in cls.model_fields}
        return members

    @property
    def effective_us(self) -> int | None:
        """From when on it is in force, in microseconds since the epoch; None: always."""
        return None if self.effective_from is None else parse_instant(self.effective_from)

    def setting(self) -> NewSetting:
        """Return the row that says the same."""
        members = self.model_dump(mode="json", exclude={"tenant_id", "effective_from"})
        body = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
        return NewSetting(self.kind, self.tenant_id, self.effective_us, body)


class _TenantsLine(_Line):
    @field_validator("tenant_id")
    @classmethod
    def _names_one_tenant(cls, tenant_id: str) -> str:
        if tenant_id == EVERY_TENANT:
            raise PydanticCustomError("everyone", "is one tenant's; * is for rules only")
        return tenant_id


class BudgetLine(_TenantsLine):
    """What a tenant, one of its features or one of its users may spend. A limit of null or 0 is not checked."""

    kind: ClassVar[Kind] = "budget"

    budget_type: Literal["tenant", "feature", "user"]
    entity_id: Text | None = None
    """The feature or user; for a tenant the tenant itself, and may be left out."""
    daily_limit_cents: _Limit = None
    monthly_limit_cents: _Limit = None
    warn_threshold_pct: Annotated[int, Field(strict=True, ge=1, le=100)] = 80
    hard_limit_enabled: _Flag = False
    """Kept for those who enforce budgets; no rule here depends on it."""
    is_active: _Flag = True

    @field_validator("entity_id")
    @classmethod
    def _is_whom_the_type_says(cls, entity_id: str | None, info: ValidationInfo) -> str | None:
        budget_type, tenant_id = info.data.get("budget_type"), info.data.get("tenant_id")
        if budget_type == _TENANT:
            if entity_id not in {None, tenant_id}:
                raise PydanticCustomError("entity", "of a tenant's budget is the tenant id, or absent")
            return tenant_id
        if entity_id is None and budget_type is not None:
            raise PydanticCustomError("entity", "is needed: whose {type} budget is it", {"type": budget_type})
        return entity_id


class TagLine(_TenantsLine):
    """A feature tag that a tenant has registered; an inactive one turns into ``unclassified`` in records."""

    kind: ClassVar[Kind] = "tag"

    tag: Text
    display_name: Text = ""
    """What people call it; the tag itself when absent."""
    is_active: _Flag = True

    @model_validator(mode="before")
    @classmethod
    def _is_called_something(cls, members: Any) -> Any:  # noqa: ANN401 - see above
        if isinstance(members, dict) and members.get("display_name") is None:
            return {**members, "display_name": members.get("tag")}
        return members


class RuleLine(_Line):
    """One rule for one tenant or, as tenant ``*``, for all."""

    kind: ClassVar[Kind] = "rule"

    tenant_id: Text = EVERY_TENANT
    name: Text
    value: Any

    @field_validator("name")
    @classmethod
    def _is_a_rule(cls, name: str) -> str:
        if name not in RULES:
            near = difflib.get_close_matches(name, RULES, n=1)
            raise PydanticCustomError("rule", "{why}", {"why": f"is no rule{f'; {near[0]}?' if near else ''}"})
        return name

    @field_validator("value")
    @classmethod
    def _is_a_value_of_it(cls, value: object, info: ValidationInfo) -> object:
        if value is None:
            raise PydanticCustomError("missing", "is missing")
        rule = RULES.get(info.data.get("name", ""))
        problem = None if rule is None else rule.problem(value)
        if problem is not None:
            raise PydanticCustomError("value", "{why}", {"why": problem})
        return value


SettingLine = BudgetLine | TagLine | RuleLine
_MODELS: Final[dict[Kind, type[SettingLine]]] = {"budget": BudgetLine, "tag": TagLine, "rule": RuleLine}


def parse(kind: Kind, members: dict[str, object]) -> SettingLine | Invalid:
    """Return the line of *kind* that *members* make, or the first member to blame and why."""
    try:
        return _MODELS[kind].model_validate(members)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        reason = _REASONS.get(first["type"]) or f"{first['msg'][:1].lower()}{first['msg'][1:]}"
        shown = isinstance(first["input"], str | int | Decimal) and first["type"] not in _REASONS
        field = ".".join(str(part) for part in first["loc"]) or None
        return Invalid(field, f"{reason} (it is {_shown(first['input'])})" if shown else reason)


def read_lines(kind: Kind, data: bytes, file: str) -> list[SettingLine]:
    """Return the lines of *kind* in *data*, JSON lines in UTF-8; blank ones are ignored.

    Args:
        kind: what the lines are about.
        data: all of the file.
        file: how an error names it.

    Raises:
        SettingsError: a line is none; it names file, line number, member and reason.
    """
    found = []
    for number, value in enumerate(data.split(b"\n"), 1):
        if not value.strip():
            continue
        members = read_object(value)
        line = members if isinstance(members, Invalid) else parse(kind, members)
        if isinstance(line, Invalid):
            what = "" if line.field is None else f"{line.field}: "
            raise SettingsError(f"{file}, line {number}: {what}{line.reason}")
        found.append(line)
    return found


def line_of(row: SettingRow) -> SettingLine | None:
    """Return what *row* says; None where it is of a kind, or says something, that this version does not know."""
    if row.kind not in _MODELS:
        return None
    members = read_object(row.body)
    if isinstance(members, Invalid):
        return None
    members |= {"tenant_id": row.tenant_id}
    members |= {} if row.effective_us is None else {"effective_from": format_instant(row.effective_us)}
    line = parse(row.kind, members)
    return None if isinstance(line, Invalid) else line


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"
