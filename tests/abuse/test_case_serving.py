"""Reports over HTTP: taken in as from files, and nothing for those who have no token."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.site import free_port
from cli.case_serving import application
from settings.errors import ConfigError, UnreachableError
from storage.embedded import Node
from tests.abuse.conftest import Ask
from tests.abuse.story import VICTIM, Traffic, at, site, xarf

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def told(database: Node, tmp_path: Path) -> Path:
    config = site(database, tmp_path, days=30)
    traffic = Traffic(tmp_path)
    traffic.add(at("13:30"), "192.0.2.7", VICTIM, (50000, 22))
    traffic.store(database)
    return config


@pytest.fixture
def port(told: Path, tmp_path: Path) -> Iterator[int]:
    """The port of a `case serve` of the site."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    port = free_port(socket.SOCK_STREAM)
    command = [sys.executable, "-m", "cli.main", "case", "serve", "-c", str(told)]
    options = ["--listen", f"127.0.0.1:{port}", "--token-file", str(tmp_path / "token")]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == f"http://127.0.0.1:{port}/reports: ready\n"
        yield port
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0


def send(
    port: int, body: bytes, token: str = TOKEN, path: str = "/reports", method: str = "POST"
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        octets = answer.read()
        is_json = answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(octets) if is_json else {}
    finally:
        connection.close()


def test_a_report_is_taken_in_once(port: int, ask: Ask) -> None:
    report = xarf("13:30", VICTIM, 22, "login_attack").encode()
    status, taken = send(port, report, path="/reports?name=../../x/report.json")
    assert (status, taken["reports"], taken["verdicts"][0]["verdict"]) == (200, 1, "corroborated")
    assert send(port, report)[1]["known"] == 1
    (case,) = ask("case", "list", "--json")[1]
    assert case["id"] == taken["opened"][0]
    status, unread = send(port, b"nothing that is a report", path="/reports?name=../../x/report.txt")
    assert (status, unread["unread"]) == (200, 1)
    assert [one["name"] for one in ask("case", "unread", "--json")[1]] == ["report.txt"]
    for refused, what in (
        (send(port, report, token="0" * 32), 401), (send(port, report, path="/"), 404), (send(port, b""), 400),
        (send(port, b"", method="GET"), 405),
    ):  # fmt: skip
        assert refused[0] == what
    large = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    large.putrequest("POST", "/reports")
    large.putheader("Content-Length", str(33 << 20))
    large.endheaders()
    assert large.getresponse().status == 413
    large.close()


def test_what_goes_wrong_is_told_as_json() -> None:
    def asked(error: Exception) -> tuple[str, dict[str, Any]]:
        def taken(name: str, octets: bytes) -> dict[str, Any]:
            raise error

        statuses = []
        environ = {
            "HTTP_AUTHORIZATION": f"Bearer {TOKEN}", "PATH_INFO": "/reports", "REQUEST_METHOD": "POST",
            "CONTENT_LENGTH": "1", "wsgi.input": io.BytesIO(b"x"),
        }  # fmt: skip
        (body,) = application(TOKEN, taken, threading.Lock())(environ, lambda status, headers: statuses.append(status))
        return statuses[0], json.loads(body)

    assert asked(UnreachableError("away")) == ("503 Service Unavailable", {"error": "away"})
    assert asked(ConfigError("wrong")) == ("500 Internal Server Error", {"error": "wrong"})


def test_what_cannot_be_served_is_said(ask: Ask, tmp_path: Path) -> None:
    short, good = tmp_path / "short", tmp_path / "good"
    short.write_text("secret")
    good.write_text(TOKEN)
    for arguments, code, words in (
        ((str(short),), 2, "20 characters or more"),
        ((str(tmp_path / "none"),), 2, "cannot be read as a token"),
        ((str(good), "--listen", "nowhere"), 2, "expected ADDRESS:PORT"),
    ):
        found, text = ask("case", "serve", "--token-file", *arguments)
        assert (found, words in text) == (code, True), text
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, text = ask("case", "serve", "--token-file", str(good), "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert (code, "cannot listen there" in text) == (1, True)
