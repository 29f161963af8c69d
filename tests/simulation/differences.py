"""Two bags of lines, and what only one of them holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from tests.oracle import Line, comparable

SHOWN = 3


def differ(what: str, wanted: Iterable[Line], found: Iterable[Line], *, repeated: bool = False) -> Iterator[str]:
    """Compare as bags, or as sets when what is found may be *repeated*."""
    here, there = [frozen(comparable(line)) for line in found], [frozen(comparable(line)) for line in wanted]
    if repeated:
        here, there = list(dict.fromkeys(here)), list(dict.fromkeys(there))
    only_here, only_there = Counter(here) - Counter(there), Counter(there) - Counter(here)
    if only_here or only_there:
        yield (
            f"{what}: {only_here.total()} only here, {only_there.total()} only in the oracle\n"
            + "".join(f"    here   {line}\n" for line in list(only_here)[:SHOWN])
            + "".join(f"    oracle {line}\n" for line in list(only_there)[:SHOWN])
        ).rstrip()


def frozen(value: Any) -> str:
    """Return *value* as text that equal ones share."""
    return json.dumps(value, sort_keys=True, default=lambda each: float(each) if isinstance(each, Decimal) else each)
