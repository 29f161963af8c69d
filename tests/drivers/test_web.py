"""The worker's HTTP server."""

import json
import socket
import urllib.error
import urllib.request

import pytest

from drivers.metrics import Names, PartitionCollector
from drivers.web import Page, served
from engines.core.errors import SettingsError

COLLECTOR = PartitionCollector(list, Names("events", (), "late_nanousd", (), ()), {"version": "1"})


def asked(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def test_a_page_is_asked_for_at_each_request_and_its_code_says_whether_all_is_well() -> None:
    well = [True, False]
    pages = {"/readyz": lambda: Page(well.pop(), {"left": len(well)})}
    with served(COLLECTOR, "127.0.0.1", 0, pages) as port:
        assert asked(port, "/readyz") == (503, '{"left":1}\n')
        assert asked(port, "/readyz?verbose") == (200, '{"left":0}\n')
        code, text = asked(port, "/metrics")
    assert code == 200
    assert 'outlay_info{version="1"} 1.0' in text


def test_many_ask_at_once() -> None:
    pages = {"/healthz": lambda: Page(well=True, body={})}
    with served(COLLECTOR, "127.0.0.1", 0, pages) as port, socket.create_connection(("127.0.0.1", port)):
        assert asked(port, "/healthz") == (200, json.dumps({}) + "\n"), "who says nothing holds up nobody"


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_an_address_that_cannot_be_used_is_a_settings_error(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"OUTLAY_METRICS_PORT: {host}:{port}"):
            served(COLLECTOR, host, port).__enter__()
