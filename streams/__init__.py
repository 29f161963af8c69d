"""The shell: sources, chunk processing, publishing, the worker and the command line."""
