"""The collector's HTTP endpoint: /metrics for Prometheus, /healthz and /readyz for supervisors, /status for the CLI."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from settings.config import parse_endpoint
from settings.errors import RefusalError

Answer = tuple[bool, dict[str, Any]]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without asking DNS for our own name, as the base class does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hangs up or says nothing is no news."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: scrapes are no news."""


class Endpoint:
    """Serves until `close`; `pages` answer JSON by path, each with whether all is well (200) or not (503)."""

    def __init__(self, address: str, registry: CollectorRegistry, pages: dict[str, Callable[[], Answer]]) -> None:
        host, port = parse_endpoint(address)
        metrics = make_wsgi_app(registry)

        def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "")
            if path == "/metrics":
                return metrics(environ, start_response)  # type: ignore[no-any-return]
            if path not in pages:
                start_response("404 Not Found", [("Content-Type", "text/plain")])
                return [b"/metrics, " + ", ".join(pages).encode() + b"\n"]
            well, body = pages[path]()
            start_response("200 OK" if well else "503 Service Unavailable", [("Content-Type", "application/json")])
            return [json.dumps(body).encode() + b"\n"]

        try:
            self._server = make_server(host, port, application, _Server6 if ":" in host else _Server, _Quiet)
        except OSError as error:
            raise RefusalError(
                f"TCP {address} cannot be used for metrics ({error.strerror}); change 'metrics'"
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
