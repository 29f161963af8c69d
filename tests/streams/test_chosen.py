"""Settings reach the part they are for."""

from drivers.settings import Settings
from streams.chosen import fold_limits, health_limits, shell_limits, source_settings
from streams.limits import ShellLimits


def test_the_times_of_the_watchdog_and_of_health_are_settings() -> None:
    settings = Settings(stall_s=7, session_timeout_s=9, live_loop_s=11, ready_commit_age_s=13)
    chosen = source_settings(settings)
    assert (chosen.stall_s, chosen.member.session_timeout_s) == (7, 9)
    limits = health_limits(settings)
    assert (limits.loop_s, limits.commit_age_s) == (11, 13)


def test_forecasts_are_off_unless_asked_for_and_closes_go_in_smaller_steps_then() -> None:
    plain, calibrated = Settings(), Settings(calibrated_predictions=True)
    assert (fold_limits(plain).forecasts, fold_limits(calibrated).forecasts) == (False, True)
    assert shell_limits(plain).close_slice_tenants == ShellLimits().close_slice_tenants
    assert shell_limits(calibrated).close_slice_tenants < shell_limits(plain).close_slice_tenants
