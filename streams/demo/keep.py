"""``outlay demo --keep``: everything stays up, with a worker, and the screen says how to look around."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from drivers.settings import PREFIX
from engines.cost.anomalies import FACTS_TOPIC
from streams.demo.notices import Feedback, Notice
from streams.demo.play import DemoFailed
from streams.demo.stage import Stage, another_worker

_LOOK_S: Final = 0.2
_QUERY: Final = "SELECT tenant_id, line->>'message' FROM anomalies_current"


def kept(stage: Stage, notices: Sequence[Notice], said: Callable[[str], None], shown: Callable[[str], None]) -> None:
    """Keep *stage* up until Ctrl-C, with a worker that takes new records. Raises DemoFailed when that one ends.

    Args:
        stage: what runs.
        notices: what was told of runs.
        said: shows what happens next.
        shown: shows what is to be copied.
    """
    with another_worker(stage) as worker:
        said("it stays up, with a worker; Ctrl-C ends it. To look around from another terminal:")
        shown("\n".join(look_around(stage, notices)))
        try:
            while worker.poll() is None:
                time.sleep(_LOOK_S)
        except KeyboardInterrupt:
            said("interrupted: everything is stopped and removed")
            return
    raise DemoFailed("the worker has ended")


def look_around(stage: Stage, notices: Sequence[Notice]) -> list[str]:
    """Return the commands that show what there is, ready to be pasted into a shell."""
    to_see = [one.identifier for one in notices if isinstance(one, Feedback) and one.proposal_eligible]
    url = stage.database_url.replace("+asyncpg", "")  # psql knows no drivers
    servers = stage.settings.kafka_bootstrap_servers
    return [
        "",
        f"  export {PREFIX}DATABASE_URL='{url}'",
        f"  export {PREFIX}KAFKA_BOOTSTRAP_SERVERS={servers} {PREFIX}GROUP_ID={stage.settings.group_id}",
        f"  export {PREFIX}TOPICS_CHECK=off {PREFIX}METRICS_PORT=0",
        "  outlay top                       # spend of today, budgets, what is wrong",
        "  outlay status                    # of each partition: position, lag, watermark, closed days",
        "  outlay snapshots --tenant acme-support --day 2025-09-10",
        "  outlay budgets list",
        "  outlay feedback list             # failures that recur, runs that cost too much",
        "  outlay predictions list          # workers likely to fail, or to become dearer",
        *(f"  outlay feedback acknowledge {one} --note 'seen'" for one in to_see[:1]),
        f'  psql "${PREFIX}DATABASE_URL" -c "{_QUERY}"',
        f"  kcat -C -b {servers} -t {FACTS_TOPIC} -e -q -f '%k %s\\n'",
        "",
    ]
