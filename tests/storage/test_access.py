"""Who may do what, and who may do nothing."""

from __future__ import annotations

import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from schema.tables import STORED_TABLES, StoredTable
from settings.config import Embedded, Passwords, Server
from storage.client import DatabaseRefusalError, connect, is_retryable
from storage.embedded import Node
from storage.observe import partitions
from storage.writer import Writer
from tests.storage.batches import NOW_MS, at, rows_at

SESSION_LIMIT, ACCESS_DENIED, READ_ONLY, CONSTRAINT, NO_FILE, NOT_ALLOWED, WRONG_PASSWORD = (
    700,
    497,
    164,
    452,
    76,
    446,
    516,
)

SESSION_LOCKED = 373  # of a session of that name which has not quite ended


def ports(node: Node) -> tuple[int, int]:
    state = node.files.state()
    assert state is not None
    return state.http_port, state.tcp_port


def refused(node: Node, role: str, sql: str) -> int:
    with node.connect(role) as client, pytest.raises(DatabaseRefusalError) as refusal:
        client.text(sql)
    return refusal.value.code


UNAUTHENTICATED = [
    "SELECT 1",
    "SELECT count() FROM flows",
    "SELECT * FROM system.one",
    "SELECT file('/etc/passwd')",
    "SELECT * FROM system.processes",
    "SHOW DATABASES",
    "SHOW GRANTS",
    "SET max_sessions_for_user = 10",
    "KILL QUERY WHERE 1",
    "SYSTEM SHUTDOWN",
    "SYSTEM STOP LISTEN HTTP",
    "SYSTEM START LISTEN HTTP",
    "CREATE TEMPORARY TABLE t (a UInt8)",
    "DROP TABLE flows",
]


@pytest.mark.parametrize("sql", UNAUTHENTICATED)
@pytest.mark.parametrize("arguments", ["", "user=default&", "session_id=mine&", "max_sessions_for_user=10&"])
def test_nothing_is_possible_without_a_password_over_http(node: Node, sql: str, arguments: str) -> None:
    url = f"http://127.0.0.1:{ports(node)[0]}/?{arguments}{urllib.parse.urlencode({'database': 'system'})}"
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(urllib.request.Request(url, data=sql.encode()), timeout=10)
    with error.value as answer:
        assert answer.headers["X-ClickHouse-Exception-Code"] in {str(SESSION_LIMIT), str(SESSION_LOCKED)}


def test_what_is_left_without_a_password_over_http_are_static_pages(node: Node) -> None:
    for page in ("/", "/ping", "/play"):
        with urllib.request.urlopen(f"http://127.0.0.1:{ports(node)[0]}{page}", timeout=10) as answer:
            assert answer.status == 200


def test_nothing_is_possible_without_a_password_over_tcp(database: Node) -> None:
    port = ports(database)[1]
    password = database.files.passwords()["admin"]
    with database.connect("admin") as admin:
        as_admin = admin.text(
            f"SELECT * FROM remote('127.0.0.1:{port}', view(SELECT 7), 'flowkeep_admin', '{password}')"
        )
        assert as_admin == "7\n"
    for select in ("SELECT 1", "SELECT file('/etc/passwd')", "SELECT count() FROM system.tables"):
        sql = f"SELECT * FROM remote('127.0.0.1:{port}', view({select}), 'default', '')"
        assert refused(database, "admin", sql) == SESSION_LIMIT


def test_the_node_listens_on_loopback_only(node: Node) -> None:
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{node.pid}/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    for port in ports(node):
        assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_a_wrong_password_is_refused(node: Node, tmp_path: Path) -> None:
    wrong = Passwords(admin="a", ingest="b", query="c", retention="d")
    server = Server(mode="server", url=f"http://127.0.0.1:{ports(node)[0]}", passwords=wrong)
    with pytest.raises(DatabaseRefusalError) as refusal:
        connect(server, tmp_path, "query")
    assert refusal.value.code == WRONG_PASSWORD


