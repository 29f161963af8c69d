"""The schemas are what is published, member by member, and the files that hold them are current."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from drivers import topics
from engines.core.time import format_instant
from streams.contracts import COST_RECORD, MESSAGES, RUN_EVENT, Message, message
from streams.demo.scenario import month
from streams.fates import FORWARDED_FROM
from tests import oracle
from tests.contracts.publishing import Published, published
from tests.docs.generated import SCHEMA_FILES, SHOWN, told_of_runs
from tests.oracle.runs.cases import CASES
from tests.oracle.runs.writing import Case
from tests.strategies import make_rich_stream, make_stream
from tests.streams.commands import run

TOPIC_OF = {topic.value_schema: topic for topic in topics.load().topics}
MESSAGE_OF = {TOPIC_OF[one.name].name: one for one in MESSAGES}
OF_RUNS = {"runs", "pattern-feedback", "predictions"}
each_message = pytest.mark.parametrize("one", MESSAGES, ids=lambda one: one.name)


def validator(one: Message) -> Draft202012Validator:
    return Draft202012Validator(one.schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def closed(schema: Any) -> Any:
    """Return *schema* as one that knows of no members but those it names."""
    if isinstance(schema, dict):
        inner = {name: closed(part) for name, part in schema.items()}
        return inner | ({"additionalProperties": False} if "properties" in inner else {})
    return [closed(part) for part in schema] if isinstance(schema, list) else schema


def check(messages: Sequence[Published]) -> Counter[str]:
    """Hold *messages* to their schemas, keys and headers; return how many there are on each topic.

    Of snapshots, of which there are very many, it is one in thirty.
    """
    messages = [one for at, one in enumerate(messages) if one.topic != "cost-snapshots" or at % 30 == 0]
    exact = {topic: Draft202012Validator(closed(one.schema())) for topic, one in MESSAGE_OF.items()}
    keys = {topic: Draft202012Validator(one.key_schema) for topic, one in MESSAGE_OF.items()}
    headers = {topic: Draft202012Validator(header_schema(one)) for topic, one in MESSAGE_OF.items()}
    for one in messages:
        if MESSAGE_OF[one.topic].comes_in:
            continue  # a forwarded record: its producer's bytes and headers
        exact[one.topic].validate(one.line)
        assert one.record.key is not None
        key = one.record.key.decode()
        keys[one.topic].validate(key)
        headers[one.topic].validate(one.headers)
        assert (key, *heads(one.headers)) == expected(one)
    return Counter(one.topic for one in messages)


def header_schema(told: Message) -> dict[str, Any]:
    properties = {name: schema for name, (_, schema) in told.headers.items()}
    return {"properties": properties, "required": list(properties), "additionalProperties": False}


def heads(headers: dict[str, str]) -> tuple[str, ...]:
    return tuple(headers[name] for name in ("ce_id", "ce_source", "ce_time"))


def expected(one: Published) -> tuple[str, ...]:
    """Return key, ce_id, ce_source and ce_time as the pages of the events tell them."""
    line = one.line
    if one.topic == "cost-anomaly-facts":
        identifier = line["anomaly_id"]
        return identifier, f"{identifier}:{line['revision']}", "outlay/cost", line["observed_at"]
    if one.topic == "cost-snapshots":
        parts = [line[name] for name in ("tenant_id", "entity_type", "entity_id", "window", "start")]
        text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
        return text, f"{text}:{line['version']}", "outlay/cost", line["start"]
    if one.topic in OF_RUNS:
        identifier = line["feedback_id" if one.topic == "pattern-feedback" else "prediction_id"]
        source = "outlay/cost" if line.get("prediction_type") == "month_end_spend" else "outlay/runs"
        return identifier, f"{identifier}:{line['revision']}", source, line["as_of"]
    if one.topic == "dead-letters":
        place = f"{line['topic']}/{line['partition']}/{line['offset']}"
        return place, place, "outlay", one.headers["ce_time"]
    place = f"costs/{line['partition']}/{line['offset']}"
    return line["tenant_id"], f"late:{place}", "outlay", line["occurred_at"]


@each_message
def test_a_schema_is_one_and_its_file_is_current(one: Message) -> None:
    Draft202012Validator.check_schema(one.schema())
    assert SCHEMA_FILES[one.name].read_text() == json.dumps(one.schema(), indent=2) + "\n"


@each_message
def test_everything_in_a_schema_is_described(one: Message) -> None:
    schema = one.schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    members = [member for part in parts for member in part.get("properties", {}).items()]
    assert [name for name, member in members if not member.get("description")] == []


def test_there_is_a_schema_for_each_topic() -> None:
    assert {one.name for one in MESSAGES} == set(TOPIC_OF)
    assert message("dead-letter").title == "Dead letter"


def test_all_that_the_demo_makes_a_worker_publish_is_as_its_schema_says() -> None:
    made = month(1)
    budgets = [_budget(one.tenant_id, one.monthly_usd * 100) for one in made.budgets]
    stream = [oracle.LogRecord(line) for line in made.lines]
    found = asyncio.run(published(stream, settings=budgets, chunk=2_000))
    told = check(found)
    assert min(told[topic] for topic in MESSAGE_OF.keys() - OF_RUNS - {"costs"} | {"predictions"}) > 0
    accepts = validator(message(COST_RECORD))
    assert sum(not accepts.is_valid(json.loads(line)) for line in made.lines) == made.dead


def _budget(tenant_id: str, monthly_cents: int) -> oracle.Setting:
    body = {
        "budget_type": "tenant",
        "entity_id": tenant_id,
        "daily_limit_cents": None,
        "monthly_limit_cents": monthly_cents,
        "warn_threshold_pct": 80,
        "hard_limit_enabled": False,
        "is_active": True,
    }
    return oracle.Setting("budget", tenant_id, None, body)


@pytest.mark.parametrize("seed", range(6))
def test_all_that_is_published_of_rich_weeks_is_as_its_schema_says(seed: int) -> None:
    rich = make_rich_stream(seed)
    profile = ("standard", "reference")[seed % 2]
    found = asyncio.run(published(rich.log, settings=rich.settings(2), profile=profile))
    assert check(found)["cost-snapshots"] > 0


def test_dead_late_and_forwarded_records_are_as_they_are_described() -> None:
    counted: Counter[str] = Counter()
    for seed in range(4):
        found = asyncio.run(published(make_stream(seed), chunk=50))
        counted += check(found)
        for one in found:
            if one.topic == "costs":
                *_, (name, place) = one.record.headers
                assert (name, place.decode().rpartition("/")[0][:-1]) == (FORWARDED_FROM, "costs/")
                assert {name for name, _ in one.record.headers} <= {FORWARDED_FROM} | _sent_headers(seed)
    assert min(counted[topic] for topic in ("costs", "dead-letters", "late-records")) > 0


def _sent_headers(seed: int) -> set[str]:
    return {name for entry in make_stream(seed) for name, _ in entry.headers}


def test_the_time_of_a_dead_letter_is_the_append_time_of_its_record() -> None:
    stream = [oracle.LogRecord(b"no JSON", append_us=1_700_000_000_123_000)]
    [dead] = asyncio.run(published(stream, partitions=1))
    assert (dead.topic, dead.headers["ce_time"]) == ("dead-letters", format_instant(1_700_000_000_123_000))


@pytest.mark.parametrize("profile", ["standard", "reference"])
def test_what_replay_writes_of_the_example_is_as_the_schemas_say(
    profile: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = {"facts": "cost-anomaly-fact", "snapshots": "cost-snapshot", "dead": "dead-letter", "late": "late-record"}
    wanted = [word for name in names for word in (f"--{name}", str(tmp_path / name))]
    options = ("--budgets", "examples/budgets.jsonl", "--rules", profile)
    assert run(capfd, "replay", "--in-memory", "examples/calls.jsonl", *options, *wanted).code == 0
    for name, schema in names.items():
        lines = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert lines
        for line in lines:
            Draft202012Validator(closed(message(schema).schema())).validate(line)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_runs_lead_to_is_as_the_schemas_say(case: Case) -> None:
    outcome = case.evaluate()
    for name, lines in (("pattern-feedback", outcome.feedback), ("prediction", outcome.predictions)):
        exact = Draft202012Validator(closed(message(name).schema()))
        for line in lines:
            exact.validate(line)


def test_how_likely_runs_are_to_fail_is_as_the_schema_says(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "predictions"
    options = ("--close-all", "--calibrated", "--predictions", str(written))
    assert run(capfd, "replay", "--in-memory", "examples/runs.jsonl", *options).code == 0
    lines = [json.loads(line) for line in written.read_text().splitlines()]
    assert "failure_probability" in {line["prediction_type"] for line in lines}
    for line in lines:
        Draft202012Validator(closed(message("prediction").schema())).validate(line)


def test_the_messages_that_the_pages_show_of_runs_are_as_they_are_described() -> None:
    counted = check(told_of_runs())
    assert counted.keys() == OF_RUNS - {"runs"}
    accepts = validator(message(RUN_EVENT))
    lines = SHOWN[RUN_EVENT][0].read_text().splitlines()
    assert [json.loads(line)["run_id"] for line in lines if not accepts.is_valid(json.loads(line))] == ["run-bad"]


def test_a_member_more_or_less_would_be_found() -> None:
    exact = Draft202012Validator(closed(message("late-record").schema()))
    line = {
        "tenant_id": "acme",
        "source": "",
        "id": "call-1",
        "occurred_at": "2025-09-08T23:59:30Z",
        "partition": 0,
        "offset": 81,
        "reason": "too_old",
        "cost_nanousd": None,
    }
    assert exact.is_valid(line)
    assert not exact.is_valid(line | {"more": 1})
    assert not exact.is_valid({name: value for name, value in line.items() if name != "source"})
    assert not exact.is_valid(line | {"occurred_at": "2025-09-08"})
    assert validator(message("late-record")).is_valid(line | {"more": 1})


def test_a_schema_can_be_printed_and_a_wrong_name_is_told_the_nearest(capfd: pytest.CaptureFixture[str]) -> None:
    ran = run(capfd, "schemas", "cost-record")
    assert (ran.code, json.loads(ran.out)) == (0, message(COST_RECORD).schema())
    assert set(run(capfd, "schemas").summary) == {one.name for one in MESSAGES}
    wrong = run(capfd, "schemas", "cost-fact")
    assert (wrong.code, wrong.err) == (2, "outlay: there is no message 'cost-fact'; cost-anomaly-fact?\n")
