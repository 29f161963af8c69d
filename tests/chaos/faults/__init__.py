"""One module for each fault of the programme: `NAME` and `run(arena)`."""
