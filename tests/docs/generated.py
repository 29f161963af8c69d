"""What of the documents is made by the program: ``make generate`` writes it, tests hold it current.

In a document it stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import typer

from drivers import settings_shown, topics
from engines.core.model import LogRecord
from engines.core.time import parse_instant
from streams.cli import app
from streams.contracts import MESSAGES, Message, message
from tests import oracle
from tests.contracts.publishing import Published, published
from tests.oracle import runs

SCHEMA_FILES: Final = {
    "cost-record": Path("engines/cost/schemas/cost-record.json"),
    "run-event": Path("engines/runs/schemas/run-event.json"),
    "cost-anomaly-fact": Path("engines/cost/schemas/cost-anomaly-fact.json"),
    "cost-snapshot": Path("engines/cost/schemas/cost-snapshot.json"),
    "pattern-feedback": Path("engines/runs/schemas/pattern-feedback.json"),
    "prediction": Path("engines/runs/schemas/prediction.json"),
    "dead-letter": Path("streams/schemas/dead-letter.json"),
    "late-record": Path("streams/schemas/late-record.json"),
}
"""Where the schema of each message lies."""
EXAMPLE: Final = Path("examples/calls.jsonl")
SHOWN: Final = {
    "cost-record": (EXAMPLE, '"call-058"'),
    "run-event": (Path("examples/runs.jsonl"), '"run-failed","run_id":"run-007"'),
}
"""Where the example of each message that comes in stands, and by what it is found."""

_BLOCK: Final = re.compile(r"(?<=<!-- generated: )([^\n]+?)( -->\n).*?(?=<!-- end -->)", re.DOTALL)
_WIDTH: Final = 118


def generated() -> dict[Path, str]:
    """Return what each file that is wholly or partly generated holds when it is current."""
    found = {SCHEMA_FILES[one.name]: json.dumps(one.schema(), indent=2) + "\n" for one in MESSAGES}
    for path in sorted(Path("docs").rglob("*.md")):
        text = path.read_text()
        if _BLOCK.search(text):
            found[path] = _BLOCK.sub(lambda at: f"{at[1]}{at[2]}{part(at[1])}", text)
    return found


def part(name: str) -> str:
    """Return the part *name* of a document."""
    what, _, of = name.partition(" ")
    if what == "settings":
        return settings_shown.markdown()
    if what == "commands":
        return _commands()
    makers = {"fields": _fields, "headers": _headers, "example": _example}
    return makers[what](message(of))


def _commands() -> str:
    """Return every command with the first sentence of its help."""

    def below(words: tuple[str, ...], command: Any) -> Iterator[str]:
        for name, inner in command.commands.items():
            if hasattr(inner, "commands"):
                yield from below((*words, name), inner)
                continue
            sentence = " ".join((inner.help or "").split("\n\n")[0].split())
            json_too = "yes" if "--json" in {option for one in inner.params for option in one.opts} else ""
            yield f"| `outlay {' '.join((*words, name))}` | {sentence} | {json_too} |"

    return "\n".join(["| command | does | `--json` |", "|---|---|---|", *below((), typer.main.get_command(app))]) + "\n"


# ------------------------------------------------------------ the pages of the events


def _fields(one: Message) -> str:
    schema = one.schema()
    lines = ["| member | type | is |", "|---|---|---|"]
    lines += _members(schema, schema, "")
    return "\n".join(lines) + "\n"


def _members(schema: dict[str, Any], whole: dict[str, Any], before: str) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, member in schema["properties"].items():
        optional = "" if name in required else "optional "
        said = " ".join(str(member["description"]).split())
        yield f"| `{before}{name}` | {optional}{_type(member, whole)} | {said} |"
        for inner in _parts(member):
            found = _resolved(inner, whole)
            if "properties" in found:
                yield from _members(found, whole, f"{before}{name}.")


def _parts(member: dict[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = member.get("anyOf", [member])
    return parts


def _resolved(member: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = whole["$defs"][member["$ref"].rpartition("/")[2]] if "$ref" in member else member
    return found


def _type(member: dict[str, Any], whole: dict[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_plain(_resolved(one, whole)) for one in _parts(member)))


def _plain(one: dict[str, Any]) -> str:
    if "const" in one:
        return f"`{one['const']}`" if isinstance(one["const"], str) else f"`{json.dumps(one['const'])}`"
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    kinds = one["type"] if isinstance(one["type"], list) else [one["type"]]
    if one.get("format") == "date-time":
        kinds = ["time"]
    if one.get("contentEncoding"):
        kinds = [one["contentEncoding"]]
    return " or ".join(kinds)


def _headers(one: Message) -> str:
    lines = ["| header | holds |", "|---|---|"]
    for name, (said, schema) in one.headers.items():
        lines.append(f"| `{name}` | {_plain(schema) if schema.keys() & {'const', 'enum'} else said} |")
    return "\n".join(lines) + "\n"


def _example(one: Message) -> str:
    """Return a real message: headers as kcat would list them, and the value."""
    if one.comes_in:
        path, known_by = SHOWN[one.name]
        value = next(line for line in path.read_text().splitlines() if known_by in line)
        return f"```json\n{_wrapped(json.loads(value))}\n```\n"
    found = example(one.name)
    key = (found.record.key or b"").decode()
    heads = "\n".join(f"{name}: {value}" for name, value in found.headers.items())
    return f"Key `{key}`; headers and value:\n\n```\n{heads}\n```\n\n```json\n{_wrapped(found.line)}\n```\n"


def example(name: str) -> Published:
    """Return the message *name* that its page shows."""
    wanted = {
        "cost-anomaly-fact": {"entity_type": "tenant", "status": "final"},
        "cost-snapshot": {"entity_id": "ben", "window": "day", "start": "2025-09-09T00:00:00Z"},
        "dead-letter": {},
        "late-record": {},
        "pattern-feedback": {"pattern_type": "failure_pattern", "status": "active"},
        "prediction": {"prediction_type": "cost_overrun", "status": "active"},
    }[name].items()
    return next(
        one for one in (*everything(), *told_of_runs()) if one.headers["ce_type"] == name and wanted <= one.line.items()
    )


@cache
def everything() -> list[Published]:
    """Return all that a worker publishes of the example, each record appended two seconds after it happened."""
    stream: list[oracle.LogRecord] = []
    at_us = 0
    for line in EXAMPLE.read_text().splitlines():
        event = json.loads(line)
        at_us = max(at_us, parse_instant(event["occurred_at"]) + 2_000_000)
        stream.append(oracle.LogRecord(line.encode(), key=str(event["tenant_id"]).encode(), append_us=at_us))
    return asyncio.run(published(stream, partitions=1))


@cache
def told_of_runs() -> list[Published]:
    """Return what is to be told after each of the example's events of runs."""
    log = [oracle.LogRecord(line.encode()) for line in SHOWN["run-event"][0].read_text().splitlines()]
    found = [runs.evaluate(log[: at + 1]) for at in range(len(log))]
    return [
        *(_message_of("pattern-feedback", "feedback_id", line) for one in found for line in one.feedback),
        *(_message_of("predictions", "prediction_id", line) for one in found for line in one.predictions),
    ]


def _message_of(topic: str, key: str, line: dict[str, Any]) -> Published:
    heads = {
        "ce_specversion": "1.0",
        "ce_id": f"{line[key]}:{line['revision']}",
        "ce_source": "outlay/runs",
        "ce_type": topics.load().named(topic).value_schema,
        "ce_time": line["as_of"],
        "content-type": "application/json",
    }
    value = json.dumps(line, sort_keys=True, ensure_ascii=False).encode()
    headers = [(name, head.encode()) for name, head in heads.items()]
    return Published(topic, 0, LogRecord(0, 0, line[key].encode(), value, headers))


def _wrapped(value: dict[str, Any]) -> str:
    """Return *value* as JSON in lines of a page's width."""
    lines = [""]
    members = [f"{json.dumps(name)}: {json.dumps(inner, ensure_ascii=False)}" for name, inner in value.items()]
    for at, member in enumerate(members):
        text = member + ("," if at + 1 < len(members) else "")
        for word in re.split(r"(?<=,) (?=\")", text):
            if len(lines[-1]) + len(word) + 1 > _WIDTH:
                lines.append("")
            lines[-1] += f" {word}" if lines[-1] else word
    return "{" + "\n ".join(lines) + "}"


if __name__ == "__main__":
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
