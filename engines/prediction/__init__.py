"""Predictions about runs and spend: the reference's two rules, two calibrated ones, and how all are scored.

One invariant: every prediction is a function of what happened before it; it is advisory, and changes no run and no
cost (CONTRACT §7).
"""
