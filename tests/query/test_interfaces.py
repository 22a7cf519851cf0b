"""Interfaces by counters beside their flows, on a real ClickHouse: how much the flows show, and what is not known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_network
from pathlib import Path
from typing import Any

import pytest

from query.expression import Everything, Node, Within
from query.interfaces import COLUMNS, TABLE, Interface, Question, Way, interfaces
from storage.embedded import Node as Engine
from tests.query.counter_rows import BEGIN_MS, Sample, anew, make_table, put
from tests.query.flow_rows import UNTIL, Ask

EXPORTER = "198.51.100.1"
GOLDEN = Path(__file__).with_name("interfaces.json")
END = UNTIL + timedelta(hours=1)
Show = Callable[..., dict[int, Interface]]


class Store:
    """Puts samples and flows into the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def samples(self, *samples: Sample) -> None:
        with self._engine.connect("admin") as admin:
            put(admin, list(samples))

    def flow(self, ms: int, exporter: str = EXPORTER, **more: Any) -> None:
        values = {"packets": 1, "sampling_rate": 1, "retention_class": "'short'"} | more
        when = f"fromUnixTimestamp64Milli({BEGIN_MS + ms}, 'UTC')"
        row = ", ".join(map(str, (when, f"'{exporter}'", *values.values())))
        columns = f"time_received, exporter, {', '.join(values)}"
        with self._engine.connect("admin") as admin:
            admin.text(f"INSERT INTO flows ({columns}) {anew()} VALUES ({row})")

    def name(self, id_: int, name: str, seen: int, domain: int = 0, naming: str = "interface") -> None:
        when = f"fromUnixTimestamp64Milli({BEGIN_MS + seen}, 'UTC')"
        with self._engine.connect("admin") as admin:
            admin.text(
                "INSERT INTO names (exporter, observation_domain, naming, id, name, seen) "
                f"{anew()} VALUES ('{EXPORTER}', {domain}, '{naming}', {id_}, '{name}', {when})"
            )


@pytest.fixture
def store(ask: Ask, node: Engine) -> Iterator[Store]:
    with node.connect("admin") as admin:
        make_table(admin)
        yield Store(node)
        for table in (TABLE.name, "names"):
            admin.command(f"TRUNCATE TABLE {table}")
        ours = f"time_received >= fromUnixTimestamp64Milli({BEGIN_MS}, 'UTC')"
        admin.command(f"ALTER TABLE flows DELETE WHERE {ours} SETTINGS mutations_sync = 1")


@pytest.fixture
def show(ask: Ask) -> Show:
    """The interfaces that are shown, by index."""

    def shown(exporters: Node | None = None, since: datetime = UNTIL, until: datetime = END) -> dict[int, Interface]:
        question = Question(exporters or Everything(), since, until)
        rows = map(ask, (question.latest(), question.counted(), question.named(), question.seen()))
        return {each.index: each for each in interfaces(*rows)}

    return shown


def series(index: int, steps: int, **each: int) -> list[Sample]:
    """Samples every 20 s, from 0 s on, of counters that count `each` in every step."""
    return [
        Sample(
            index,
            20_000 * place,
            1 + place,
            60_000 + 20_000 * place,
            counters={name: 10**6 + count * place for name, count in each.items()},
        )
        for place in range(steps + 1)
    ]


def test_an_interface_of_which_flows_show_half_is_seen_by_half(store: Store, show: Show) -> None:
    each = {"if_in_octets": 1_000_000, "if_out_octets": 1_000_000, "if_in_ucast_pkts": 1990, "if_out_ucast_pkts": 2000}
    each |= {"if_in_multicast_pkts": 10, "if_out_errors": 3, "if_in_discards": 2, "if_in_errors": 0}
    store.samples(*(replace(sample, speed=10**6) for sample in series(7, 9, **each)))
    for step in range(9):
        middle = 20_000 * step + 10_000
        store.flow(middle, in_if=7, frame_length=500, bytes=482, sampling_rate=1000, data_source=7)
        store.flow(middle, out_if=7, bytes=4_820, packets=10, sampling_rate=100)
    found = show()[7]
    assert found.exporter == IPv6Address(f"::ffff:{EXPORTER}")
    assert (found.speed, found.admin_up, found.oper_up, found.seconds) == (10**6, True, True, 180.0)
    assert found.ways == (
        Way(9_000_000, 400_000.0, 40.0, 100.0, 0, 18, 4_500_000, 9, 0, 50.0),
        Way(9_000_000, 400_000.0, 40.0, 100.0, 27, None, 4_500_000, 9, 0, 50.0),
    )


