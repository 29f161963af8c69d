"""``/healthz`` and ``/readyz`` of a real worker, while its servers come and go."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from drivers.embedded.processes import free_port
from tests.end_to_end import broker, database
from tests.end_to_end.deployment import PARTITIONS, Deployment, eventually
from tests.stack import Stack

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


def asked(port: int, path: str) -> tuple[int, dict[str, Any]] | None:
    """Return code and content of a page, None while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.loads(refusal.read())
    except OSError:
        return None


def test_a_worker_is_ready_when_it_works_and_alive_while_its_servers_are_away(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("health")
    with Stack.private(folder / "stack") as stack:
        broker.renew_topics(stack.bootstrap)
        database.prepare(stack.database_url)
        stack.stop_postgres()
        deployment = Deployment(stack.database_url, stack.bootstrap, folder)
        port = free_port()

        def pages(true: Callable[[int, dict[str, Any]], bool], what: str) -> dict[str, Any]:
            def looked() -> dict[str, Any] | None:
                ready, alive = asked(port, "/readyz"), asked(port, "/healthz")
                assert alive is None or alive[0] == 200
                return ready[1] if ready is not None and true(*ready) else None

            return eventually(looked, what)

        with deployment.worker(metrics_port=port, session_timeout_s=6) as worker:
            waiting = pages(lambda code, _: code == 503, "it waits for the database")
            assert waiting["reasons"][0] == "the group has given it no partitions yet"
            stack.start_postgres()
            ready = pages(lambda code, _: code == 200, "it works")
            assert (ready["assigned"], ready["claimed"], ready["database_reachable"]) == (PARTITIONS, PARTITIONS, True)
            pages(lambda _, body: body["lag"] == 0, "it knows where the logs end")
            stack.stop_postgres()
            away = pages(lambda code, _: code == 503, "the database is missed")
            assert away["database_reachable"] is False
            stack.start_postgres()
            pages(lambda code, _: code == 200, "it works again")
            worker.stop()
        assert asked(port, "/healthz") is None
