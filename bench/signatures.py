"""``python -m bench.signatures FILE``: how well signatures group messages whose true event is known, and how fast.

FILE holds JSON lines with ``message``, ``event`` (the truth) and ``system``, as made from the corrected 2k samples of
loghub-2.0; it may be gzipped. GA, grouping accuracy, is the share of messages whose group is exactly an event's; FGA,
the F1 of group accuracy, is the harmonic mean of the shares of groups, and of events, that are exact. Events are few
and unequal: GA is ruled by the frequent ones, FGA counts each alike.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import platform
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engines.patterns.signature import compute_error_signature
from engines.patterns.signature_v2 import compute_signature_v2, template_of

Grouping = Callable[[Sequence[str]], list[str]]

_MASKS: Final = (
    (r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.])", "IP"),
    (r"(?<!\w)0x[0-9a-fA-F]+(?!\w)", "HEX"),
    (r"(?<!\w)[+-]?\d+(?:\.\d+)?(?!\w)", "NUM"),
)
"""What Drain3's own example masks before it parses: addresses, hexadecimal numbers, numbers."""


class Message(msgspec.Struct):
    """One line of FILE."""

    message: str
    event: str
    system: str = "all"


class Score(NamedTuple):
    """How groups compare with events."""

    accuracy: float
    f1: float
    groups: int
    events: int


def score(groups: Sequence[str], events: Sequence[str]) -> Score:
    """Return GA and FGA of messages that are in *groups* and belong to *events*, place by place."""
    sizes = Counter(events)
    members = defaultdict[str, list[str]](list)
    for group, event in zip(groups, events, strict=True):
        members[group].append(event)
    exact = [held for held in members.values() if len(set(held)) == 1 and len(held) == sizes[held[0]]]
    f1 = 2 * len(exact) / (len(members) + len(sizes))
    return Score(sum(map(len, exact)) / len(events), f1, len(members), len(sizes))


def groupings() -> dict[str, Grouping]:
    """Return what is compared, by name; Drain3 if it is installed."""
    found: dict[str, Grouping] = {
        "raw text": list,
        "sig_v1": lambda messages: [compute_error_signature(message) for message in messages],
        "sig_v2": lambda messages: [compute_signature_v2(message) for message in messages],
    }
    if find_spec("drain3"):
        found["Drain3"] = lambda messages: _drain(messages, masks=False)
        found["Drain3, numbers masked"] = lambda messages: _drain(messages, masks=True)
    return found


def _drain(messages: Sequence[str], *, masks: bool) -> list[str]:
    """Return the clusters of Drain3 at its defaults; it learns as it reads, so they depend on the order."""
    config: Any = importlib.import_module("drain3.template_miner_config").TemplateMinerConfig()
    if masks:
        instruction = importlib.import_module("drain3.masking").MaskingInstruction
        config.masking_instructions = [instruction(pattern, name) for pattern, name in _MASKS]
    miner: Any = importlib.import_module("drain3").TemplateMiner(config=config)
    return [str(miner.add_log_message(message)["cluster_id"]) for message in messages]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.signatures", description=__doc__)
    parser.add_argument("file", type=Path, help="JSON lines with message, event, system; .gz is read, too")
    parser.add_argument("--misses", metavar="SYSTEM", help="show what sig_v2 splits and merges in this system instead")
    arguments = parser.parse_args()
    console = Console()
    systems = _read(arguments.file)
    if arguments.misses:
        for line in _misses(systems[arguments.misses]):
            console.print(escape(line), soft_wrap=True)
        return
    chosen = groupings()
    console.print(_scores(systems, chosen))
    console.print(_speeds([held.message for messages in systems.values() for held in messages]))
    if "Drain3" not in chosen:
        console.print("Drain3 is not installed; `pip install drain3` shows it beside these.")


def _read(path: Path) -> dict[str, list[Message]]:
    content = path.read_bytes()
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    systems = defaultdict[str, list[Message]](list)
    for message in msgspec.json.Decoder(Message).decode_lines(content):
        systems[message.system].append(message)
    return systems


def _scores(systems: dict[str, list[Message]], chosen: dict[str, Grouping]) -> Table:
    table = Table("system", "messages", "events", *(f"{name}\nGA   FGA   groups" for name in chosen))
    of_name = defaultdict[str, list[Score]](list)
    for system, messages in systems.items():
        for name, group in chosen.items():
            groups = group([held.message for held in messages])
            of_name[name].append(score(groups, [held.event for held in messages]))
        scores = [of_name[name][-1] for name in chosen]
        cells = (f"{each.accuracy:.3f} {each.f1:.3f} {each.groups:6}" for each in scores)
        table.add_row(system, str(len(messages)), str(scores[0].events), *cells)
    table.add_section()
    means = (
        f"{statistics.mean(each.accuracy for each in scores):.3f} {statistics.mean(each.f1 for each in scores):.3f}"
        for scores in of_name.values()
    )
    table.add_row("mean", "", "", *means)
    return table


def _speeds(messages: Sequence[str], rounds: int = 3) -> Table:
    """Return the processor time per message of the signatures, each round in turn, and their ratio."""
    taken = defaultdict[str, list[float]](list)
    for _ in range(rounds):
        for name, sign in (("sig_v1", compute_error_signature), ("sig_v2", compute_signature_v2)):
            started = time.process_time()
            for message in messages:
                sign(message)
            taken[name].append((time.process_time() - started) * 1e6 / len(messages))
    table = Table("signature", "µs per message", "of sig_v1", title=f"Python {platform.python_version()}")
    base = statistics.median(taken["sig_v1"])
    for name, figures in taken.items():
        table.add_row(name, f"{statistics.median(figures):.1f}", f"{statistics.median(figures) / base:.1f}")
    return table


def _misses(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the events that have several templates, and the templates of several events."""
    of_event, of_template = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
    for held in messages:
        template = template_of(held.message).lower()
        of_event[held.event][template] += 1
        of_template[template][held.event] += 1
    for event, templates in of_event.items():
        if len(templates) > 1:
            yield f"{event} has {len(templates)} templates:"
            yield from (f"  {count:6} {template}" for template, count in templates.most_common())
    for template, events in of_template.items():
        if len(events) > 1:
            yield f"{', '.join(f'{event} ({count})' for event, count in events.items())} have one: {template}"


if __name__ == "__main__":
    main()
