"""What the node saw people do is still there after it was started anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from settings.config import Embedded, Passwords, Server
from storage.audit import with_audit
from storage.client import DatabaseRefusalError, connect
from storage.ddl import wanted
from storage.embedded import Node
from storage.upgrade import upgrade
from storage.writer import Writer
from tests.storage.batches import NOW_MS, at
from tests.storage.test_node import kill_9

SCHEMA = with_audit(wanted({"basic": 16}), days=7)


def test_the_audit_survives_a_stop_and_a_kill(tmp_path: Path) -> None:
    with Node(Embedded(mode="embedded"), tmp_path) as node:
        with node.connect("admin") as admin, node.connect("query") as query, node.connect("ingest") as ingest:
            upgrade(admin, SCHEMA)
            Writer(ingest).write(at([NOW_MS]), "t")
            query.query("SELECT count() FROM flows WHERE src_addr = {p0:IPv6}", {"p0": "2001:db8::77"})
            admin.command("ALTER TABLE flows DROP PARTITION ('basic', '2090-06-01')")
            state = node.files.state()
            assert state is not None
            wrong = Passwords(admin="wrong", ingest="", query="", retention="")
            with pytest.raises(DatabaseRefusalError):
                connect(
                    Server(mode="server", url=f"http://127.0.0.1:{state.http_port}", passwords=wrong), tmp_path, "admin"
                )
        node.stop()
        node.start()
        with node.connect("query") as query, node.connect("admin") as admin:
            query.query("SELECT 'after the first restart' FROM flows")
            admin.command("SYSTEM FLUSH LOGS")
        kill_9(node)
        node.start()
        with node.connect("admin") as admin:
            asked = admin.query(
                "SELECT query, user, tables FROM query_audit WHERE user = 'flowkeep_query' ORDER BY time"
            ).rows
            assert any("2001:db8::77" in sql and "flowkeep.flows" in tables for sql, _, tables in asked)
            assert any("after the first restart" in sql for sql, _, _ in asked)
            assert admin.query(
                "SELECT count() FROM query_audit WHERE query_kind = 'Insert' AND user = 'flowkeep_ingest'"
            ).rows == [(0,)]
            gone = admin.query(
                "SELECT sum(rows) FROM part_audit WHERE event = 'RemovePart' AND table_name = 'flows'"
            ).rows
            failed = admin.query("SELECT user FROM session_audit WHERE event = 'LoginFailure'").rows
        assert failed == [("flowkeep_admin",)]
        assert gone is not None


def test_the_audit_expires_by_its_own_age(tmp_path: Path) -> None:
    with Node(Embedded(mode="embedded"), tmp_path) as node, node.connect("admin") as admin:
        upgrade(admin, SCHEMA)
        tables = admin.query(
            "SELECT name FROM system.tables WHERE engine_full LIKE '%toIntervalDay(7)%' ORDER BY name"
        ).rows
        assert [name for (name,) in tables] == ["part_audit", "query_audit", "session_audit"]


def test_the_last_runs_logs_do_not_stay_on_disk(tmp_path: Path) -> None:
    with Node(Embedded(mode="embedded"), tmp_path) as node:
        with node.connect("query") as query:
            query.text("SELECT 'needle in the log'")
        with node.connect("admin") as admin:
            admin.command("SYSTEM FLUSH LOGS")
        [left] = [part for part in (node.files.node / "data/data/system/query_log").iterdir() if part.name[0] == "2"]
        marker = left.with_name("marker")
        marker.write_text("")
    with Node(Embedded(mode="embedded"), tmp_path):
        assert not marker.exists()
