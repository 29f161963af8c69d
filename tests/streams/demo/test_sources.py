"""What the demo publishes: each event of a file to the topic of its type, no faster than the worker reads."""

import json
from pathlib import Path

import pytest

from streams.demo.sources import listed, of_files, topic_of

CALL = b'{"tenant_id":"acme","id":"run-1","model":"gpt-4o"}'
RUN = b'{"type":"run-failed","tenant_id":"acme"}'


@pytest.mark.parametrize(
    "value,topic",
    [
        (CALL, "costs"),
        (RUN, "runs"),
        (b'{"type":"run-aborted"}', "runs"),
        (b'{"type":"cost","id":"run-1"}', "costs"),
        (b'{"type":7,"id":"run-1"}', "costs"),
        (b"run-failed", "costs"),
        (b'{"id":"run-1","type":"\xff"}', "costs"),
        (b"", "costs"),
    ],
)
def test_an_event_goes_to_the_topic_of_its_type(value: bytes, topic: str) -> None:
    assert topic_of(value) == topic


async def taken(path: Path, topic: str) -> tuple[list[bytes], list[int]]:
    asked: list[int] = []

    async def reached(of: str, records: int) -> None:
        assert of == topic
        asked.append(records)

    lines, values = of_files([str(path)], topic)(reached), []
    while block := await lines.take():
        values += [line.value for line in block.lines]
    return values, asked


async def test_a_file_is_divided_among_topics_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    events = [RUN if number % 3 else CALL for number in range(300)]
    path.write_bytes(b"\n".join(events))
    assert await taken(path, "runs") == ([RUN] * 200, [])
    assert await taken(path, "costs") == ([CALL] * 100, [])


async def test_no_more_than_the_worker_has_read_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    line = json.dumps({"type": "run-failed", "error": "e" * 50_000}).encode()
    path.write_bytes(b"\n".join([CALL, *[line] * 100]))
    values, asked = await taken(path, "runs")
    assert len(values) == 100
    assert len(asked) >= 2
    assert asked == sorted(asked)
    assert 0 < asked[0] < asked[-1] <= 100


async def test_lines_that_are_there_are_taken_in_blocks() -> None:
    async def never(_topic: str, _records: int) -> None:
        raise AssertionError

    lines = listed([b"%d" % number for number in range(1200)])(never)
    sizes = []
    while block := await lines.take():
        sizes.append(len(block.lines))
    assert sizes == [500, 500, 200]
