"""Benchmarks: what a record costs, from the bare loop to durable end to end."""
