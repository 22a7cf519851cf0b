"""Flowkeep as deploy/ runs it: its own flowkeep.yaml, beside a ClickHouse with deploy/clickhouse/'s users."""

from __future__ import annotations

import json
import struct
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from settings.config import Passwords, Server
from storage.client import DatabaseRefusalError, connect
from storage.users import ROLES, grants, user_name
from tests.collector.site import Site
from tests.deploy.conftest import in_environment
from tests.deploy.programs import DEPLOY, ROOT

USERS = DEPLOY / "clickhouse" / "users.d" / "flowkeep.xml"
DAY = 86400
ACCESS_DENIED, READ_ONLY, CONSTRAINT, WRONG_PASSWORD = 497, 164, 452, 516


@pytest.fixture
def site(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """deploy/flowkeep.yaml on free ports, with the example policy and tenants."""
    site = Site(tmp_path, (ROOT / "configs" / "tenants.csv").read_text())
    (tmp_path / "retention.yaml").write_text((ROOT / "configs" / "retention.yaml").read_text())
    config = yaml.safe_load((DEPLOY / "flowkeep.yaml").read_text())
    config["storage"]["url"] = server.url
    config |= {
        "data_dir": "data",
        "listen": [f"127.0.0.1:{site.ports.netflow}"],
        "metrics": f"127.0.0.1:{site.ports.metrics}",
        "exporters": [{"prefix": "127.0.0.0/8", "name": "lab"}],
    }
    site.config.write_text(yaml.safe_dump(config))
    for name, value in in_environment(server.passwords).items():
        monkeypatch.setenv(name, value)
    yield site
    site.close()


def netflow5(now: float) -> bytes:
    """One flow from 198.51.100.7, which is acme's, to 192.0.2.9."""
    header = struct.pack("!HHIIIIHH", 5, 1, 60_000, int(now), 0, 0, 0, 0)
    addresses = bytes([198, 51, 100, 7, 192, 0, 2, 9, 0, 0, 0, 0])
    return header + addresses + struct.pack("!HHIIIIHHBBBBHHBBH", 1, 2, 10, 840, 0, 500, 443, 50000, *[0] * 9)


def refused(server: Server, role: str, sql: str) -> int:
    with connect(server, Path(), role) as client, pytest.raises(DatabaseRefusalError) as refusal:
        client.text(sql)
    return refusal.value.code


def test_a_flow_is_stored_asked_for_and_purged_on_a_server(site: Site, server: Server) -> None:
    age = 31.5 * DAY  # the end of its day is past the 30 days of acme's class, and ClickHouse's own expiry comes at 32
    with site.collector(shift=-age) as collector:
        site.send([netflow5(time.time() - age)])
        assert collector.settle(1)["stored"] == 1
        found = site.flowkeep("flows", "--json", "src ip 198.51.100.7")
        assert [json.loads(line)["src_tenant"] for line in found.stdout.splitlines()] == ["acme"], found.stderr
        purged = site.flowkeep("retention", "purge", "--json")
        assert purged.returncode == 0, purged.stderr
        assert json.loads(purged.stdout)["purged_rows"] == 1
        shown = site.flowkeep("retention", "show")
        assert shown.returncode == 0, shown.stdout
    with connect(server, site.directory, "query") as client:
        assert client.query("SELECT count() FROM flows").rows == [(0,)]
        assert client.query("SELECT rows FROM purges").rows == [(1,)]


def test_wrong_passwords_end_the_collector_with_a_message(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWKEEP_ADMIN_PASSWORD", "wrong")
    ended = site.flowkeep("run")
    assert ended.returncode == 1
    assert "Authentication failed" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("role", ROLES)
def test_the_deployed_users_have_the_rights_of_the_embedded_ones(role: str) -> None:
    user = ET.parse(USERS).find(f"users/{user_name(role)}")  # noqa: S314 - our own file
    assert user is not None
    assert tuple(query.text for query in user.findall("grants/query")) == grants(role, "flowkeep")


@pytest.mark.parametrize(
    ("role", "sql", "code"),
    [
        ("query", "SELECT 1 SETTINGS readonly = 0", READ_ONLY),
        ("query", "SELECT 1 SETTINGS max_execution_time = 0", CONSTRAINT),
        ("query", "SELECT 1 SETTINGS max_memory_usage = 0", CONSTRAINT),
        ("query", "SELECT 1 SETTINGS max_result_rows = 0", CONSTRAINT),
        ("query", "SELECT * FROM system.users", ACCESS_DENIED),
        ("query", "SELECT * FROM system.processes", ACCESS_DENIED),
        ("query", "CREATE TABLE t (a UInt8) ENGINE = Memory", ACCESS_DENIED),
        ("ingest", "SELECT count() FROM flows", ACCESS_DENIED),
        ("retention", "DROP TABLE flows", ACCESS_DENIED),
    ],
)
def test_a_role_may_not_on_a_server(server: Server, role: str, sql: str, code: int) -> None:
    assert refused(server, role, sql) == code


@pytest.mark.parametrize("role", ROLES)
def test_a_server_wants_the_password(server: Server, role: str) -> None:
    empty = Passwords(**dict.fromkeys(ROLES, ""))
    with pytest.raises(DatabaseRefusalError) as refusal:
        connect(server.model_copy(update={"passwords": empty}), Path(), role)
    assert refusal.value.code == WRONG_PASSWORD


@pytest.mark.parametrize("log", ["query_log", "part_log", "session_log"])
def test_the_servers_logs_have_an_age(server: Server, log: str) -> None:
    with connect(server, Path(), "admin") as client:
        client.command("SYSTEM FLUSH LOGS")
        ((engine,),) = client.query(f"SELECT engine_full FROM system.tables WHERE name = '{log}'").rows
    assert "TTL event_date + toIntervalDay(90)" in engine
