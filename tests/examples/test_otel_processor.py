"""The span processor in a real ``TracerProvider``; attribute names are those of the conventions' own package."""

from collections.abc import Mapping
from typing import Any

import otel_processor
import pytest
from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as conventions
from opentelemetry.semconv._incubating.attributes import user_attributes
from otel_processor import OutlaySpanProcessor

from tests.examples.sink import Kept, counted

NOW = {
    conventions.GEN_AI_OPERATION_NAME: "chat",
    conventions.GEN_AI_PROVIDER_NAME: "openai",
    conventions.GEN_AI_REQUEST_MODEL: "gpt-4o",
    conventions.GEN_AI_RESPONSE_MODEL: "gpt-4o-2024-08-06",
    conventions.GEN_AI_RESPONSE_ID: "chatcmpl-1",
    conventions.GEN_AI_USAGE_INPUT_TOKENS: 1200,
    conventions.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: 1000,
    conventions.GEN_AI_USAGE_OUTPUT_TOKENS: 300,
    conventions.GEN_AI_CONVERSATION_ID: "conversation-7",
    user_attributes.USER_ID: "ana",
    "tenant.id": "acme",
    "feature.tag": "triage",
}
BEFORE = {
    conventions.GEN_AI_SYSTEM: "openai",
    conventions.GEN_AI_REQUEST_MODEL: "gpt-4o",
    conventions.GEN_AI_USAGE_PROMPT_TOKENS: 1200,
    conventions.GEN_AI_USAGE_COMPLETION_TOKENS: 300,
}


def told(attributes: Mapping[str, Any], resource: Mapping[str, Any] | None = None) -> list[dict[str, object]]:
    """Return what is published of a span that has *attributes*."""
    kept = Kept()
    provider = TracerProvider(resource=Resource(dict(resource or {})), shutdown_on_exit=False)
    provider.add_span_processor(OutlaySpanProcessor("globex", kept))
    with provider.get_tracer("test").start_as_current_span("chat") as span:
        span.set_attributes(dict(attributes))
    provider.shutdown()
    assert kept.closed
    return kept.records


def test_a_span_of_the_current_conventions_is_counted_with_all_it_says() -> None:
    (record,) = told(NOW)
    event = counted(record)
    assert (event.id, event.tenant_id, event.user_id, event.feature_tag) == ("chatcmpl-1", "acme", "ana", "triage")
    assert (event.provider, event.model) == ("openai", "gpt-4o-2024-08-06")
    assert (event.input_tokens, event.cached_input_tokens, event.output_tokens) == (1200, 1000, 300)
    assert (record["workflow_id"], event.is_retry) == ("conversation-7", False)


def test_a_span_of_older_conventions_is_counted_too() -> None:
    (record,) = told(BEFORE)
    event = counted(record)
    assert (event.tenant_id, event.provider, event.model) == ("globex", "openai", "gpt-4o")
    assert (event.input_tokens, event.cached_input_tokens, event.output_tokens) == (1200, 0, 300)


def test_without_an_id_of_the_response_trace_and_span_are_the_id() -> None:
    (first,), (second,) = told(BEFORE), told(BEFORE)
    trace_id, _, span_id = str(first["id"]).partition("-")
    assert (len(trace_id), len(span_id), first["request_id"]) == (32, 16, trace_id)
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    "change",
    [
        {conventions.GEN_AI_OPERATION_NAME: "invoke_agent"},
        {conventions.GEN_AI_OPERATION_NAME: "invoke_workflow"},
        {conventions.GEN_AI_OPERATION_NAME: "execute_tool"},
    ],
    ids=str,
)
def test_the_spans_of_agents_and_tools_which_hold_the_sums_of_others_are_not_counted(change: dict[str, str]) -> None:
    assert told(NOW | change) == []


def test_a_span_without_usage_or_without_a_model_is_not_counted() -> None:
    assert told({conventions.GEN_AI_OPERATION_NAME: "chat", conventions.GEN_AI_REQUEST_MODEL: "gpt-4o"}) == []
    assert told({"http.request.method": "GET"}) == []


def test_input_that_leaves_cached_tokens_out_is_completed() -> None:
    usage = {
        conventions.GEN_AI_USAGE_INPUT_TOKENS: 50,
        conventions.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: 1000,
        conventions.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: 200,
    }
    event = counted(told(NOW | usage)[0])
    assert (event.input_tokens, event.cached_input_tokens) == (1250, 1000)


def test_the_resource_says_who_pays_unless_the_span_does() -> None:
    assert told(BEFORE, {"tenant.id": "initech"})[0]["tenant_id"] == "initech"
    assert told(NOW, {"tenant.id": "initech"})[0]["tenant_id"] == "acme"


def test_every_provider_of_the_conventions_that_has_prices_is_known_by_them() -> None:
    names = {one.value for one in conventions.GenAiProviderNameValues}
    names |= {one.value for one in conventions.GenAiSystemValues}
    table = DataSnapshot(providers, from_auto_update=False)
    unknown = set()
    for name in names:
        try:
            table.find_provider("any", otel_processor.PROVIDERS.get(name, name), None)
        except LookupError:
            unknown.add(name)
    assert unknown == {"ibm.watsonx.ai"}
    assert all(table.find_provider("any", name, None).id == name for name in otel_processor.PROVIDERS.values())


def test_what_an_instrumentation_got_wrong_does_not_reach_the_call(caplog: pytest.LogCaptureFixture) -> None:
    assert told(NOW | {conventions.GEN_AI_USAGE_INPUT_TOKENS: "many"}) == []
    assert "no cost record can be made of span chat" in caplog.text


def test_it_is_a_span_processor_that_says_whether_it_could_flush() -> None:
    processor = OutlaySpanProcessor("globex", Kept())
    assert isinstance(processor, SpanProcessor)
    assert processor.force_flush(1000) is True
    assert processor.force_flush(0) is False
    processor.on_end(ReadableSpan("no context"))
