"""The worker's small HTTP server: ``/metrics`` for Prometheus, and pages of JSON such as ``/healthz``.

It runs in threads of its own, so that it still answers when the worker's event loop does not turn.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, make_wsgi_app
from prometheus_client.registry import Collector

from engines.core.errors import SettingsError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: 200 when all is well, else 503; *body* becomes JSON."""

    well: bool
    body: Mapping[str, object]


@contextmanager
def served(
    collector: Collector, host: str, port: int, pages: Mapping[str, Callable[[], Page]] | None = None
) -> Iterator[int]:
    """Answer ``/metrics`` and *pages* from threads until the block ends; yield the port.

    Args:
        collector: read at each request for metrics.
        host: loopback unless the operator wants otherwise; there is no login.
        port: 0: any free one.
        pages: what to answer, by path; called at each request, in any thread.

    Raises:
        SettingsError: the address cannot be used.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    for standard in (ProcessCollector, PlatformCollector, GCCollector):
        standard(registry=registry)
    app = _routed(make_wsgi_app(registry), dict(pages or {}))
    try:
        server = make_server(host, port, app, _server_for(host, port), _Silent)
    except OSError as error:
        raise SettingsError(f"OUTLAY_METRICS_HOST, OUTLAY_METRICS_PORT: {host}:{port}: {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, name="web", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _routed(metrics: WSGIApplication, pages: Mapping[str, Callable[[], Page]]) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        page = pages.get(environ.get("PATH_INFO", ""))
        if page is None:
            return metrics(environ, start_response)
        found = page()
        body = json.dumps(found.body, separators=(",", ":"), sort_keys=True).encode() + b"\n"
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        start_response("200 OK" if found.well else "503 Service Unavailable", headers)
        return [body]

    return app


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each request; none of them keeps the process."""

    daemon_threads = True


class _Silent(WSGIRequestHandler):
    """Logs no requests."""

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 -- whatever the base class would log
        """Log nothing."""


def _server_for(host: str, port: int) -> type[_Server]:
    """Return the server for *host*'s kind of address. Raises OSError for a host that is none."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]

    class Server(_Server):
        address_family = family

    return Server
