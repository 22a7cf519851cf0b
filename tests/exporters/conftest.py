"""The capture, and every real exporter's export of it, made once per session."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo.capture import write_capture
from tests.exporters.recordings import PAIRS, PROGRAMS, Capture, Export, Listener
from tests.exporters.tshark_reading import dissect, write_pcap


@pytest.fixture(scope="session")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    path = tmp_path_factory.mktemp("capture") / "mix.pcap"
    start = float(int(time.time()) - 60)
    return Capture(path, write_capture(path, PAIRS, start), start)


@pytest.fixture(scope="session")
def exports(capture: Capture, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Export]:
    """Every program's export of the capture; they run side by side, since pmacctd only waits most of its 4 seconds."""
    directory = tmp_path_factory.mktemp("exports")

    def export(name: str) -> Export:
        with Listener() as listener:
            run = PROGRAMS[name](capture.path, "127.0.0.1", listener.port)
        pcap = directory / f"{name}.pcap"
        write_pcap(pcap, listener.datagrams, "sflow" if name == "sfprobe" else "netflow")
        return Export(name, run, listener.datagrams, dissect(pcap))

    with ThreadPoolExecutor(len(PROGRAMS)) as pool:
        return dict(zip(PROGRAMS, pool.map(export, PROGRAMS), strict=True))
