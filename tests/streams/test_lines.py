"""Lines of files: what counts as one, where it stands, and in which order several files come."""

import gzip
import json
from pathlib import Path

import pytest

from streams.lines import InputUnreadable, Line, LineReader


async def read(*paths: Path) -> list[Line]:
    reader = LineReader([str(path) for path in paths])
    lines: list[Line] = []
    while block := await reader.take():
        lines += block.lines
    return lines


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def event(second: int, identifier: str = "e") -> bytes:
    return json.dumps({"id": identifier, "occurred_at": f"2026-03-01T00:00:{second:02d}Z"}).encode()


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
async def test_bytes_stay_as_they_are_and_blank_lines_only_count_as_numbers(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, b'{"a": 1}\r\n\n \t\r\n\xff\x00\n{"b":2}')
    assert await read(path) == [Line(0, 1, b'{"a": 1}\r'), Line(0, 4, b"\xff\x00"), Line(0, 5, b'{"b":2}')]


async def test_a_file_that_ends_with_a_newline_has_no_line_after_it(tmp_path: Path) -> None:
    assert await read(write(tmp_path / "a", b"x\ny\n")) == [Line(0, 1, b"x"), Line(0, 2, b"y")]
    assert await read(write(tmp_path / "b", b"")) == []


async def test_lines_longer_than_a_read_stay_whole(tmp_path: Path) -> None:
    values = [b"a" * 700_000, b"b", b"c" * 300_001, b"d" * 262_144]
    path = write(tmp_path / "a.jsonl", b"\n".join(values))
    assert [line.value for line in await read(path)] == values


async def test_several_files_are_merged_by_event_time(tmp_path: Path) -> None:
    first = write(tmp_path / "a", b"\n".join(event(second) for second in (1, 4, 4, 9)))
    second = write(tmp_path / "b.gz", b"\n".join(event(second) for second in (0, 4, 5, 20)))
    merged = await read(first, second)
    assert [(line.source, line.number) for line in merged] == [
        (1, 1),
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 2),
        (1, 3),
        (0, 4),
        (1, 4),
    ]


async def test_a_line_without_a_time_goes_with_the_one_before_it(tmp_path: Path) -> None:
    first = write(tmp_path / "a", b"\n".join([event(1), b"nonsense", b'{"occurred_at": "soon"}', event(30)]))
    second = write(tmp_path / "b", b"\n".join([b"[1]", event(2)]))
    merged = await read(first, second)
    assert [(line.source, line.number) for line in merged] == [(1, 1), (0, 1), (0, 2), (0, 3), (1, 2), (0, 4)]


async def test_offsets_are_part_of_the_time(tmp_path: Path) -> None:
    first = write(tmp_path / "a", b'{"occurred_at": "2026-03-01T02:00:00+02:00"}')
    second = write(tmp_path / "b", b'{"occurred_at": "2026-02-28T23:59:59Z"}')
    assert [line.source for line in await read(first, second)] == [1, 0]


@pytest.mark.parametrize("merged", [False, True])
async def test_a_file_that_breaks_off_gives_what_it_holds_and_then_says_where(tmp_path: Path, merged: bool) -> None:
    whole = gzip.compress(b"\n".join(event(second % 60, f"{second:06d}") for second in range(40_000)))
    path = tmp_path / "cut.gz"
    path.write_bytes(whole[: len(whole) // 2])
    others = [str(write(tmp_path / "b", event(59)))] if merged else []
    reader = LineReader([str(path), *others])
    lines: list[Line] = []

    async def read_all() -> None:
        while block := await reader.take():
            lines.extend(block.lines)

    with pytest.raises(InputUnreadable, match=r"cut\.gz: unreadable after line [0-9]+: "):
        await read_all()
    mine = [line for line in lines if line.source == 0]
    assert len(mine) > 1000
    assert [line.number for line in mine] == list(range(1, len(mine) + 1))


def test_a_missing_file_is_noticed_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match=r"nowhere\.jsonl: No such file or directory"):
        LineReader([str(write(tmp_path / "a", b"x")), str(tmp_path / "nowhere.jsonl")])
    with pytest.raises(InputUnreadable, match="Is a directory"):
        LineReader([str(tmp_path)])


async def test_bytes_read_grow_to_the_size_of_all_files(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", b"x\n" * 200_000), write(tmp_path / "b.gz", b"y\n" * 10)
    reader = LineReader([str(first), str(second)])
    seen = []
    while block := await reader.take():
        seen.append(block.bytes_read)
    assert seen == sorted(seen)
    assert seen[-1] == reader.total_bytes == first.stat().st_size + second.stat().st_size


async def test_after_a_stop_there_is_no_more(tmp_path: Path) -> None:
    reader = LineReader([str(write(tmp_path / "a", b"x\n" * 2_000_000))])
    assert await reader.take() is not None
    reader.stop()
    assert await reader.take() is None
