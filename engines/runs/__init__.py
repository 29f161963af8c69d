"""The rules of runs: failure patterns, cost spikes and predictions, as their events come."""
