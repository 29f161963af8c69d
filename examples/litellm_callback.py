"""A LiteLLM callback that publishes what each call cost: ``litellm.callbacks = [OutlayLogger("acme")]``.

``pip install litellm confluent-kafka``; ``publish_confluent.py`` lies beside this file. In the proxy: name an instance
under ``litellm_settings: callbacks``. Who pays is said per call, ``metadata={"tenant_id": …, "feature_tag": …,
"user_id": …}``, or comes from the proxy's key: its team is the tenant, its user the user.

- Only successful calls are published: failed attempts report no usage. Answers from LiteLLM's own cache cost nothing.
- The id is that of the response, which a repeated callback repeats.
- LiteLLM's ``prompt_tokens`` hold cached ones, for each provider. Its price is sent where it knows one.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from litellm.integrations.custom_logger import CustomLogger
from publish_confluent import LOG, Costs

PROVIDERS = {"azure_ai": "azure", "fireworks_ai": "fireworks"}  # where genai-prices has other names


def cost_record(kwargs: Mapping[str, Any], default_tenant: str) -> dict[str, object] | None:
    """Return the record of one successful call, None when nothing was spent.

    Args:
        kwargs: what LiteLLM hands to its callbacks.
        default_tenant: whose call it is when nothing says so.
    """
    call = kwargs.get("standard_logging_object") or {}
    if call.get("status") != "success" or call.get("cache_hit"):
        return None
    key = call.get("metadata") or {}  # what LiteLLM knows of the caller
    said = (kwargs.get("litellm_params") or {}).get("metadata") or {}  # what the caller said
    usage = key.get("usage_object") or {}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    cost_usd = Decimal(str(call.get("response_cost") or 0))
    provider = call.get("custom_llm_provider") or ""
    record = {
        "id": call["id"],
        "tenant_id": said.get("tenant_id") or key.get("user_api_key_team_id") or default_tenant,
        "occurred_at": datetime.fromtimestamp(call["endTime"], UTC).isoformat(),
        "user_id": said.get("user_id") or key.get("user_api_key_user_id") or kwargs.get("user"),
        "feature_tag": said.get("feature_tag"),
        "request_id": call.get("trace_id"),  # the attempts of one request share it
        "provider": PROVIDERS.get(provider, provider),
        "model": call["model"].removeprefix(f"{provider}/"),  # the Router leaves it there
        "input_tokens": call["prompt_tokens"],
        "cached_input_tokens": min(cached, call["prompt_tokens"]),
        "output_tokens": call["completion_tokens"],
        "is_retry": bool(said.get("attempted_retries")),  # the Router counts them
        "cost_cents": float(cost_usd * 100) or None,  # LiteLLM says 0 when it knows no price
    }
    return {name: value for name, value in record.items() if value not in (None, "")}


class OutlayLogger(CustomLogger):  # type: ignore[misc] # LiteLLM need not be installed to check this
    """Publishes a record for each successful call, streamed and asynchronous ones too.

    Args:
        default_tenant: whose calls they are when nothing says so.
        costs: where records go; by default to the broker that ``OUTLAY_KAFKA_BOOTSTRAP_SERVERS`` names.
    """

    def __init__(self, default_tenant: str, costs: Costs | None = None) -> None:
        super().__init__()
        self._default_tenant = default_tenant
        self._costs = costs or Costs()

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:  # noqa: ANN401, ARG002
        """Publish what ended; LiteLLM calls this in a thread of its own."""
        try:
            record = cost_record(kwargs, self._default_tenant)
        except Exception:  # noqa: BLE001 -- a call of unexpected shape has been answered all the same
            LOG.exception("no cost record can be made of a call")
            return
        if record is not None:
            self._costs.publish(record)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:  # noqa: ANN401
        """Publish what ended; nothing in here waits."""
        self.log_success_event(kwargs, response_obj, start_time, end_time)


def main() -> None:
    """Publish one call that no provider hears of."""
    import litellm  # noqa: PLC0415 -- it takes seconds, and only this demonstration needs all of it

    litellm.callbacks = [OutlayLogger("globex")]
    asked = [{"role": "user", "content": "Is it going to rain?"}]
    litellm.completion("gpt-4o", asked, mock_response="It is.", metadata={"user_id": "ana", "feature_tag": "triage"})


if __name__ == "__main__":
    main()
