"""A stack trace in one line: what was raised, and the innermost function it came through.

Which callers led there, line numbers and quoted source vary with every release of code that is not at fault; what was
raised, its causes, and where it was raised are the error.
"""

from __future__ import annotations

import re
from typing import Final

# The two shapes of a frame: Python's, innermost last; and "at …" of Java, JavaScript and .NET, innermost first.
_LAST_INNERMOST: Final = re.compile(r'\s++File "[^"]*+", line \d++(?:, in (?P<name>\S++))?')
_FIRST_INNERMOST: Final = re.compile(r"\s++at (?=.*(?:\(|:\d))(?:async |new )?(?P<name>[^\s(/\\][^\s(]*+)?")
_GO_PLACE: Final = re.compile(r"\s++\S++:\d++ \+0x")
_NOISE: Final = re.compile(
    r"\s*+(?:Traceback \(most recent call last\):|\.\.\. \d++ (?:common frames omitted|more)"
    r"|\[Previous line repeated \d++ more times?\]|[~^\s]++)\s*+"
)
_SOURCE_INDENT: Final = "    "


def essence(text: str) -> str:
    """Return *text* without the frames of its stack traces but the innermost of each; other text is left as it is."""
    if "\n" not in text:
        return text
    kept = list[str]()
    pending = ""  # the innermost frame so far of a trace whose error is still to come
    inside = False
    for line in text.splitlines():
        if frame := _LAST_INNERMOST.match(line):
            pending, inside = frame["name"] or "", True
        elif frame := _FIRST_INNERMOST.match(line):
            if not inside and frame["name"]:
                kept.append(f"at {frame['name']}")
            inside = True
        elif _NOISE.fullmatch(line) or _GO_PLACE.match(line) or (pending and line.startswith(_SOURCE_INDENT)):
            continue
        else:
            kept.append(line)
            if pending:
                kept.append(f"at {pending}")
            pending, inside = "", False
    return "\n".join(kept)
