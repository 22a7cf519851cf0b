"""What other collectors take for the same datagrams over UDP: nfcapd into its files, nfacctd into CSV."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from socket import SOCK_DGRAM
from typing import Any, NamedTuple

from benchmarks.peers import await_queue
from benchmarks.sender import Sender, Sent
from benchmarks.site import free_port

_EXPORTERS = 8
_BUFFER = 32 * 2**20
_PATIENCE = 30.0
_NFACCTD_RATE = 10_000
"""Flows a second that nfacctd can bear here: it takes about 25 CPU-seconds for a million."""
_NFACCTD_SECONDS = 15.0
_NFACCTD = """\
daemonize: false
nfacctd_ip: 127.0.0.1
nfacctd_port: {port}
nfacctd_pipe_size: {buffer}
plugins: print[all]
plugin_pipe_size: 67108864
plugin_buffer_size: 65536
print_cache_entries[all]: 400009
print_refresh_time[all]: 5
print_output[all]: csv
print_output_file[all]: {folder}/flows.csv
print_output_file_append[all]: true
aggregate[all]: peer_src_ip, src_host, dst_host, src_port, dst_port, proto, tos, tcpflags, in_iface, out_iface, \
src_as, dst_as, timestamp_start, timestamp_end
"""


class _Ended(NamedTuple):
    """A program that has ended: its CPU-seconds, and what had been sent to it."""

    seconds: float
    sent: Sent


def run(rates: Sequence[float], seconds: float) -> Iterator[dict[str, Any]]:
    """Yield what each peer made of each rate, as far as it bears it."""
    for rate in rates:
        for compression, option in compressions():
            yield _nfcapd(compression, option, rate, seconds)
    yield _nfacctd(_NFACCTD_RATE, min(seconds, _NFACCTD_SECONDS))


def compressions() -> list[tuple[str, list[str]]]:
    """Return the ways in which the nfcapd that is installed can write, each with its options."""
    if not shutil.which("nfcapd"):
        return [("plain", [])]
    told = subprocess.run(["nfcapd", "-h"], capture_output=True, text=True, check=False)
    text = told.stdout + told.stderr
    found: list[tuple[str, list[str]]] = [("plain", [])]
    if re.search(r"^-z=", text, re.MULTILINE):  # 1.7.2 and later
        found += [(name, [f"-z={name}"]) for name in ("lz4", "zstd") if name in text.lower()]
    elif re.search(r"^-y\s.*LZ4", text, re.MULTILINE):
        found.append(("lz4", ["-y"]))
    return found


def _nfcapd(compression: str, options: list[str], rate: float, seconds: float) -> dict[str, Any]:
    name = f"peer_nfcapd_{compression}_{rate / 1000:g}k"
    if not shutil.which("nfcapd") or not shutil.which("nfdump"):
        return _absent(name, "nfcapd")
    with tempfile.TemporaryDirectory(prefix="flowkeep-bench-") as folder:
        port = free_port(SOCK_DGRAM)
        command = ["nfcapd", "-w", folder, "-b", "127.0.0.1", "-p", str(port), "-t", "3600", "-C", "none",
                   "-B", str(_BUFFER), *options]  # fmt: skip
        ended = _fed(command, port, rate, seconds)
        files = list(Path(folder).glob("nfcapd.[0-9]*"))
        return _result(name, ended, sum(map(_counted, files)), sum(file.stat().st_size for file in files))


def _counted(file: Path) -> int:
    told = subprocess.run(["nfdump", "-r", str(file), "-I"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^Flows: (\d+)$", told, re.MULTILINE)
    return int(found[1]) if found else 0


def _nfacctd(rate: float, seconds: float) -> dict[str, Any]:
    name = f"peer_nfacctd_csv_{rate / 1000:g}k"
    if not shutil.which("nfacctd"):
        return _absent(name, "nfacctd")
    with tempfile.TemporaryDirectory(prefix="flowkeep-bench-") as folder:
        port = free_port(SOCK_DGRAM)
        config = Path(folder) / "nfacctd.conf"
        config.write_text(_NFACCTD.format(port=port, folder=folder, buffer=_BUFFER))
        ended = _fed(["nfacctd", "-f", str(config)], port, rate, seconds, linger=12)
        lines = octets = 0
        for file in Path(folder).glob("flows.csv*"):
            lines += max(file.read_bytes().count(b"\n") - 1, 0)
            octets += file.stat().st_size
        return _result(name, ended, lines, octets)


def _absent(name: str, program: str) -> dict[str, Any]:
    return {"bench": name, "value": None, "unit": "CPU-s/M flows", "why": f"{program} is not installed"}


def _fed(command: list[str], port: int, rate: float, seconds: float, linger: float = 0.0) -> _Ended:
    """Run a program, send to it, let it `linger` and end it."""
    with Sender(port, _EXPORTERS) as sender:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        before, sent = 0.0, None
        try:
            await_queue(port)
            sender.begin(rate, seconds)
            sent = sender.end()
            await_queue(port)
            time.sleep(linger)
            before = _session_seconds(process.pid)
        finally:
            used = _ended(process)
    # of several processes, the first one knows only what it took itself
    return _Ended(max(used, before), sent)


def _session_seconds(pid: int) -> float:
    """Return the CPU-seconds of all processes of a session, and of their children that have ended."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = path.read_text().rpartition(")")[2].split()
            ticks += sum(map(int, words[11:15])) if int(words[3]) == pid else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def _ended(process: subprocess.Popen[bytes]) -> float:
    """End a program with its session, by SIGINT first, which pmacct asks for; return its own CPU-seconds."""
    process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + _PATIENCE
    while True:
        pid, _, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = 0
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return usage.ru_utime + usage.ru_stime
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.05)


def _result(name: str, ended: _Ended, stored: int, octets: int) -> dict[str, Any]:
    sent = ended.sent
    return {
        "bench": name, "value": round(ended.seconds / max(stored, 1) * 1e6, 3), "unit": "CPU-s/M flows",
        "flows_per_second": round(sent.flows / sent.seconds), "sent_flows": sent.flows, "stored_flows": stored,
        "lost_flows": sent.flows - stored, "bytes_per_flow": round(octets / max(stored, 1), 1),
    }  # fmt: skip
