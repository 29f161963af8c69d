"""What is told of runs as people read it: since when, whose, what, in numbers, and how it stands."""

import pytest
from rich.console import Console

from streams.demo.notices import Expected, Feedback, Notice, Prediction, Spent
from streams.demo.table import WIDE, lines
from streams.demo.table_runs import cells, on_two_lines, table

LIKELY = Expected(recent_failures=12, total_runs=28)
DEARER = Expected(projected_cost_cents=300.8, historical_avg_cents=88.22)


def feedback(kind: str = "failure_pattern", template: str | None = "FeedError: <*> answered HTTP 503") -> Feedback:
    return Feedback(
        feedback_id="pf_1",
        revision=3,
        pattern_type=kind,
        tenant_id="umbrella-research",
        worker_id="paper-digest",
        status="active",
        active_since="2025-09-22T11:25:25.723699Z",
        occurrence_count=6,
        template=template,
        metadata=Spent(71.234, 116.88, 61.5) if kind == "cost_spike" else Spent(),
        proposal_eligible=True,
    )


def prediction(kind: str, value: Expected) -> Prediction:
    return Prediction("pr_1", 2, kind, "acme", "agent", "superseded", "2025-10-06T03:40:00Z", 0.643, value)


@pytest.mark.parametrize(
    "notice,says",
    [
        (feedback(), "6 in 24 h: FeedError: <*> answered HTTP 503"),
        (feedback("cost_spike", None), "$1.17 a run, $0.71 before; +62 %"),
        (prediction("failure_likelihood", LIKELY), "12 of 28 runs failed in 7 days; confidence 0.643"),
        (prediction("cost_overrun", DEARER), "$3.01 a run to come, $0.88 before; confidence 0.643"),
        (prediction("cost_overrun", Expected()), "- a run to come, - before; confidence 0.643"),
    ],
)
def test_each_kind_is_told_with_its_numbers(notice: Notice, says: str) -> None:
    since, who, kind, told, status = cells(notice)
    assert (told, kind, status) == (says, notice.kind, notice.status)
    assert since in {"2025-09-22 11:25", "2025-10-06 03:40"}
    assert who in {"umbrella-research paper-digest", "acme agent"}


def test_what_an_error_says_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in cells(feedback(template="\x1b[2Jgone"))[3]


def test_where_there_is_no_room_it_takes_two_lines() -> None:
    assert on_two_lines(feedback()) == (
        "2025-09-22\n11:25",
        "umbrella-research\npaper-digest",
        "failure_pattern\nactive",
        "6 in 24 h\nFeedError: <*> answered HTTP 503",
    )
    assert (
        on_two_lines(prediction("failure_likelihood", LIKELY))[3] == "12 of 28 runs failed in 7 days\nconfidence 0.643"
    )


@pytest.mark.parametrize("width", [100, WIDE])
def test_on_a_usual_terminal_nothing_but_a_long_error_is_cut(width: int) -> None:
    console = Console(width=width, color_system=None)
    told: list[Notice] = [feedback(), prediction("cost_overrun", DEARER), feedback("cost_spike", None)]
    with console.capture() as shown:
        console.print(table(told, width))
    assert "…" not in shown.get()
    assert len(shown.get().splitlines()) == 1 + lines(width) * len(told)
    with console.capture() as shown:
        console.print(table([feedback(template="Error " + "[word] " * 100)], width))
    assert shown.get().count("…") == 1
    assert "Error [word] [word]" in shown.get()
