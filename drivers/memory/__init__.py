"""In-memory versions of the ports, for replay, simulation and tests."""
