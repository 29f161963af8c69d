"""What this machine lacks."""


class Unavailable(RuntimeError):
    """A server cannot run on this machine; the message says what is missing and how to get it."""
