"""From UDP to the query: what is stored is what was sent, whose it was then, and the books balance."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from ipaddress import ip_address
from pathlib import Path

import numpy as np

from demo.encode import IpfixExporter, NetFlow5Exporter, NetFlow9Exporter, SFlowExporter
from demo.encode_records import is_v4
from demo.programs import find
from demo.provider import traffic
from demo.traffic import packets
from schema.batch import Flows
from schema.render import rows
from tests.collector.site import Site
from tests.collector.test_restart import RECORDS, numbered
from tests.decoders.wire import a_set, template, v9
from tests.exporters.test_real_exporters import COLUMNS


def stored(site: Site, where: str = "1") -> Counter[tuple[object, ...]]:
    plain = site.rows(f"SELECT {', '.join(COLUMNS)} FROM flows WHERE {where}")
    return Counter(tuple(str(v.ipv4_mapped or v) if hasattr(v, "ipv4_mapped") else v for v in row) for row in plain)


def told(batch: Flows) -> Counter[tuple[object, ...]]:
    return Counter(tuple(row[name] for name in COLUMNS) for row in rows(batch))


def balanced(books: dict[str, int | dict[str, int]]) -> bool:
    dropped = books["dropped"]
    assert isinstance(dropped, dict)
    return (
        books["received"] == books["datagrams_decoded"] + books["datagrams_faulty"]  # type: ignore[operator]
        and books["decoded"] == books["stored"] + sum(dropped.values())  # type: ignore[operator]
    )


def test_all_four_protocols_are_stored_as_sent_and_the_books_balance(site: Site) -> None:
    now = time.time_ns() // 1_000_000
    batch = traffic(np.random.default_rng(1), 3000, now - 60_000, now)
    old = batch.take(np.flatnonzero(is_v4(batch)))
    single = packets(np.random.default_rng(1), batch, 50)
    sent = {
        "netflow5": (NetFlow5Exporter(now - 10**6), old), "netflow9": (NetFlow9Exporter(1, now - 10**6), batch),
        "ipfix": (IpfixExporter(2), batch), "sflow": (SFlowExporter("192.0.2.9", now - 10**6), single),
    }  # fmt: skip
    with site.collector() as collector:
        count = 0
        for exporter, flows_ in sent.values():
            count += site.send([*exporter.announce(now), *exporter.datagrams(flows_, now)])
        count += site.send([b"", b"\xff" * 50, struct.pack(">HH", 5, 7)])
        books = collector.settle(count)
        for name, (_, flows_) in sent.items():
            assert stored(site, f"flow_type = '{name}'") == told(flows_), name
        assert books["faults"] == {"too_short": 1, "unknown_version": 1, "bad_count": 1} or books["faults"] == {
            "too_short": 2, "unknown_version": 1
        }  # fmt: skip
        assert books["flow_types"] == {name: flows_.rows for name, (_, flows_) in sent.items()}
        assert balanced(books)
        assert books["stored"] == site.rows("SELECT count() FROM flows")[0][0]
        assert collector.stop() == 0


def test_an_address_has_its_tenant_of_the_flows_time_also_within_one_datagram(tmp_path: Path) -> None:
    moved = 1_795_000_000
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moved))
    site = Site(tmp_path, f"prefix,tenant,valid_from,valid_to\n192.0.2.0/24,acme,,\n"
                          f"192.0.2.7/32,before,,{iso}\n192.0.2.7/32,after,{iso},\n")  # fmt: skip
    fields = [(8, 4), (12, 4), (152, 8), (153, 8), (1, 4)]
    record = b"".join(
        ip_address("192.0.2.7").packed + ip_address("203.0.113.1").packed + struct.pack(">QQI", at, at + 5, octets)
        for at, octets in ((moved * 1000 - 1, 1), (moved * 1000, 2), (moved * 1000 - 3_600_000, 3))
    )
    other = ip_address("203.0.113.1").packed + ip_address("192.0.2.8").packed + struct.pack(">QQI", moved * 1000, 0, 4)
    with site.collector() as collector:
        site.send([v9(a_set(0, template(256, fields)), a_set(256, record + other))])
        collector.settle(1)
        found = dict(site.rows("SELECT bytes, (src_tenant, dst_tenant, direction) FROM flows"))
    assert found == {
        1: ("before", "unassigned", "egress"), 2: ("after", "unassigned", "egress"),
        3: ("before", "unassigned", "egress"), 4: ("unassigned", "acme", "ingress"),
    }  # fmt: skip


def test_strangers_are_refused_counted_and_never_stored(tmp_path: Path) -> None:
    site = Site(tmp_path, exporters="127.0.0.1/32")
    payload = v9(a_set(0, template(256, [(1, 4)])), a_set(256, struct.pack(">I", 5)))
    with site.collector() as collector:
        site.send([payload] * 3, sender="127.0.0.66")
        site.send([payload])
        books = collector.settle(4)
        assert books["faults"] == {"exporter_not_allowed": 3}
        assert balanced(books)
        assert site.rows("SELECT count(), any(exporter) FROM flows")[0][0] == 1


def test_metrics_are_as_prometheus_wants_them(site: Site) -> None:
    promtool = find("promtool")
    assert promtool, "promtool is missing: apt-get install prometheus"
    with site.collector() as collector:
        site.send([v9(a_set(0, template(256, [(1, 4)])), a_set(256, struct.pack(">I", 5))), b"junk"])
        collector.settle(2)
        with urllib.request.urlopen(f"http://127.0.0.1:{site.ports.metrics}/metrics") as answer:
            text = answer.read().decode()
        checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "flowkeep_records_stored_total 1.0" in text
        assert 'flowkeep_datagrams_rejected_total{reason="unknown_version"} 1.0' in text
        for page in ("healthz", "readyz"):
            with urllib.request.urlopen(f"http://127.0.0.1:{site.ports.metrics}/{page}") as answer:
                assert answer.status == 200
        status = site.flowkeep("status", "--json")
        assert json.loads(status.stdout)["stored"] == 1


def test_interface_names_are_kept(site: Site) -> None:
    from tests.decoders.wire import options_template9

    options = a_set(1, options_template9(300, [(2, 4)], [(82, 8)])) + a_set(300, struct.pack(">I8s", 3, b"ge-0/0/3"))
    with site.collector() as collector:
        collector.settle(site.send([v9(options)]))
        assert site.rows("SELECT naming, id, name FROM names") == [("interface", 3, "ge-0/0/3")]


def test_live_shows_each_flow_once_as_it_is_stored(site: Site) -> None:
    command = [sys.executable, "-m", "cli.main", "live", "bytes > 0", "-n", "1000", "--json", "-c", str(site.config)]
    payloads, path = iter(numbered(500)), site.directory / "shown"
    with site.collector() as collector:
        sent = site.send([next(payloads)])
        with path.open("w") as out:
            live = subprocess.Popen(
                command,
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # xdist has its workers ignore it
            )
            try:
                more = 5
                while more:  # it shows what comes from its start on
                    sent += site.send([next(payloads)], pause=0.1)
                    more -= path.stat().st_size > 0
                collector.settle(sent)
                time.sleep(3)
                live.send_signal(signal.SIGINT)
                _, err = live.communicate(timeout=20)
            finally:
                live.kill()
    assert (live.returncode, err) == (0, "")
    shown = sorted(json.loads(line)["bytes"] for line in path.read_text().splitlines())
    assert shown == list(range(shown[0], (sent - 1) * RECORDS + 1))
