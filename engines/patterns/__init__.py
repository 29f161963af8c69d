"""The rules of runs: what errors have in common."""
