"""The AsyncAPI 3.0 document of Outlay, made of ``topics.yaml`` and the messages' schemas (``outlay asyncapi``)."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, Final

from drivers import topics
from drivers.topics import Topic
from streams.contracts import Message, message

VERSION: Final = "3.0.0"
_BINDING: Final = "0.5.0"
_DESCRIPTION: Final = """\
Cost records of LLM calls and events of runs come in; facts about anomalous spend, snapshots, feedback on failing and
dear runs, predictions, dead letters and late records go out.
Delivery is at least once. Keep the highest revision of an anomaly_id, feedback_id or prediction_id, and the highest
version of a snapshot's key.
Operations are those of Outlay itself: it receives what others send, and sends what others receive."""
_SENDERS: Final = """\
Keys are placed by murmur2 as Java clients do (librdkafka: partitioner=murmur2_random)."""


def document() -> dict[str, Any]:
    """Return the document."""
    channels = {_camel(topic.name): topic for topic in topics.load().topics}
    messages = {topic.value_schema: message(topic.value_schema) for topic in channels.values()}
    return {
        "asyncapi": VERSION,
        "info": {"title": "Outlay", "version": version("outlay"), "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {name: _channel(topic) for name, topic in channels.items()},
        "operations": {
            messages[topic.value_schema].operation: _operation(name, topic, messages[topic.value_schema])
            for name, topic in channels.items()
        },
        "components": {
            "messages": {_camel(name): _message(one) for name, one in messages.items()},
            "schemas": _schemas(messages.values()),
        },
    }


def _server() -> dict[str, Any]:
    return {
        "host": "{bootstrapServers}",
        "protocol": "kafka",
        "description": "OUTLAY_KAFKA_BOOTSTRAP_SERVERS",
        "variables": {"bootstrapServers": {"default": "localhost:9092"}},
    }


def _channel(topic: Topic) -> dict[str, Any]:
    name = _camel(topic.value_schema)
    said = f"From {', '.join(topic.producers)}; for {', '.join(topic.consumers)}."
    return {
        "address": topic.name,
        "description": said,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [topic.cleanup],
                    "retention.ms": topic.retention_ms,
                    "max.message.bytes": topic.max_message_bytes,
                    "message.timestamp.type": topic.timestamp,
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _operation(channel: str, topic: Topic, told: Message) -> dict[str, Any]:
    name = _camel(topic.value_schema)
    return {
        "action": "receive" if told.comes_in else "send",
        "summary": f"{'Reads' if told.comes_in else 'Publishes'} {told.title.lower()}s.",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"}],
    }


def _message(told: Message) -> dict[str, Any]:
    headers = {name: {**schema, "description": said} for name, (said, schema) in told.headers.items()}
    schema: dict[str, Any] = {"type": "object", "properties": headers}
    if not told.comes_in:
        schema["required"] = list(headers)
    key = {**told.key_schema, "description": told.key}
    return {
        "name": told.name,
        "title": told.title,
        "summary": told.schema()["description"].partition("\n\n")[0],
        "description": _SENDERS if told.comes_in else "Everything published carries CloudEvents binary headers.",
        "contentType": "application/json",
        "headers": schema,
        "payload": {"$ref": f"#/components/schemas/{_camel(told.name)}"},
        "bindings": {"kafka": {"key": key, "bindingVersion": _BINDING}},
    }


def _schemas(messages: Iterable[Message]) -> dict[str, Any]:
    """Return every schema by its name: of each message one, and one of each part that it refers to."""
    found: dict[str, Any] = {}
    for told in messages:
        schema = {name: part for name, part in told.schema().items() if name != "$schema"}
        parts = schema.pop("$defs", {})
        found[_camel(told.name)] = _moved(schema)
        found |= {name: _moved(part) for name, part in parts.items()}
    return found


def _moved(part: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return *part* with references to where its definitions are here."""
    if isinstance(part, dict):
        return {
            name: inner.replace("#/$defs/", "#/components/schemas/") if name == "$ref" else _moved(inner)
            for name, inner in part.items()
        }
    return [_moved(inner) for inner in part] if isinstance(part, list) else part


def _camel(name: str) -> str:
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)
