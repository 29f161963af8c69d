"""A fact in a few words: what it is, why, and by which numbers."""

from __future__ import annotations

from typing import Final

from engines.core.money import NANOUSD_PER_USD
from streams.demo.board import Evidence, Fact

_DRIFT_DAYS: Final = 7
_CENTS_PER_USD: Final = 100


def usd(nanousd: int) -> str:
    """Return money for people, cut to cents."""
    return f"${nanousd // (NANOUSD_PER_USD // _CENTS_PER_USD) / _CENTS_PER_USD:,.2f}"


def what(fact: Fact) -> str:
    """Return what kind of fact it is, and how long it has gone on."""
    if fact.period is not None:
        return f"{fact.anomaly_type}, {fact.period}"
    return fact.anomaly_type if fact.breach_count == 1 else f"{fact.anomaly_type}, day {fact.breach_count}"


def why(fact: Fact) -> str:
    """Return the cause of *fact* with its numbers, or the limit it is beyond."""
    if fact.budget is not None:
        return f"{fact.budget.usage_pct:.0f} % of {usd(fact.budget.limit_cents * NANOUSD_PER_USD // _CENTS_PER_USD)}"
    told = "" if fact.cause_evidence is None else _numbers(fact, fact.cause_evidence)
    return f"{fact.derived_cause}: {told}" if told else fact.derived_cause


def _numbers(fact: Fact, found: Evidence) -> str:
    before = found.baseline_requests
    if fact.derived_cause == "FEATURE_SURGE":
        then = _pct(found.baseline_feature_nanousd, found.baseline_tagged_nanousd)
        return f"{found.feature_tag} {then} -> {_pct(found.feature_nanousd, found.tagged_nanousd)} % of spend"
    if not found.requests or not before:
        return ""
    if fact.derived_cause == "RETRY_LOOP":
        then = _pct(found.baseline_retry_requests, before)
        return f"{then} -> {_pct(found.retry_requests, found.requests)} % retries"
    if fact.derived_cause == "PROMPT_GROWTH":
        return f"{found.baseline_input_tokens // before:,} -> {found.input_tokens // found.requests:,} tokens a call"
    if fact.derived_cause == "TRAFFIC_GROWTH":
        days = _DRIFT_DAYS if fact.anomaly_type == "SUSTAINED_DRIFT" else 1
        return f"{before // max(found.baseline_days, 1):,} -> {found.requests // days:,} calls a day"
    return ""


def _pct(part: int | None, whole: int | None) -> int:
    return 100 * (part or 0) // whole if whole else 0
