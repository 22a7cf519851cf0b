"""A ClickHouse server set up by deploy/clickhouse/, for tests of Flowkeep beside a server of somebody else's."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings.config import Passwords, Server
from storage.client import connect
from storage.users import ROLES
from tests.deploy.programs import DEPLOY, ROOT

# The engine's boot session runs as `default`, which our users.d removes; this stands after it.
_BOOT = """<clickhouse><users><default><password/><networks><ip>127.0.0.1</ip></networks><profile>boot</profile>
<quota>default</quota><grants><query>GRANT SYSTEM LISTEN ON *.*</query></grants></default></users>
<profiles><default/><boot><max_sessions_for_user>1</max_sessions_for_user></boot></profiles>
<quotas><default/></quotas></clickhouse>"""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The engine with deploy/clickhouse/'s users and configuration, its passwords from the environment."""
    directory, (http, tcp) = tmp_path_factory.mktemp("server"), _free_ports()
    for part in ("users.d", "config.d"):
        shutil.copytree(DEPLOY / "clickhouse" / part, directory / part)
    (directory / "tmp").mkdir()
    (directory / "users.d" / "zz-boot.xml").write_text(_BOOT)
    (directory / "users.xml").write_text("<clickhouse><users><default/></users></clickhouse>")
    (directory / "config.xml").write_text(
        f"<clickhouse><listen_host>127.0.0.1</listen_host><http_port>{http}</http_port><tcp_port>{tcp}</tcp_port>"
        "<users_config>users.xml</users_config></clickhouse>"
    )
    passwords = Passwords(**{role: secrets.token_hex(16) for role in ROLES})
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "TMPDIR": str(directory / "tmp")}
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "storage.node_boot", str(directory), str(os.getpid())],
            env=environment | in_environment(passwords),
            cwd="/",
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{http}"
    try:
        _await(http, process, directory / "log")
        server = Server(mode="server", url=url, passwords=passwords)
        with connect(server, directory, "admin") as client:
            client.create_database()
        yield server
    finally:
        process.terminate()
        process.wait(30)


def in_environment(passwords: Passwords) -> dict[str, str]:
    """The passwords as deploy/.env gives them."""
    return {f"FLOWKEEP_{role.upper()}_PASSWORD": password for role, password in passwords.model_dump().items()}


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server listens; what it printed is the failure's message."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
