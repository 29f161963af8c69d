"""Deterministic simulation: the real shell on memory ports, under one seeded event loop that injects faults."""
