"""The settings for people: what is in force and where it comes from, and the reference of all of them.

One invariant: nothing that is secret is in what comes out of here. Of a database URL it is host and name at most.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

from pydantic import SecretStr

from drivers.settings import Settings, is_secret, variable

Source = Literal["default", "environment"]
Value = bool | float | str | None

MASK: Final = "***"
_PLAIN_URL: Final = re.compile(
    r"(postgres(?:ql)?(?:\+asyncpg)?://)(?:[^@/?#\s]*@)?"
    r"((?:[A-Za-z0-9._-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?(?:,[A-Za-z0-9._-]+(?::[0-9]{1,5})?)*(?:/[A-Za-z0-9_.-]*)?)"
    r"(?:\?[^@]*)?"
)
"""A URL of which the part behind the login can be told for certain: nothing of a password is in it."""
_SEVERAL: Final = re.compile(r"[,\s]+(?=postgres)")


class Shown(NamedTuple):
    """A setting: its variable, its value in force (None: not set; secrets masked), and what says so."""

    name: str
    value: Value
    source: Source


def in_force(settings: Settings) -> list[Shown]:
    """Return every setting, in the order of the reference."""
    given = settings.model_fields_set
    return [
        Shown(variable(name), _value(name, getattr(settings, name)), "environment" if name in given else "default")
        for name in Settings.model_fields
    ]


def text(value: Value) -> str:
    """Return a value as one would write it into the environment; nothing for one that is not set."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def markdown() -> str:
    """Return the reference as a table: variable, what it may be, default, meaning."""
    lines = ["| variable | may be | default | is |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = text(_value(name, field.default))
        is_ = " ".join((field.description or "").split())
        shown = f"`{default}`" if default else "none"
        lines.append(f"| `{variable(name)}` | {_may_be(name)} | {shown} | {is_} |")
    return "\n".join(lines) + "\n"


def masked(url: str) -> str:
    """Return *url* without login and options, or only a mask when it cannot be told where they end."""
    read = _PLAIN_URL.fullmatch(url)
    return MASK if read is None else f"{read[1]}{MASK}@{read[2]}" if "@" in url else f"{read[1]}{read[2]}"


def _value(name: str, value: Any) -> Value:  # noqa: ANN401 - whatever a setting is
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        if not name.startswith("database_"):
            return MASK
        return ", ".join(map(masked, _SEVERAL.split(secret.strip(" ,\n"))))
    return value if value is None or isinstance(value, bool | float | int) else str(value)


def _may_be(name: str) -> str:
    field = Settings.model_fields[name]
    if is_secret(name):
        return "text, secret"
    kind: Any = field.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(kind))
    if kind is bool:
        return "`true`, `false`"
    if kind in {int, float}:
        unit = "a whole number" if kind is int else "seconds" if name.endswith("_s") else "a number"
        return unit + _bounds(field.metadata)
    return "text"


def _bounds(metadata: list[Any]) -> str:
    signs = ("ge", "gt", "le")
    found = {sign: getattr(one, sign) for one in metadata for sign in signs if getattr(one, sign, None) is not None}
    low = found.get("ge")
    if low is not None and "le" in found:
        return f", {low:,} to {found['le']:,}"
    if low is not None:
        return f" from {low:,} on"
    return f" above {found['gt']:,}" if "gt" in found else ""
