"""The failures that have an owner outside the code that meets them (docs/architecture.md, Failures).

``OutlayError``
├── ``Transient``      the database or broker is away or busy: retry in place, for ever
├── ``DataRefused``    the database will never take this data: climb down the failure ladder
├── ``SettingsMoved``  a close did not know the newest settings row: start again from the position
├── ``PositionRefused``  the log is not the one the position speaks of: stop the partition, loudly
├── ``Halt``           the worker must end, non-zero: an operator decides
└── ``SettingsError``  the worker must not start: the settings are wrong

Expected answers (a duplicate, a fenced commit, an invalid record) are values, never exceptions.
"""

from __future__ import annotations


class OutlayError(Exception):
    """Base of every error Outlay raises on purpose."""


class Transient(OutlayError):
    """A dependency is away or busy; whoever sees this retries the same call with backoff, for ever."""


class DataRefused(OutlayError):
    """The database refuses the data itself (SQLSTATE classes 22 and 23), so a retry cannot help."""


class SettingsMoved(OutlayError):
    """There is a settings row that the closes in a batch did not know; nothing was committed."""


class PositionRefused(OutlayError):
    """The position and the log do not belong together; the partition waits for ``outlay positions accept``."""


class Halt(OutlayError):
    """The worker must end with a non-zero exit code and this reason."""


class SettingsError(OutlayError):
    """The settings, the topic list or the database's version are wrong; shown as one line at start."""
