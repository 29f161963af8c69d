"""The programs in ``examples/``, taken apart and run."""
