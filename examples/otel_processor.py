"""An OpenTelemetry span processor that publishes what each GenAI span cost.

``pip install opentelemetry-sdk confluent-kafka``; ``publish_confluent.py`` lies beside this file::

    provider = TracerProvider()
    provider.add_span_processor(OutlaySpanProcessor("acme"))

It reads the attributes of the semantic conventions, those before 1.37 and OpenLLMetry's included. Two things to know:

- The id is ``gen_ai.response.id``, so that two instrumentations that tell of one call count once; without it, those of
  trace and span.
- A span that the sampler drops never gets here, and its money is missing: sample with RECORD_ONLY, or behind this.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from publish_confluent import LOG, Costs

MODEL = ("gen_ai.response.model", "gen_ai.request.model")
PROVIDER = ("gen_ai.provider.name", "gen_ai.system")
INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
CACHED = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens")
CACHE_WRITTEN = ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens")
TENANT = ("tenant.id", "tenant_id")
USER = ("user.id", "enduser.id")
FEATURE = ("feature.tag", "feature_tag")
SPENDING = {None, "chat", "text_completion", "generate_content", "embeddings"}
"""Operations that cost something themselves: the spans of agents and workflows hold the sums of others."""
PROVIDERS = {
    "gcp.gen_ai": "google",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "x_ai": "x-ai",
}
"""Where genai-prices has other names."""


def cost_record(span: ReadableSpan, default_tenant: str) -> dict[str, object] | None:
    """Return the record of *span*, None when it is not a model's call or tells of no usage.

    Args:
        default_tenant: whose call it is when neither span nor resource says so.
    """
    said: Mapping[str, Any] = span.attributes or {}
    model, used_in, used_out = _first(said, MODEL), _first(said, INPUT), _first(said, OUTPUT)
    if said.get("gen_ai.operation.name") not in SPENDING or model is None or (used_in is None and used_out is None):
        return None
    input_tokens, cached, written = used_in or 0, _first(said, CACHED) or 0, _first(said, CACHE_WRITTEN) or 0
    if cached + written > input_tokens:  # against the conventions, some leave cached ones out, as Anthropic's API does
        input_tokens += cached + written
    provider = _first(said, PROVIDER)
    place = span.get_span_context()
    trace_id, span_id = (f"{place.trace_id:032x}", f"{place.span_id:016x}") if place else ("", "")
    record = {
        "id": said.get("gen_ai.response.id") or f"{trace_id}-{span_id}",
        "tenant_id": _first(said, TENANT) or _first(span.resource.attributes, TENANT) or default_tenant,
        "occurred_at": datetime.fromtimestamp((span.end_time or 0) / 10**9, UTC).isoformat(),
        "user_id": _first(said, USER),
        "feature_tag": _first(said, FEATURE),
        "request_id": trace_id,
        "workflow_id": said.get("gen_ai.conversation.id"),
        "skill_id": said.get("gen_ai.agent.name"),
        "provider": PROVIDERS.get(provider, provider) if provider else None,
        "model": model,
        "input_tokens": input_tokens,
        "cached_input_tokens": cached,
        "output_tokens": used_out or 0,
        "is_retry": bool(said.get("http.request.resend_count")),
    }
    return {name: value for name, value in record.items() if value not in (None, "")}


class OutlaySpanProcessor(SpanProcessor):
    """Publishes a record for each span of a model's call, when it ends.

    Args:
        default_tenant: whose calls they are when neither span nor resource says so.
        costs: where records go; by default to the broker that ``OUTLAY_KAFKA_BOOTSTRAP_SERVERS`` names.
    """

    def __init__(self, default_tenant: str, costs: Costs | None = None) -> None:
        self._default_tenant = default_tenant
        self._costs = costs or Costs()

    def on_end(self, span: ReadableSpan) -> None:
        """Publish *span*; this runs in the thread of the call, so it neither waits nor raises."""
        try:
            record = cost_record(span, self._default_tenant)
        except Exception:  # noqa: BLE001 -- what an instrumentation wrote must not end the call it watches
            LOG.exception("no cost record can be made of span %s", span.name)
            return
        if record is not None:
            self._costs.publish(record)

    def shutdown(self) -> None:
        """Send what is left, for a while."""
        self._costs.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return whether everything was sent in time."""
        return self._costs.flush(timeout_millis / 1000)


def _first(said: Mapping[str, Any], names: tuple[str, ...]) -> Any:  # noqa: ANN401 -- whatever an attribute may be
    return next((said[name] for name in names if said.get(name) is not None), None)


def main() -> None:
    """Publish one span as an instrumentation would end it."""
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 -- a service has one already

    provider = TracerProvider()
    provider.add_span_processor(OutlaySpanProcessor("globex"))
    with provider.get_tracer("example").start_as_current_span("chat gpt-4o") as span:
        span.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.response.model": "gpt-4o-2024-08-06",
                "gen_ai.usage.input_tokens": 1200,
                "gen_ai.usage.output_tokens": 300,
                "user.id": "ana",
                "feature.tag": "triage",
            }
        )
    provider.shutdown()


if __name__ == "__main__":
    main()