def test_only_the_time_of_which_counters_tell_is_compared(store: Store, show: Show) -> None:
    samples = series(7, 4, if_in_octets=1000)
    late = [replace(sample, uptime=sample.uptime - 60_000 + 1) for sample in samples[2:]]  # restarted at 40 s
    store.samples(*samples[:2], *late)
    counted, not_counted = (1, 20_000, 40_001, 60_000, 80_000), (0, 20_001, 40_000, 80_001, 100_000)
    for place, ms in enumerate(counted):
        store.flow(ms, in_if=7, frame_length=10**place)
    for ms in not_counted:
        store.flow(ms, in_if=7, frame_length=10**9)
    (way, _) = show()[7].ways
    assert (way.octets, way.flow_octets, way.flows, way.seen_percent) == (3000, 11_111, 5, 370.367)
    assert show()[7].seconds == 60


def test_each_way_is_compared_in_its_own_time(store: Store, show: Show) -> None:
    one, two, three = series(7, 2, if_in_octets=1000, if_out_octets=1000)
    store.samples(one, two, replace(three, counters={"if_in_octets": three.counters["if_in_octets"]}))
    for ms in (10_000, 30_000):
        store.flow(ms, in_if=7, out_if=7, frame_length=500)
    assert [(way.octets, way.flow_octets, way.seen_percent) for way in show()[7].ways] == [
        (2000, 1000, 50.0),
        (1000, 500, 50.0),
    ]


def test_a_packet_sampled_where_it_came_in_and_where_it_went_out_counts_once(store: Store, show: Show) -> None:
    store.samples(*series(7, 1, if_in_octets=1000, if_out_octets=1000), *series(8, 1, if_out_octets=1000))
    for source in (7, 8):  # both sampled it
        store.flow(10_000, in_if=7, out_if=8, frame_length=500, data_source=source)
    store.flow(11_000, in_if=9, out_if=7, frame_length=250, data_source=9)  # 7 samples what comes in only
    store.flow(12_000, in_if=7, out_if=9, frame_length=250, data_source=1 << 32 | 7)  # VLAN 7 is no interface
    found = show()
    assert [way.seen_percent for way in found[7].ways] == [50.0, 25.0]
    assert found[8].ways[1].seen_percent == 50.0


def test_flows_without_a_sampling_rate_leave_it_open_how_much_is_seen(store: Store, show: Show) -> None:
    store.samples(*series(7, 1, if_in_octets=1000, if_out_octets=1000))
    for rate in (0, 0, 10):
        store.flow(10_000, in_if=7, bytes=82, sampling_rate=rate)
    way, other = show()[7].ways
    assert (way.flow_octets, way.flows, way.unknown_sampling, way.seen_percent) == (1200, 3, 2, None)
    assert (other.unknown_sampling, other.seen_percent) == (0, 0.0)


def test_interfaces_of_one_kind_of_news_are_shown_too(store: Store, show: Show) -> None:
    store.samples(*series(1, 1, if_in_octets=1000), *series(2, 1, if_in_octets=0), *series(3, 0, if_in_octets=0))
    store.flow(10_000, in_if=2, bytes=82)
    store.flow(30_000, in_if=3, bytes=82)
    store.flow(30_000, in_if=4, bytes=82, sampling_rate=0)
    found = show()
    assert sorted(found) == [1, 2, 3, 4]
    assert (found[1].ways[0].seen_percent, found[1].ways[0].flows) == (0.0, 0)
    assert (found[2].ways[0].octets, found[2].ways[0].seen_percent) == (0, None)
    for index, unknown in ((3, 0), (4, 1)):
        assert found[index].ways[0] == Way(None, None, None, None, None, None, 100, 1, unknown, None)
        assert found[index].seconds == 0
    assert (found[3].admin_up, found[4].admin_up, found[4].speed) == (True, None, None)


