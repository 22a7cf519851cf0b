"""Held rows on a real ClickHouse: copied as they are, out of every expiry's reach, shown once, gone with their hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cli.asking import where
from query.expression import Everything
from query.reports import flows_report, grouped_report
from query.statistics import statistic
from retention.gone import mark_gone, reconcile
from retention.held import Cover, altered, covers, kept, secure, tidy
from retention.hold_store import load
from retention.plan import key_of
from retention.scope import Scope, parse_connection, parse_network
from retention.stored import stored
from schema.tables import STORED_TABLES
from settings.errors import RefusalError
from storage.client import Client
from storage.embedded import Node
from storage.held_tables import HELD_COLUMNS, held, row_hash
from storage.observe import partition_rows, partitions
from storage.writer import Writer
from tests.retention.held_flows import ACME, DAY, NOW, domains, drop, flows_of, hold, numbered, store, totals
from tests.storage.batches import every_column, every_column_of


def test_a_partition_keeps_the_expiry_it_was_made_with_wherever_it_is_moved(database: Node) -> None:
    """Trap L2: why held rows are copied one by one, and never moved or attached as partitions."""
    with database.connect("admin") as admin:
        admin.command("CREATE TABLE longer AS flows")
        admin.command("ALTER TABLE longer MODIFY TTL time_received + toIntervalDay(3650)")
        for table in ("flows", "longer"):
            admin.command(f"SYSTEM STOP TTL MERGES {table}")
        store(database, numbered(["acme"] * 100), 40)
        admin.command(f"ALTER TABLE longer ATTACH PARTITION ('basic', '{(NOW - 40 * DAY).date()}') FROM flows")
        assert admin.query("SELECT count() FROM longer").rows == [(100,)]
        admin.command("SYSTEM START TTL MERGES longer")
        admin.command("OPTIMIZE TABLE longer FINAL")
        assert admin.query("SELECT count() FROM longer").rows == [(0,)], "the ten years of the table do not count"
        admin.command("SYSTEM START TTL MERGES flows")
        admin.command("DROP TABLE longer SYNC")


def test_copied_rows_stay_when_the_source_expires(database: Node) -> None:
    """Trap L2b: in a table that has no TTL, rows older than any class outlive every merge."""
    with database.connect("admin") as admin, database.connect("retention") as client:
        admin.command("SYSTEM STOP TTL MERGES flows")
        store(database, numbered(["acme", "beta"] * 50), 40)
        copy = secure(client, [hold("h")], flows_of(client, 40), NOW)
        assert copy.totals.rows == 50
        admin.command("SYSTEM START TTL MERGES flows")
        admin.command("ALTER TABLE flows MATERIALIZE TTL SETTINGS mutations_sync = 2")
        admin.command("OPTIMIZE TABLE flows FINAL")
        admin.command("OPTIMIZE TABLE held_flows FINAL")
        assert admin.query("SELECT count() FROM flows").rows == [(0,)]
        expiry = "SELECT max(delete_ttl_info_max) FROM system.parts WHERE active AND table = 'held_flows'"
        assert admin.query(expiry).rows[0][0].year == 1970
        assert totals(admin, "held_flows", "flows") == (50, copy.totals.sum, copy.totals.xor)
        assert altered(client) == []


def test_nobody_gives_held_rows_an_expiry_or_forges_what_is_held(database: Node) -> None:
    with (
        database.connect("retention") as client,
        database.connect("ingest") as ingest,
        database.connect("query") as query,
    ):
        for who, sql in (
            (client, "ALTER TABLE held_flows MODIFY TTL time_received + toIntervalDay(1)"),
            (client, "ALTER TABLE hold_events DELETE WHERE 1"),
            (client, "ALTER TABLE held_copies DELETE WHERE 1"),
            (client, "DROP TABLE held_flows"),
            (client, "DROP TABLE hold_events"),
            (ingest, "INSERT INTO hold_events (hold) VALUES ('h')"),
            (ingest, "INSERT INTO held_flows (bytes) VALUES (1)"),
            (query, "SELECT * FROM hold_events"),
            (query, "SELECT * FROM held_copies"),
        ):
            with pytest.raises(RefusalError, match="Not enough privileges"):
                who.command(sql)


def test_copies_of_every_table_are_equal_by_hash_over_all_columns(database: Node, client: Client) -> None:
    now_ms = int((NOW - DAY).timestamp() * 1000)
    sources = {each.name: each for each in STORED_TABLES}
    with database.connect("ingest") as ingest:
        for table in HELD_COLUMNS:
            if table == "flows":
                Writer(ingest).write(every_column(500, now_ms=now_ms), "t")
            else:
                Writer(ingest).write_rows(table, every_column_of(sources[table], 500, now_ms=now_ms), "t")
    everything, named = [hold("h", Scope(everything=True))], [hold("h", Scope(tenants=("grüezi\t\\",)))]
    some = stored(client)
    for each in some:
        secure(client, everything, each, NOW)
    assert all(cover.copied and cover.rows for cover in covers(client, everything, some, NOW).values())
    found = covers(client, named, some, NOW)
    for table in HELD_COLUMNS:
        assert totals(client, held(table), table) == totals(client, table, table)
        rows = [cover.rows for key, cover in found.items() if key[0] == table]
        assert 0 < sum(rows) < 500, "some, and not all, are of the tenant with the odd name"


def test_a_null_is_not_taken_for_a_zero(client: Client) -> None:
    hashed = [f"(SELECT {row_hash(['a', 'b'])} FROM (SELECT {a} AS a, 1 AS b))" for a in ("NULL", "toNullable(0)")]
    assert client.query(f"SELECT {hashed[0]} = {hashed[1]}").rows == [(0,)]


ALIASES: list[tuple[Scope, list[int]]] = [
    (Scope(networks=(parse_network("192.0.2.7"),)), [0, 1, 2, 3, 5, 6, 7]),
    (Scope(networks=(parse_network("::ffff:192.0.2.7"),)), [0, 1, 2, 3, 5, 6, 7]),
    (Scope(networks=(parse_network("192.0.2.0/24"),)), [0, 1, 2, 3, 4, 5, 6, 7]),
    (Scope(networks=(parse_network("2001:db8::/32"), parse_network("192.0.2.8/31"))), [4, 8]),
    (Scope(networks=(parse_network("2001:db8::/32"),)), [8]),
    (Scope(connections=(parse_connection("192.0.2.7:51000 198.51.100.1:443 tcp"),)), [0, 1, 6, 7]),
    (Scope(connections=(parse_connection("198.51.100.1:443 192.0.2.7:51000 tcp"),)), [0, 1, 6, 7]),
    (Scope(connections=(parse_connection("192.0.2.7:51000 198.51.100.1:443 udp"),)), [5]),
    (Scope(tenants=("acme", "it's")), [2, 9]),
    (Scope(networks=(parse_network("192.0.2.8"),), tenants=("acme",)), [2, 4]),
    (Scope(everything=True, until=NOW - 2 * DAY), []),
    (Scope(everything=True, since=NOW - DAY - timedelta(seconds=1), until=NOW), list(range(10))),
]


def test_a_scope_covers_every_alias_of_what_it_names(database: Node, client: Client) -> None:
    ends = {"src_addr": "192.0.2.7", "src_port": 51000, "dst_addr": "198.51.100.1", "dst_port": 443}
    back = {"dst_addr": "192.0.2.7", "dst_port": 51000, "src_addr": "198.51.100.1", "src_port": 443}
    inside = {**ends, "src_addr": "10.0.0.9", "post_nat_src_addr": "192.0.2.7"}
    rows: list[Mapping[str, Any]] = [
        ends, back, {"src_addr": "192.0.2.7", "dst_tenant": "acme"}, {"tunnel_src_addr": "192.0.2.7"},
        {"dst_addr": "192.0.2.8"}, {**ends, "proto": 17}, inside,
        {**inside, "src_port": 1, "post_nat_src_port": 51000}, {"post_nat_dst_addr": "2001:db8::9"},
        {"src_tenant": "it's"},
    ]  # fmt: skip
    store(database, [{**row, "observation_domain": number} for number, row in enumerate(rows)])
    partition = flows_of(client)
    for scope, expected in ALIASES:
        assert covers(client, [hold("h", scope)], [partition], NOW)[key_of(partition)].rows == len(expected), scope
        secure(client, [hold("h", scope)], partition, NOW)
        assert domains(client) == expected, scope


def test_overlapping_holds_keep_a_row_once_and_the_release_of_one_leaves_the_others(
    database: Node, client: Client
) -> None:
    store(database, numbered(["acme", "acme", "beta", "gamma"]))
    one = hold("one")
    two = hold("two", Scope(tenants=("acme", "beta")))
    partition = flows_of(client)
    assert covers(client, [one, two], [partition], NOW)[key_of(partition)] == Cover(("one", "two"), 3, False)
    secure(client, [one, two], partition, NOW)
    assert domains(client) == [0, 1, 2]
    assert covers(client, [one, two], [partition], NOW)[key_of(partition)] == Cover(("one", "two"), 3, True)
    drop(client, partition)
    released = replace(two, requested=NOW, requested_by="ann", released=NOW, approved_by="bob", delay=30 * DAY)
    assert tidy(client, [one, released], NOW + 29 * DAY) == [], "the delay is not past"
    (gone,) = tidy(client, [one, released], NOW + 30 * DAY)
    assert (gone.before, gone.after) == (3, 2)
    assert domains(client) == [0, 1]
    assert kept(client, [hold("new", Scope(everything=True))], NOW) == {key_of(partition): 2}
    over = replace(one, expires=NOW + 40 * DAY)
    assert tidy(client, [over, released], NOW + 40 * DAY)[0].after == 0
    assert partition_rows(client, ("held_flows",)) == {}


def test_a_copy_counts_for_the_scopes_as_they_are_and_rows_as_they_are(database: Node, client: Client) -> None:
    store(database, numbered(["acme", "beta"]))
    partition = flows_of(client)
    key = key_of(partition)
    secure(client, [hold("h")], partition, NOW)
    same, empty = hold("another name"), hold("empty", Scope(tenants=("nobody",)))
    assert covers(client, [same, empty], [partition], NOW)[key] == Cover(("another name",), 1, True)
    wider = hold("w", Scope(tenants=("acme", "beta")))
    assert covers(client, [wider], [partition], NOW)[key] == Cover(("w",), 2, False)
    assert not covers(client, [hold("h"), wider], [partition], NOW)[key].copied
    store(database, numbered(["acme"], 7), block="late")
    assert covers(client, [hold("h")], [partition], NOW)[key] == Cover(("h",), 2, False)
    secure(client, [hold("h")], partition, NOW)
    assert covers(client, [hold("h")], [partition], NOW)[key].copied
    with database.connect("admin") as admin:
        admin.command(
            "ALTER TABLE held_flows UPDATE bytes = 1 WHERE observation_domain = 7 SETTINGS mutations_sync = 2"
        )
    assert not covers(client, [hold("h")], [partition], NOW)[key].copied
    assert "not those of any verified copy" in altered(client)[0]


def test_a_running_hold_covers_rows_of_later_days_and_an_ended_one_does_not(database: Node, client: Client) -> None:
    running, ended = hold("running", replace(ACME, since=NOW - 2 * DAY)), hold("ended", replace(ACME, until=NOW - DAY))
    store(database, numbered(["acme"]), 3)
    store(database, numbered(["acme"], 1), 0)
    found = covers(client, [running, ended], partitions(client), NOW)
    assert {(key[2], cover.holds) for key, cover in found.items()} == {
        ((NOW - 3 * DAY).date(), ("ended",)),
        (NOW.date(), ("running",)),
    }
    assert covers(client, [running], [flows_of(client, 3)], NOW)[key_of(flows_of(client, 3))] == Cover()


def test_nothing_held_is_taken_away_while_a_hold_is_unknown(database: Node, client: Client) -> None:
    store(database, numbered(["acme"]))
    secure(client, [hold("h")], flows_of(client), NOW)
    drop(client, flows_of(client))
    with pytest.raises(RefusalError, match="made for hold h, of which nothing is known"):
        tidy(client, [], NOW)
    assert domains(client) == [0]


def shown(node: Node) -> list[int]:
    """The flows that `flowkeep flows` finds, and as many as `flowkeep top` counts."""
    since, until = NOW - 10 * DAY, NOW + DAY
    with node.connect("query") as query:
        source = where(query, since, until)
        sql = flows_report(Everything(), since, until, 1000, ("observation_domain",), source)
        found = sorted(number for (number,) in query.query(sql.text, sql.parameters).rows)
        sql = grouped_report((statistic("proto"),), "flows", Everything(), since, until, 9, source)
        assert sum(row[1] for row in query.query(sql.text, sql.parameters).rows) == len(found)
    return found


def test_held_rows_are_shown_once_before_during_and_after_the_drop(database: Node, client: Client) -> None:
    store(database, numbered(["acme", "beta", "acme"]), 3)
    store(database, numbered(["beta"], 3), 1)
    partition = flows_of(client, 3)
    assert shown(database) == [0, 1, 2, 3]
    secure(client, [hold("h")], partition, NOW)
    assert shown(database) == [0, 1, 2, 3]
    with database.connect("query") as query:
        assert where(query, NOW - 10 * DAY, NOW) == "flows", "the view is for what is gone"
    assert mark_gone(client, key_of(partition), NOW)
    assert not mark_gone(client, key_of(partition), NOW)
    assert shown(database) == [0, 1, 2, 3], "marked, and not dropped yet"
    drop(client, partition)
    assert shown(database) == [0, 2, 3]
    with database.connect("query") as query:
        assert where(query, NOW - 10 * DAY, NOW) == "all_flows"
        assert where(query, NOW - DAY, NOW) == "flows", "nothing of that time is gone"
    store(database, numbered(["acme", "beta"], 8), 3, block="late")
    assert shown(database) == [0, 2, 3, 8, 9]
    late = flows_of(client, 3)
    assert not covers(client, [hold("h")], [late], NOW)[key_of(late)].copied
    secure(client, [hold("h")], late, NOW)
    assert domains(client) == [0, 2, 8], "what the source has lost stays"
    assert covers(client, [hold("h")], [late], NOW)[key_of(late)] == Cover(("h",), 1, True)
    assert shown(database) == [0, 2, 3, 8, 9]
    drop(client, late)
    assert shown(database) == [0, 2, 3, 8]
    assert tidy(client, [hold("h", expires=NOW)], NOW)[0].after == 0
    assert reconcile(client, NOW) == []
    assert shown(database) == [3]


def test_rows_that_clickhouse_itself_let_expire_are_shown_and_reconciled(database: Node, client: Client) -> None:
    store(database, numbered(["acme", "beta"]), 3)
    partition = flows_of(client, 3)
    secure(client, [hold("h")], partition, NOW)
    drop(client, partition)
    assert shown(database) == [0], "without a mark too"
    assert reconcile(client, NOW) == [key_of(partition)]
    assert reconcile(client, NOW) == []
    assert shown(database) == [0]


def test_a_database_of_before_holds_is_asked_as_ever(database: Node) -> None:
    with database.connect("admin") as admin:
        admin.command("DROP TABLE held_flows SYNC")
    store(database, numbered(["acme"]), 3)
    assert shown(database) == [0]
    with database.connect("admin") as admin, database.connect("retention") as client:
        admin.command("DROP TABLE hold_events SYNC")
        with pytest.raises(RefusalError, match="it cannot be known what is held"):
            load(client)
