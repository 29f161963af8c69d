"""The numbers of each part of a worker, as the settings choose them."""

from __future__ import annotations

from typing import Final

from drivers.kafka.member import MemberSettings
from drivers.postgres.connections import PostgresLimits
from drivers.settings import Settings
from engines.cost.fold import FoldLimits
from streams.feed import SourceSettings
from streams.health import HealthLimits
from streams.limits import ShellLimits

_SLICE_TENANTS: Final = {False: ShellLimits().close_slice_tenants, True: 4}
"""Tenants per step of a close. A forecast takes some 20 ms, and a tenant may have 50; a step ends within a session."""


def shell_limits(settings: Settings) -> ShellLimits:
    """Return the shell's numbers."""
    return ShellLimits(
        chunk_records=settings.chunk_records,
        pending_records=settings.pending_records,
        pending_outbox=settings.pending_outbox,
        cache_entities=settings.cache_entities,
        closed_ids_max=settings.closed_ids_max,
        idle_margin_s=settings.idle_margin_s,
        reclaim_after_s=settings.session_timeout_s + 2,
        dedup_days=settings.dedup_days,
        close_slice_tenants=_SLICE_TENANTS[settings.calibrated_predictions],
        dead_letters_max=settings.dead_letters_max,
        dead_letter_ratio=settings.dead_letter_ratio,
    )


def fold_limits(settings: Settings) -> FoldLimits:
    """Return what the cost domain is told."""
    return FoldLimits(settings.entities_per_tenant_day, settings.publish_snapshots, settings.calibrated_predictions)


def postgres_limits(settings: Settings) -> PostgresLimits:
    """Return how long anything may take in a database."""
    return PostgresLimits(
        idle_in_transaction_s=settings.database_idle_timeout_s,
        lock_s=settings.database_lock_timeout_s,
        statement_s=settings.database_statement_timeout_s,
        call_s=settings.database_call_timeout_s,
        connect_s=settings.database_connect_timeout_s,
    )


def source_settings(settings: Settings) -> SourceSettings:
    """Return how the worker is a member of its group, and when it is stuck."""
    member = MemberSettings(session_timeout_s=settings.session_timeout_s, instance_id=settings.kafka_instance_id)
    return SourceSettings(member=member, stall_s=settings.stall_s)


def health_limits(settings: Settings) -> HealthLimits:
    """Return what still counts as well."""
    return HealthLimits(loop_s=settings.live_loop_s, commit_age_s=settings.ready_commit_age_s)