def test_a_server_of_somebody_elses_is_reached_by_its_url(database: Node, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{ports(database)[0]}"
    server = Server(mode="server", url=url, passwords=Passwords(**database.files.passwords()))
    with connect(server, tmp_path, "query") as client:
        assert client.query("SELECT count() FROM flows").rows == [(0,)]


@pytest.mark.parametrize(
    ("role", "sql", "code"),
    [
        ("query", "DROP TABLE flows", ACCESS_DENIED),
        ("query", "INSERT INTO flows (bytes) VALUES (1)", ACCESS_DENIED),
        ("query", "ALTER TABLE flows DELETE WHERE 1", ACCESS_DENIED),
        ("query", "CREATE TEMPORARY TABLE t (a UInt8)", ACCESS_DENIED),
        ("query", "SELECT count() FROM query_audit", ACCESS_DENIED),
        ("query", "SELECT count() FROM query_audit_view", ACCESS_DENIED),
        ("query", "SELECT count() FROM session_audit_view", ACCESS_DENIED),
        ("query", "SELECT * FROM system.query_log", ACCESS_DENIED),
        ("query", "SELECT * FROM system.users", ACCESS_DENIED),
        ("query", "SELECT * FROM system.processes", ACCESS_DENIED),
        ("query", "SELECT * FROM url('http://127.0.0.1:1/', 'TSV', 'a String')", ACCESS_DENIED),
        ("query", "SELECT * FROM remote('127.0.0.1:1', system.one)", ACCESS_DENIED),
        ("query", "SELECT * FROM file('/etc/passwd', 'TSV', 'a String')", ACCESS_DENIED),
        ("query", "SELECT * FROM executable('id', 'TSV', 'a String')", ACCESS_DENIED),
        ("query", "SYSTEM SHUTDOWN", ACCESS_DENIED),
        ("query", "SELECT file('/etc/passwd')", NO_FILE),
        ("query", "SELECT * FROM Python(os)", NOT_ALLOWED),
        ("query", "SELECT * FROM Python(os) SETTINGS allow_python_table_function = 1", 392),
        ("query", "SELECT 1 SETTINGS readonly = 0", READ_ONLY),
        ("query", "SELECT 1 SETTINGS max_execution_time = 0", CONSTRAINT),
        ("query", "SELECT 1 SETTINGS max_execution_time = 3600", CONSTRAINT),
        ("query", "SELECT 1 SETTINGS max_memory_usage = 0", CONSTRAINT),
        ("query", "SELECT 1 SETTINGS max_memory_usage_for_user = 0", CONSTRAINT),
        ("query", "SELECT 1 SETTINGS max_result_rows = 0", CONSTRAINT),
        ("query", "SELECT 1 SETTINGS max_bytes_before_external_group_by = 0", CONSTRAINT),
        ("query", "INSERT INTO discards (drops) VALUES (1)", ACCESS_DENIED),
        ("query", "ALTER TABLE counters_host DELETE WHERE 1", ACCESS_DENIED),
        ("ingest", "SELECT count() FROM flows", ACCESS_DENIED),
        ("ingest", "SELECT count() FROM counters_interface", ACCESS_DENIED),
        ("ingest", "ALTER TABLE discards DROP PARTITION ID 'x'", ACCESS_DENIED),
        ("ingest", "ALTER TABLE flows DELETE WHERE 1", ACCESS_DENIED),
        ("ingest", "ALTER TABLE flows DROP PARTITION ID 'x'", ACCESS_DENIED),
        ("ingest", "INSERT INTO purges (reason) VALUES ('forged')", ACCESS_DENIED),
        ("ingest", "INSERT INTO query_audit (query) VALUES ('forged')", ACCESS_DENIED),
        ("ingest", "SELECT file('/etc/passwd')", NO_FILE),
        ("retention", "INSERT INTO flows (bytes) VALUES (1)", ACCESS_DENIED),
        ("retention", "INSERT INTO discards (drops) VALUES (1)", ACCESS_DENIED),
        ("retention", "DROP TABLE flows", ACCESS_DENIED),
        ("retention", "DROP TABLE counters_vlan", ACCESS_DENIED),
        ("retention", "ALTER TABLE query_audit ADD COLUMN x UInt8", ACCESS_DENIED),
    ],
)
def test_a_role_may_not(database: Node, role: str, sql: str, code: int) -> None:
    assert refused(database, role, sql) == code


def test_the_passwords_cannot_be_read_through_the_node(node: Node) -> None:
    for role in ("query", "admin"):
        assert refused(node, role, f"SELECT file('{node.files.root}/passwords.json')") == NO_FILE


def test_retention_may_drop_a_partition_and_say_so(database: Node) -> None:
    with database.connect("ingest") as ingest:
        Writer(ingest).write(at([NOW_MS]), "t")
    with database.connect("retention") as retention:
        [(partition,)] = retention.query("SELECT partition_id FROM system.parts WHERE active AND table = 'flows'").rows
        retention.command(f"ALTER TABLE flows DROP PARTITION ID '{partition}' SETTINGS max_partition_size_to_drop = 0")
        retention.command("INSERT INTO purges (table_name, reason) VALUES ('flows', 'test')")
        assert retention.query("SELECT count() FROM flows").rows == [(0,)]
        assert retention.query("SELECT reason FROM purges").rows == [("test",)]


@pytest.mark.parametrize("table", STORED_TABLES, ids=lambda table: table.name)
def test_other_tables_are_written_read_and_purged_by_the_same_roles(database: Node, table: StoredTable) -> None:
    with database.connect("ingest") as ingest:
        Writer(ingest).write_rows(table.name, rows_at([NOW_MS], ["basic"]), "t")
    with database.connect("query") as query:
        assert query.query(f"SELECT count() FROM {table.name}").rows == [(1,)]
    with database.connect("retention") as retention:
        [part] = partitions(retention, table.name)
        retention.command(f"ALTER TABLE {table.name} DROP PARTITION ID '{part.partition_id}'")
        assert partitions(retention, table.name) == []


def test_a_large_aggregation_spills_instead_of_failing(tmp_path: Path) -> None:
    small = Embedded(mode="embedded", memory_limit=1500 * 2**20)
    with Node(small, tmp_path) as node, node.connect("query") as client:
        sql = "SELECT count() FROM (SELECT number, count() FROM numbers(12000000) GROUP BY number)"
        assert client.query(sql).rows == [(12_000_000,)]
        sql = "SELECT uniqExact(number) FROM numbers(100000000)"  # cannot spill
        with pytest.raises(DatabaseRefusalError, match="memory limit exceeded") as refusal:
            client.query(sql)
        assert is_retryable(refusal.value)


def test_a_query_may_use_every_core_though_the_node_has_little_memory(node: Node) -> None:
    with node.connect("query") as client:
        plan = client.query("EXPLAIN PIPELINE SELECT number % 3, count() FROM numbers_mt(100000000) GROUP BY 1").rows
    cores = len(os.sched_getaffinity(0))
    assert any(f"\u00d7 {cores}" in line for (line,) in plan), plan