def test_the_newest_words_count_and_the_counters_own_come_first(store: Store, show: Show) -> None:
    one, two, three = series(7, 2, if_in_octets=1000)
    store.samples(replace(one, name="old", tenant="acme"), replace(two, name="ge-0/0/7", status=1, speed=10**10))
    store.samples(replace(three, status=None, speed=None), *series(8, 1), *series(9, 1))
    for place, name in enumerate(("before", "now")):
        for index in (7, 8):
            store.name(index, name, 1000 * place, domain=5 - place)
    store.name(9, "a VRF", 1000, naming="vrf")
    found = show()
    assert [(each.name, each.tenant) for each in found.values()] == [("ge-0/0/7", "acme"), ("now", ""), ("", "")]
    assert (found[7].speed, found[7].admin_up, found[7].oper_up) == (10**10, True, False)


def test_what_is_not_counted_is_not_known(store: Store, show: Show) -> None:
    store.samples(*(replace(sample, speed=0) for sample in series(7, 1, if_in_octets=1000, if_in_ucast_pkts=40)))
    found = show()[7]
    assert found.ways[0] == Way(1000, 400.0, None, 2.0, None, None, 0, 0, 0, 0.0)
    assert found.ways[1] == Way(None, None, None, None, None, None, 0, 0, 0, None)
    assert found.speed is None
    store.samples(*series(8, 1, if_in_octets=1000, if_in_broadcast_pkts=40))
    assert show()[8].ways[0].packets_per_second is None, "without those to one receiver it would tell too little"


def test_of_several_sub_agents_that_tell_of_one_interface_one_counts(store: Store, show: Show) -> None:
    other = [replace(sample, domain=1, ms=sample.ms + 5000) for sample in series(7, 3, if_in_octets=2000)]
    store.samples(*series(7, 2, if_in_octets=1000), *other)
    store.flow(70_000 - 5_000, in_if=7, frame_length=1500)
    (way, _) = show()[7].ways
    assert (way.octets, way.flow_octets, way.seen_percent) == (6000, 1500, 25.0)


def test_only_the_exporters_and_the_time_asked_for_are_shown(store: Store, show: Show) -> None:
    store.samples(*series(1, 2, if_in_octets=1000))
    store.samples(*(replace(sample, exporter="2001:db8::5") for sample in series(2, 1, if_in_octets=1000)))
    store.flow(10_000, exporter="2001:db8::6", in_if=3, bytes=82)
    assert set(show()) == {1, 2, 3}
    assert set(show(Within("exporter", (ip_network("2001:db8::/32"),)))) == {2, 3}
    assert set(show(Within("exporter", (ip_network(EXPORTER),)))) == {1}
    found = show(since=UNTIL + timedelta(seconds=20), until=UNTIL + timedelta(seconds=40))
    assert (found[1].seconds, set(found)) == (0, {1, 2})
    assert show(since=UNTIL + timedelta(seconds=20), until=UNTIL + timedelta(seconds=41))[1].ways[0].octets == 1000
    assert show(since=END, until=END + timedelta(hours=1)) == {}


def test_rows_of_other_data_sources_are_no_interfaces(store: Store, show: Show, node: Engine) -> None:
    store.samples(*series(7, 1, if_in_octets=1000))
    with node.connect("admin") as admin:
        admin.text(f"INSERT INTO {TABLE.name} SELECT * REPLACE(2 AS source_class, 9 AS source_index) FROM {TABLE.name}")
    assert set(show()) == {7}


def test_the_queries_are_those_of_the_golden_file_and_all_but_that_for_names_bound_the_time() -> None:
    since = datetime(2026, 11, 20, 10, tzinfo=UTC)
    question = Question(Within("exporter", (ip_network("192.0.2.1"),)), since, since + timedelta(hours=1))
    made = {kind: getattr(question, kind)() for kind in ("latest", "counted", "named", "seen")}
    assert {
        kind: {"sql": sql.text.split("\n"), "parameters": sql.parameters} for kind, sql in made.items()
    } == json.loads(GOLDEN.read_text())
    for kind, tables in (("latest", 1), ("counted", 2), ("seen", 3)):
        text = made[kind].text
        assert text.count("time_received >= fromUnix") == text.count("time_received < fromUnix") == tables
        assert text.count("exporter = {p") == tables


def test_every_counter_that_is_shown_is_a_column() -> None:
    assert set(COLUMNS) <= set(TABLE.by_name)
