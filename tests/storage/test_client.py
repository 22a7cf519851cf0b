"""What a client answers, and how it says no."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from settings.config import Passwords, Server
from settings.errors import UnreachableError
from storage.client import DatabaseRefusalError, connect, is_retryable
from storage.embedded import Node


def test_parameters_are_filled_in_by_the_server(node: Node) -> None:
    text = "'; DROP TABLE flows; -- {p1:String} %s \\ \t grüezi"
    placeholders = ("{p0:String}", "{p1:UInt32}", "{p2:IPv6}", "{p3:DateTime64(3, 'UTC')}", "{p4:Array(UInt16)}")
    moment = datetime(2026, 11, 21, 14, 0, 0, 123000, tzinfo=UTC)
    parameters = {"p0": text, "p1": 2**32 - 1, "p2": "2001:db8::1", "p3": moment, "p4": [80, 443]}
    with node.connect("admin") as client:
        result = client.query(f"SELECT {', '.join(placeholders)}", parameters)
    assert len(result.columns) == 5
    assert result.rows == [(text, 2**32 - 1, IPv6Address("2001:db8::1"), moment, [80, 443])]


def test_text_is_tab_separated_with_names_on_request(database: Node) -> None:
    with database.connect("query") as client:
        assert client.text("SELECT 1 AS one, 'a\tb' AS two") == "1\ta\\tb\n"
        assert client.text("SELECT 1 AS one, 'x' AS two", names=True) == "one\ttwo\n1\tx\n"
        assert client.text("SELECT 1 AS one FORMAT JSONEachRow") == '{"one":1}\n'


def test_a_refusal_is_one_line_with_its_code(database: Node) -> None:
    with database.connect("query") as client, pytest.raises(DatabaseRefusalError) as refusal:
        client.text("SELECT *\nFROM nonexistent\nWHERE 1")
    message = str(refusal.value)
    assert message.startswith("ClickHouse refused: Unknown table expression identifier 'nonexistent'")
    assert message.endswith("(UNKNOWN_TABLE)")
    assert "\n" not in message
    assert (refusal.value.code, is_retryable(refusal.value), refusal.value.exit_code) == (60, True, 1)


def test_a_timeout_of_the_server_is_passing(node: Node) -> None:
    with node.connect("admin") as client, pytest.raises(DatabaseRefusalError) as refusal:
        client.query("SELECT count() FROM system.numbers SETTINGS max_execution_time = 1, max_rows_to_read = 0")
    assert is_retryable(refusal.value)


def test_nobody_at_the_url_is_unreachable(tmp_path: Path) -> None:
    passwords = Passwords(admin="a", ingest="b", query="c", retention="d")
    server = Server(mode="server", url="http://127.0.0.1:1", passwords=passwords)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1 does not answer.*refused.*'storage\.url'"):
        connect(server, tmp_path, "query")


def test_a_client_outlives_a_restart_of_the_node(database: Node) -> None:
    with database.connect("query") as client:
        assert client.query("SELECT 1").rows == [(1,)]
        database.stop()
        with pytest.raises(UnreachableError):
            client.query("SELECT 1")
        database.start()
        assert client.query("SELECT 1").rows == [(1,)]


def test_addresses_come_back_as_ipv6_and_times_as_utc(node: Node) -> None:
    with node.connect("query") as client:
        sql = "SELECT toIPv6('::ffff:192.0.2.1'), toDateTime64('2026-11-21 14:00:00.123', 3, 'UTC')"
        [(address, moment)] = client.query(sql).rows
    assert address == IPv6Address("::ffff:192.0.2.1")
    assert moment == datetime(2026, 11, 21, 14, 0, 0, 123000, tzinfo=UTC)
