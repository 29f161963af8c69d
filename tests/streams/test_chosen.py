"""Settings reach the part they are for."""

from drivers.settings import Settings
from streams.chosen import health_limits, source_settings


def test_the_times_of_the_watchdog_and_of_health_are_settings() -> None:
    settings = Settings(stall_s=7, session_timeout_s=9, live_loop_s=11, ready_commit_age_s=13)
    chosen = source_settings(settings)
    assert (chosen.stall_s, chosen.member.session_timeout_s) == (7, 9)
    limits = health_limits(settings)
    assert (limits.loop_s, limits.commit_age_s) == (11, 13)
