"""The AsyncAPI document is one, and says of each topic what is true of it."""

import copy
import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from pydantic import ValidationError

from drivers import topics
from engines.runs.event import OUTCOMES
from streams.asyncapi import document
from streams.contracts import MESSAGES
from tests.streams.commands import run

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pydantic's, of names of the validator's own fields
    from asyncapi3.models.asyncapi import AsyncAPI3

Document = dict[str, Any]


@pytest.fixture
def made() -> Document:
    return document()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def found(made: Document, reference: str) -> Any:
    part: Any = made
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def problem_of(made: Document) -> str | None:
    """Return what is wrong with the document; None when nothing is."""
    try:
        AsyncAPI3.model_validate(made)
    except ValidationError as error:
        return str(error.errors()[0]["loc"])
    for reference in references(made):
        try:
            found(made, reference)
        except KeyError:
            return reference
    return None


def test_the_document_is_valid_and_its_references_lead_somewhere(made: Document) -> None:
    assert problem_of(made) is None
    assert len(list(references(made))) > 15


@pytest.mark.parametrize(
    "path, value",
    [
        ("asyncapi", "2.6.0"),
        ("info/title", None),
        ("channel", {}),
        ("servers/kafka/host", None),
        ("channels/costs/topic", "costs"),
        ("channels/costs/bindings/kafak", {}),
        ("channels/costs/bindings/kafka/partitions", 0),
        ("channels/costs/bindings/kafka/topicConfiguration/cleanup.policy", ["keep"]),
        ("operations/sendDeadLetters/action", "publish"),
        ("operations/sendDeadLetters/channel", {"$ref": "#/channels/nosuch"}),
        ("components/messages/costRecord/payload", {"$ref": "#/components/schemas/nosuch"}),
    ],
)
def test_what_would_make_it_invalid_is_found(made: Document, path: str, value: object) -> None:
    wrong = copy.deepcopy(made)
    *way, last = path.split("/")
    part = found(wrong, "/".join(way)) if way else wrong
    part[last] = value
    assert problem_of(wrong) is not None


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def test_each_topic_is_a_channel_with_its_settings(made: Document) -> None:
    told = {}
    for channel in made["channels"].values():
        kafka = channel["bindings"]["kafka"]
        config = kafka["topicConfiguration"]
        told[channel["address"]] = (kafka["partitions"], {name: _text(value) for name, value in config.items()})
    assert told == {topic.name: (topic.partitions, topic.config()) for topic in topics.load().topics}


def test_outlay_receives_cost_records_and_run_events_and_sends_the_rest(made: Document) -> None:
    actions = {one["channel"]["$ref"]: one["action"] for one in made["operations"].values()}
    assert {actions.pop(f"#/channels/{name}") for name in ("costs", "runs")} == {"receive"}
    assert set(actions.values()) == {"send"}
    assert len(actions) == len(MESSAGES) - 2


def test_each_message_has_a_key_and_the_headers_of_cloud_events(made: Document) -> None:
    for message in made["components"]["messages"].values():
        assert message["bindings"]["kafka"]["key"]["type"] == "string"
        headers = message["headers"]
        assert {"ce_id", "ce_source", "ce_specversion", "ce_time", "ce_type"} < set(headers["properties"])
        kinds = headers["properties"]["ce_type"]
        expected = set(OUTCOMES) if message["name"] == "run-event" else {message["name"]}
        assert set(kinds.get("enum", [kinds.get("const")])) == expected
        assert set(headers.get("required", headers["properties"])) == set(headers["properties"])
    for name in ("costRecord", "runEvent"):
        assert "required" not in made["components"]["messages"][name]["headers"]


def test_its_schemas_judge_as_ours_do(made: Document) -> None:
    parts = made["components"]["schemas"]
    accepts = Draft7Validator({"$ref": "#/components/schemas/costRecord", "components": {"schemas": parts}})
    record = {
        "id": "call-1",
        "tenant_id": "acme",
        "occurred_at": "2025-09-09T10:37:57Z",
        "model": "gpt-4o",
        "input_tokens": 12,
        "output_tokens": 3,
    }
    assert accepts.is_valid(record)
    assert not accepts.is_valid(record | {"input_tokens": -1})
    for name in parts:
        Draft7Validator.check_schema(parts[name])


def test_it_is_printed_as_yaml_and_as_json(made: Document, capfd: pytest.CaptureFixture[str]) -> None:
    as_yaml, as_json = run(capfd, "asyncapi"), run(capfd, "asyncapi", "--json")
    assert (as_yaml.code, yaml.safe_load(as_yaml.out)) == (0, made)
    assert (as_json.code, json.loads(as_json.out)) == (0, made)
