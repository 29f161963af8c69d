"""``outlay schemas`` and ``outlay asyncapi``: the messages that go in and out, for other programs."""

from __future__ import annotations

import json
from typing import Annotated, Final

import typer

SCHEMAS_EXAMPLES: Final = """\b
Examples:
  outlay schemas
  outlay schemas cost-record
  outlay schemas cost-anomaly-fact > fact.schema.json
"""
ASYNCAPI_EXAMPLES: Final = """\b
Examples:
  outlay asyncapi > asyncapi.yaml
  outlay asyncapi --json
"""


def _names(begun: str) -> list[str]:
    from streams.contracts import MESSAGES

    return [one.name for one in MESSAGES if one.name.startswith(begun)]


def schemas(
    name: Annotated[
        str | None, typer.Argument(help="Of this message only, e.g. cost-record.", autocompletion=_names)
    ] = None,
) -> None:
    """Print the JSON Schemas (draft 2020-12) of the messages that go in and out.

    Without a name it is one JSON object with the schema of each.
    """
    from streams.contracts import MESSAGES, message

    found = {one.name: one.schema() for one in MESSAGES} if name is None else message(name).schema()
    print(json.dumps(found, indent=2, ensure_ascii=False))


def asyncapi(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of YAML.")] = False
) -> None:
    """Print the AsyncAPI 3.0 document: topics, messages, keys, headers and schemas.

    Nothing is asked: it tells of the topics as `outlay topics apply` makes them.
    """
    import yaml

    from streams.asyncapi import document

    found = document()
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=110), end="")
