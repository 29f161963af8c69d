"""The LiteLLM callback, on what LiteLLM 1.106 handed to it: calls to a local server, by the Router, from its cache."""

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import litellm_callback
import pytest
from litellm_callback import OutlayLogger

from engines.cost.decode import CostEvent
from tests.examples.sink import Kept, counted

RECORDED = json.loads((Path(__file__).parent / "litellm_calls.json").read_text())
CALLS: dict[str, Any] = {one["name"]: one["kwargs"] for one in RECORDED}


def record_of(kwargs: dict[str, Any]) -> dict[str, object]:
    found = litellm_callback.cost_record(kwargs, "globex")
    assert found is not None
    return found


def known(name: str) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(CALLS[name])
    return found


def test_a_call_with_a_cached_prompt_is_counted_with_its_tokens_and_price() -> None:
    event = counted(record_of(known("anthropic with a cached prompt")))
    assert (event.tenant_id, event.feature_tag, event.user_id) == ("acme", "triage", "ana")
    assert (event.provider, event.model) == ("anthropic", "claude-sonnet-4-5")
    assert (event.input_tokens, event.cached_input_tokens, event.output_tokens) == (1250, 1000, 30)
    assert event.cost_nanousd == 1_650_000
    assert event.is_retry is False


def test_an_attempt_after_the_first_is_a_retry_and_the_model_loses_the_prefix_of_its_provider() -> None:
    event = counted(record_of(known("second attempt of the Router")))
    assert (event.is_retry, event.provider, event.model, event.user_id) == (True, "openai", "gpt-4o", "bob")
    assert (event.tenant_id, event.cached_input_tokens) == ("globex", 1024)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "answer from the cache"])
def test_each_call_is_accepted_and_a_repeated_callback_gives_the_same_record(name: str) -> None:
    first, again = record_of(known(name)), record_of(known(name))
    assert first == again
    assert isinstance(counted(first), CostEvent)


def test_an_answer_from_the_cache_of_litellm_is_no_spend() -> None:
    assert litellm_callback.cost_record(known("answer from the cache"), "globex") is None


def test_a_failed_call_is_no_spend() -> None:
    call = known("streamed")
    call["standard_logging_object"]["status"] = "failure"
    assert litellm_callback.cost_record(call, "globex") is None


def test_a_call_without_a_known_price_is_left_to_outlay() -> None:
    call = known("streamed")
    call["standard_logging_object"]["response_cost"] = 0.0
    assert "cost_cents" not in record_of(call)


def test_the_key_of_the_proxy_says_who_pays_unless_the_call_does() -> None:
    call = known("streamed")
    call["standard_logging_object"]["metadata"] |= {"user_api_key_team_id": "initech", "user_api_key_user_id": "eve"}
    assert (counted(record_of(call)).tenant_id, counted(record_of(call)).user_id) == ("initech", "eve")
    call["litellm_params"]["metadata"] = {"tenant_id": "hooli"}
    assert counted(record_of(call)).tenant_id == "hooli"


def test_both_callbacks_publish() -> None:
    kept = Kept()
    logger = OutlayLogger("globex", kept)
    logger.log_success_event(known("streamed"), None, None, None)
    asyncio.run(logger.async_log_success_event(kwargs=known("streamed"), response_obj=None, start_time=0, end_time=0))
    assert [one["id"] for one in kept.records] == [CALLS["streamed"]["standard_logging_object"]["id"]] * 2


def test_a_call_of_another_shape_is_logged_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    OutlayLogger("globex", kept).log_success_event({"standard_logging_object": {"status": "success"}}, None, None, None)
    assert kept.records == []
    assert "no cost record can be made of a call" in caplog.text
