"""Failure patterns: one error three times within 24 hours (CONTRACT §7).

A pattern is in force at an instant when three and more failures of its key lie in the 24 hours up to it, both ends
included; a stretch of such instants is an activation, and the line tells of the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engines.patterns.signature import compute_error_signature
from engines.patterns.signature_v2 import compute_signature_v2, template_of
from tests.oracle.lines import instant
from tests.oracle.records import DAY_US
from tests.oracle.runs.record import Run
from tests.oracle.runs.tenant import Line, Tenant, acknowledged, hashed

WINDOW_US = DAY_US
FAILURES_MIN = 3
PROVENANCE_MAX = 100


@dataclass(frozen=True)
class Activation:
    """A stretch of instants in which a pattern is in force; the last is the one before `end_us`."""

    since_us: int
    end_us: int


def keys(tenant: Tenant) -> dict[str, list[Run]]:
    """Return the tenant's failures by the signature of what they said, in order; those that said nothing not."""
    found: dict[str, list[Run]] = {}
    for run in tenant.runs:
        if run.failure is not None:
            found.setdefault(compute_signature_v2(run.failure), []).append(run)
    return found


def window(failures: Sequence[Run], at_us: int) -> list[Run]:
    """Return the failures in the 24 hours up to an instant."""
    return [run for run in failures if at_us - WINDOW_US <= run.occurred_us <= at_us]


def activations(failures: Sequence[Run]) -> list[Activation]:
    """Return the stretches in which there are enough failures, in order.

    The count changes only where a failure enters, and one microsecond past where it is last in the window.
    """
    turns = {run.occurred_us for run in failures} | {run.occurred_us + WINDOW_US + 1 for run in failures}
    found, since = [], None
    for at_us in sorted(turns):
        enough = len(window(failures, at_us)) >= FAILURES_MIN
        if enough and since is None:
            since = at_us
        elif not enough and since is not None:
            found.append(Activation(since, at_us))
            since = None
    return found


def patterns(tenant: Tenant) -> list[Line]:
    """Return a line for each error that ever was a pattern."""
    found = keys(tenant).items()
    return [_line(tenant, signature, failures) for signature, failures in found if activations(failures)]


def dues(tenant: Tenant) -> list[int]:
    """Return the instants from which on a pattern is no longer in force."""
    return [stretch.end_us for failures in keys(tenant).values() for stretch in activations(failures)]


def naming(tenant: Tenant, worker_id: str, at_us: int) -> int:
    """Return how many patterns in force at an instant name this worker.

    Whom one names is said by the earliest failure in the 24 hours up to its newest.
    """
    count = 0
    for failures in keys(tenant).values():
        known = [run for run in failures if run.occurred_us <= at_us]
        if len(window(known, at_us)) >= FAILURES_MIN:
            count += window(known, known[-1].occurred_us)[0].worker_id == worker_id
    return count


def _line(tenant: Tenant, signature: str, failures: Sequence[Run]) -> Line:
    last = activations(failures)[-1]
    newest_us = max(run.occurred_us for run in failures if last.since_us <= run.occurred_us < last.end_us)
    active = failures[-1].occurred_us == newest_us and not tenant.is_settled(last.end_us)
    feedback_id = hashed("pf_", [tenant.tenant_id, signature])
    seen = acknowledged(tenant, feedback_id, last.since_us)
    records = tenant.through(newest_us) if active else tenant.before(last.end_us)
    return {
        "feedback_id": feedback_id,
        "tenant_id": tenant.tenant_id,
        "pattern_type": "failure_pattern",
        "severity": "warning",
        "status": "active" if active else "cleared",
        "active": active,
        "signature": signature,
        **_content(window(failures, newest_us)),
        "time_window_minutes": 1440,
        "threshold_used": "threshold=3",
        "active_since": instant(last.since_us),
        "as_of": instant(newest_us),
        "cleared_at": None if active else instant(last.end_us),
        **seen,
        "proposal_eligible": active and not seen["acknowledged"],
        "revision": 2 * (records + len(tenant.rows(feedback_id))) + (not active),
    }


def _content(failures: Sequence[Run]) -> Line:
    earliest = failures[0]
    text = earliest.failure
    assert text is not None
    template = template_of(text)
    return {
        "sig_v1": compute_error_signature(text),
        "template": template[:500],
        "description": f"{len(failures)} failed runs with one error within 24 h: {template[:120]}",
        "worker_id": earliest.worker_id,
        "sample_error": text[:500],
        "occurrence_count": len(failures),
        "provenance": [run.run_id for run in failures[-PROVENANCE_MAX:]],
        "metadata": {"worker_id": earliest.worker_id},
    }
