"""CloudEvents binary headers of a record that came in: what a body lacks is filled from them (CONTRACT §1).

The body wins; then a header is not even read. Of several headers with one name the last with a value counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engines.core.fields import TEXT_CHARACTERS_MAX
from engines.core.model import Invalid
from engines.core.wire import Unusual

GivenHeaders = Iterable[tuple[str, bytes | None]]

_FILLS: Final = {"ce_id": "id", "ce_time": "occurred_at", "ce_type": "type"}


def filled(
    event_id: str | None, occurred_at: str | None, event_type: str | None, headers: GivenHeaders
) -> tuple[str | None, str | None, str | None, str]:
    """Return a body's id, time and type with what *headers* say of them, and the source: the quick way.

    Raises:
        ValueError: a header cannot be read, or holds what no record of the usual kind does.
    """
    found_id, found_at, found_type, source = event_id, occurred_at, event_type, ""
    for name, header in headers:
        if name[:3] != "ce_" or header is None:
            continue
        if name == "ce_id" and event_id is None:
            found_id = header.decode()
        elif name == "ce_time" and occurred_at is None:
            found_at = header.decode()
        elif name == "ce_type" and event_type is None:
            found_type = header.decode()
        elif name == "ce_source":
            source = header.decode()
    if found_id == "" or found_at == "":
        raise Unusual
    for text in (found_id, found_at, source):
        if text and (len(text) > TEXT_CHARACTERS_MAX or "\0" in text):
            raise Unusual
    return found_id, found_at, found_type, source


def fill(members: dict[str, object], headers: GivenHeaders) -> str | Invalid:
    """Fill what *members* lack from *headers*; return the source, or the header that cannot be read."""
    attributes = {name: header for name, header in headers if header is not None}
    for name, member in _FILLS.items():
        if name in attributes and members.get(member) is None:
            try:
                members[member] = attributes[name].decode()
            except UnicodeDecodeError:
                return Invalid(member, f"the header {name} is not UTF-8")
    try:
        source = attributes.get("ce_source", b"").decode()
    except UnicodeDecodeError:
        return Invalid("source", "the header ce_source is not UTF-8")
    if "\0" in source or len(source) > TEXT_CHARACTERS_MAX:
        return Invalid("source", f"the header ce_source is longer than {TEXT_CHARACTERS_MAX} or contains a NUL")
    return source
