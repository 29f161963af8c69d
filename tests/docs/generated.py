"""What of the documents is made by the program: ``python -m tests.docs.generated`` writes it, tests hold it current."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from streams.contracts import MESSAGES

SCHEMA_FILES: Final = {
    "cost-record": Path("engines/cost/schemas/cost-record.json"),
    "cost-anomaly-fact": Path("engines/cost/schemas/cost-anomaly-fact.json"),
    "cost-snapshot": Path("engines/cost/schemas/cost-snapshot.json"),
    "dead-letter": Path("streams/schemas/dead-letter.json"),
    "late-record": Path("streams/schemas/late-record.json"),
}
"""Where the schema of each message lies."""


def generated() -> dict[Path, str]:
    """Return what each file that is wholly or partly generated holds when it is current."""
    return {SCHEMA_FILES[one.name]: json.dumps(one.schema(), indent=2) + "\n" for one in MESSAGES}


if __name__ == "__main__":
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
