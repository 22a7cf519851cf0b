"""Real exporters to the collector: what is stored is what tshark reads in the same export, flow by flow."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.collector.site import Site, wait_for
from tests.collector.test_end_to_end import balanced, stored
from tests.exporters.recordings import PROGRAMS, Capture, Export
from tests.exporters.test_real_exporters import COLUMNS
from tests.exporters.tshark_reading import flows, write_pcap


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_stored_of_a_real_exporter_is_what_tshark_reads(
    name: str, exports: dict[str, Export], tmp_path: Path
) -> None:
    site = Site(tmp_path)
    pcap = tmp_path / "export.pcap"
    write_pcap(pcap, exports[name].datagrams, "netflow")
    with site.collector() as collector:
        to = f"127.0.0.1:{site.ports.netflow}"
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "replay", str(pcap), "--to", to],
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"sent {len(exports[name].datagrams)} datagrams" in done.stdout
        books = collector.settle(len(exports[name].datagrams))
        expected = Counter(tuple(getattr(flow, column) for column in COLUMNS) for flow in flows(exports[name].pdml))
        assert stored(site) == expected
        assert balanced(books)
        assert not books["faults"]


def test_softflowd_straight_into_the_collector(tmp_path: Path, capture: Capture) -> None:
    site = Site(tmp_path)
    with site.collector() as collector:
        assert PROGRAMS["softflowd-9"](capture.path, "127.0.0.1", site.ports.netflow).status == 0
        wait_for(lambda: collector.books()["stored"] >= len(capture.flows))
        assert set(stored(site)) == {tuple(getattr(flow, name) for name in COLUMNS) for flow in capture.flows}
