"""`flowkeep names` against a real agent, net-snmp's snmpd: version 2c and 3, wrong keys, and nobody there."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from enrichment.snmp import Agent, SnmpError, interfaces
from settings.config import load_config
from settings.errors import ConfigError
from storage.embedded import Node
from tests.cli.over_node import configured
from tests.collector.site import flowkeep

COMMUNITY, USER, KEY, PRIVATE = "flowkeep-lab", "noc", "authentic-key", "private-key-1"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an agent on 127.0.0.1, whose interface 1 is `lo`."""
    program = shutil.which("snmpd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "snmpd is not installed: `make programs`"
    directory = tmp_path_factory.mktemp("snmpd")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    config = directory / "snmpd.conf"
    config.write_text(
        f"agentaddress udp:127.0.0.1:{number}\nrocommunity {COMMUNITY} 127.0.0.1\n"
        f"createUser {USER} SHA {KEY} AES {PRIVATE}\nrouser {USER} priv\n"
    )
    command = [program, "-f", "-Le", "-C", "-c", str(config), "-p", str(directory / "pid")]
    environment = os.environ | {"SNMP_PERSISTENT_DIR": str(directory)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while True:
            try:
                assert interfaces(Agent("127.0.0.1", number, COMMUNITY))[1][0] == "lo"
                break
            except SnmpError:
                assert process.poll() is None
                assert time.monotonic() < deadline
        yield number
        process.terminate()


@pytest.fixture
def config(database: Node, tmp_path: Path, port: int) -> Path:
    with database.connect("admin") as admin:
        for domain, interface in ((7, 1), (8, 2)):
            admin.command(
                "INSERT INTO flows (time_received, exporter, observation_domain, in_if, bytes) "
                f"VALUES (now(), '192.0.2.5', {domain}, {interface}, 100)"
            )
        admin.command(
            "INSERT INTO names (exporter, observation_domain, naming, id, name, seen) "
            "VALUES ('192.0.2.5', 8, 'interface', 1, 'told by itself', now())"
        )
    told = f"address: 127.0.0.1, port: {port}, community: {COMMUNITY}"
    return configured(database, tmp_path, "exporters:", f"  - {{prefix: 192.0.2.5/32, name: edge-3, snmp: {{{told}}}}}")


def test_names_are_stored_for_each_domain_and_do_not_overrule_the_exporter(config: Path) -> None:
    done = flowkeep("names", "--json", "-c", str(config))
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["exporter"], told["address"]) == ("edge-3", "192.0.2.5")
    assert told["stored"] == 2 * told["interfaces"] - 1
    asked = "SELECT observation_domain, argMax(name, seen) FROM names WHERE id = 1 GROUP BY 1 ORDER BY 1"
    assert flowkeep("sql", asked, "-c", str(config)).stdout == "7\tlo\n8\ttold by itself\n"
    flows = flowkeep("flows", "interface lo", "--json", "-c", str(config)).stdout.splitlines()
    assert [json.loads(line)["observation_domain"] for line in flows] == [7]
    assert "lo" in flowkeep("flows", "-A", "exporter,inif", "-c", str(config)).stdout


def test_version_3_is_authenticated_and_encrypted(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enrichment.snmp._TIMEOUT", 0.5)
    agent = Agent("127.0.0.1", port, user=USER, authentication_key=KEY, privacy_key=PRIVATE)
    assert interfaces(agent) == interfaces(Agent("127.0.0.1", port, COMMUNITY))
    for wrong in (
        Agent("127.0.0.1", port, user=USER, authentication_key="another-key", privacy_key=PRIVATE),
        Agent("127.0.0.1", port, user="nobody", authentication_key=KEY, privacy_key=PRIVATE),
        Agent("127.0.0.1", port, user=USER, authentication_key=KEY),
    ):
        with pytest.raises(SnmpError):
            interfaces(wrong)


def test_an_agent_that_is_away_is_told_and_the_others_are_asked(config: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        away = f"address: 127.0.0.1, port: {silent.getsockname()[1]}, community: x"
        config.write_text(
            config.read_text() + f"  - {{prefix: 192.0.2.6/32, name: edge-4, snmp: {{{away}}}}}\n", encoding="utf-8"
        )
        done = flowkeep("names", "-c", str(config))
    assert done.returncode == 1
    assert "edge-4 (192.0.2.6): SNMP at 127.0.0.1 port" in done.stderr
    assert "edge-3" in done.stdout


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("{}", "a community (version 2c) or a user"),
        ("{community: a, user: b}", "a community (version 2c) or a user"),
        ('{user: noc, privacy_key: "12345678"}', "needs an authentication_key"),
        ("{user: noc, authentication_key: short}", "8 characters"),
        ("{community: a, address: edge}", "expected an IP address"),
    ],
)
def test_what_cannot_be_asked_is_refused(database: Node, tmp_path: Path, told: str, why: str) -> None:
    config = configured(database, tmp_path, "exporters:", f"  - {{prefix: 192.0.2.5/32, name: edge, snmp: {told}}}")
    with pytest.raises(ConfigError) as refused:
        load_config(config, {})
    assert why in str(refused.value)


def test_no_exporter_to_ask_is_said(database: Node, tmp_path: Path) -> None:
    done = flowkeep("names", "-c", str(configured(database, tmp_path)))
    assert (done.returncode, "no exporter has 'snmp'" in done.stderr) == (2, True)
