"""`flowkeep case serve`: reports taken in over HTTP, as `flowkeep case take` takes them from files.

POST /reports?name=FILE with the report as its body, in any form that files may have, and a token in the header
Authorization. The answer is what `case take --json` prints.
"""

from __future__ import annotations

import hmac
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import parse_qs

import typer

from abuse.taking import take
from cli import case_output
from cli.case_desk import abuse_desk
from cli.options import ConfigOption, configuration
from intake.limits import LIMITS
from intake.text import printable
from query.timespan import length
from settings.config import parse_endpoint
from settings.errors import ConfigError, RefusalError, UnreachableError, UserError

_SHORTEST = 20
"""Characters of a token: fewer can be guessed."""
_PATH = "/reports"
_THREADS = 4
_SLOW_SECONDS = 60

Environ = dict[str, Any]
Start = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[Environ, Start], Iterable[bytes]]


def serve(
    token_file: Annotated[Path, typer.Option(help="File with the token that callers have to give.")],
    listen: Annotated[str, typer.Option(help="Address and port; TLS is for a proxy before it.")] = "127.0.0.1:8091",
    tolerance: Annotated[str, typer.Option(help="By how much the reporters' clocks may be wrong.")] = "5m",
    config: ConfigOption = None,
) -> None:
    """Take in reports over HTTP until SIGTERM: POST /reports, the report as the body, `Authorization: Bearer TOKEN`."""
    import waitress  # takes a moment, which the other commands need not

    token, width = _token(token_file), length(tolerance, "--tolerance")
    configuration(config)  # that it can be read is known at once, not with the first report
    alone = threading.Lock()

    def taken(name: str, octets: bytes) -> dict[str, Any]:
        with abuse_desk(config) as desk:
            found = take(desk, [(name, octets)], None, width)
            filed = desk.store.reports([case.id for case in found.opened] + sorted(found.added))
            return case_output.taken_json(found, filed)

    server = waitress.create_server(
        application(token, taken, alone), sockets=[_listening(listen)], threads=_THREADS, ident=None,
        max_request_body_size=LIMITS.message, channel_timeout=_SLOW_SECONDS, clear_untrusted_proxy_headers=True,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, _stop)
    print(f"http://{listen}{_PATH}: ready", flush=True)
    server.run()  # until SIGTERM or Ctrl-C
    with alone:  # what is being taken in is finished
        server.close()


def application(token: str, taken: Callable[[str, bytes], dict[str, Any]], alone: threading.Lock) -> Application:
    """Return the WSGI application that hands reports, a name and octets, to `taken`; it holds `alone` for each."""

    def answer(environ: Environ, start: Start) -> Iterable[bytes]:
        status, headers, told = _refused(environ, token) or ("200 OK", [], {})
        if not told:
            try:
                octets = environ["wsgi.input"].read()
                with alone:
                    told = taken(_name(environ), octets)
            except UserError as error:
                away = isinstance(error, UnreachableError)
                status = "503 Service Unavailable" if away else "500 Internal Server Error"
                told = {"error": str(error)}
        body = json.dumps(told).encode() + b"\n"
        start(status, [*headers, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _refused(environ: Environ, token: str) -> tuple[str, list[tuple[str, str]], dict[str, Any]] | None:
    """Return how a request is refused, None for one that is not."""
    given = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace")
    if not hmac.compare_digest(given, f"Bearer {token}".encode()):
        why = "the header Authorization has to be 'Bearer TOKEN', with the token of --token-file"
        return "401 Unauthorized", [("WWW-Authenticate", "Bearer")], {"error": why}
    if environ["PATH_INFO"] != _PATH:
        return "404 Not Found", [], {"error": f"reports go to {_PATH}"}
    if environ["REQUEST_METHOD"] != "POST":
        return "405 Method Not Allowed", [("Allow", "POST")], {"error": "reports are sent with POST"}
    if not int(environ.get("CONTENT_LENGTH") or 0):
        return "400 Bad Request", [], {"error": "there is no report in the request's body"}
    return None


def _name(environ: Environ) -> str:
    """Return what the caller calls the report: the end of its name may say what it is."""
    names = parse_qs(environ.get("QUERY_STRING", "")).get("name", [])
    return printable(PurePosixPath(names[0]).name, 200) if names else "report"


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a token ({error})") from None
    if len(token) < _SHORTEST:
        raise ConfigError(f"{path}: a token has {_SHORTEST} characters or more; `openssl rand -hex 32` makes one")
    return token


def _listening(listen: str) -> socket.socket:
    try:
        host, port = parse_endpoint(listen)
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except ValueError as error:
        raise ConfigError(f"--listen: {error}") from None
    except OSError as error:
        raise RefusalError(f"{listen}: cannot listen there: {error.strerror}; give another with --listen") from None


def _stop(*_: object) -> None:
    raise SystemExit(0)
