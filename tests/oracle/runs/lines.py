"""Lines of the runs domain beside those of patterns and predictions; their order; what of two lines must be equal."""

from typing import Any

from tests.oracle import lines as cost_lines
from tests.oracle.lines import instant
from tests.oracle.records import parse_time
from tests.oracle.runs.tenant import Line
from tests.oracle.runs.walk import Judged
from tests.oracle.walk import Judged as CostJudged

_INSTANTS = ("active_since", "as_of", "cleared_at", "acknowledged_at", "expires_at", "occurred_at")


def dead_line(judged: Judged) -> Line:
    """Return the dead-letter line of a refused record."""
    refused = CostJudged(judged.partition, judged.offset, judged.entry, "dead", bad=judged.bad)
    return cost_lines.dead_line(refused) | {"topic": "runs"}


def late_line(judged: Judged) -> Line:
    """Return the line of a record that came too late to be counted; its cost is the one given, of any outcome."""
    run = judged.run
    assert run is not None
    return {
        "tenant_id": run.tenant_id,
        "source": run.source,
        "id": run.id,
        "occurred_at": instant(run.occurred_us),
        "partition": judged.partition,
        "offset": judged.offset,
        "reason": "too_old",
        "cost_nanousd": run.cost_nanousd,
    }


def feedback_order(line: Line) -> tuple[Any, ...]:
    """Return the place of a feedback line in a file."""
    at_us = parse_time(line["as_of"])
    return (line["tenant_id"], line["pattern_type"], line["signature"], at_us, line["feedback_id"])


def prediction_order(line: Line) -> tuple[Any, ...]:
    """Return the place of a prediction line in a file."""
    day = line["as_of"][:10]
    return (line["tenant_id"], day, line["subject_type"], line["subject_id"], line["prediction_type"])


def comparable(line: Line) -> Line:
    """Return what two programs must agree on in a line of any kind: instants as numbers, no wording of a refusal."""
    result = dict(line)
    for name in _INSTANTS:
        if result.get(name) is not None:
            result[name] = parse_time(result[name])
    if "value_base64" in result and result["reason"] != "future":
        result["reason"] = "refused"
    return result
