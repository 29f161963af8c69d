"""Backtests: predictions told again on what is known by now, beside simple ways of telling (docs/predictions.md)."""
