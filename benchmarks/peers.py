"""What other programs take for the same datagrams: the packages `netflow` and `netflume`, nfcapd and sfcapd, tshark.

The packages run in a child process with a time limit, for some datagrams make them raise or never return. They decode
only, as we do here; the figures of nfcapd and sfcapd hold more, for they read UDP and write a file, and tshark's too,
which reads a capture and takes every field apart.
"""

from __future__ import annotations

import multiprocessing
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

import netflow
import netflume
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from benchmarks.layouts import Load
from benchmarks.site import free_port

Found = dict[str, float]
_DATAGRAMS = 3000
"""Datagrams given to the packages, which are slow."""
_LIMIT = 90.0
_BURST = 32
"""Datagrams sent at a time: about a third of the default receive buffer, so that nfcapd loses nothing."""
_PATIENCE = 30.0
_ROUNDS = 3
_SFLOW, _ETHERNET = 6343, 1


def measure(peer: str, load: Load) -> Found | str:
    """Return what a peer does with a load, or why it cannot.

    `rate` is flows per second of one core, nfcapd's start and final write included; `decoded` is the part of the flows
    that it found. nfcapd stores uncompressed: `cpu_seconds` are for a million flows, `octets` is what one takes there.
    """
    if peer in ("nfcapd", "sfcapd"):
        return _nfdump(peer, load)
    if peer == "tshark":
        return _tshark(load)
    few = load._replace(
        sent=load.sent[:_DATAGRAMS], records=load.records * min(_DATAGRAMS, len(load.sent)) // len(load.sent)
    )
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(peer, few, theirs))
    process.start()
    theirs.close()
    try:
        found: Found | str = ours.recv() if ours.poll(_LIMIT) else f"no answer within {_LIMIT:.0f} s"
    except EOFError:
        found = "it died"
    process.kill()
    process.join()
    return found


def _child(peer: str, load: Load, out: Connection) -> None:
    errors: dict[str, int] = {}
    parse = {"netflow": _netflow, "netflume": _netflume}[peer]()

    def flows(datagrams: Sequence[tuple[str, bytes]]) -> int:
        count = 0
        for exporter, datagram in datagrams:
            try:
                count += parse(exporter, datagram)
            except Exception as error:
                named = type(error).__name__
                errors[named] = errors.get(named, 0) + 1
        return count

    flows(load.announced)
    begun = time.process_time()
    count = flows(load.sent)
    seconds = time.process_time() - begun
    if count:
        out.send({"rate": count / seconds, "decoded": count / load.records})
    else:
        out.send(f"it decodes none ({', '.join(f'{name}: {times}' for name, times in errors.items()) or 'no error'})")


def _netflow() -> Callable[[str, bytes], int]:
    """Return a parser that keeps the templates of each exporter apart, as `netflow` does not by itself.

    As bytes, a datagram that happens to be valid UTF-8 would be taken for a hex dump.
    """
    templates: dict[str, dict[str, dict[int, object]]] = {}

    def parse(exporter: str, datagram: bytes) -> int:
        own = templates.setdefault(exporter, {"netflow": {}, "ipfix": {}})
        return len(netflow.parse_packet(bytearray(datagram), own).flows)

    return parse


def _netflume() -> Callable[[str, bytes], int]:
    """Return a parser into the plain dicts of `netflume`."""
    decoder = netflume.Decoder()
    return lambda exporter, datagram: len(decoder.flows(datagram, exporter))


def _tshark(load: Load) -> Found | str:
    """Have tshark dissect the first datagrams of a load; what it takes for one is left out."""
    if not shutil.which("tshark"):
        return "tshark is not installed"
    few = load.sent[:_DATAGRAMS]
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for name, datagrams in (("one.pcap", few[:1]), ("load.pcap", few)):
            path = Path(folder) / name
            frames = [Ether() / IP(src=sender) / UDP(sport=_SFLOW, dport=_SFLOW) / sent for sender, sent in datagrams]
            wrpcap(str(path), frames, linktype=_ETHERNET)
            before = _children_seconds()
            subprocess.run(["tshark", "-r", str(path), "-Y", "sflow", "-T", "fields", "-e", "sflow_245.numsamples"],
                           capture_output=True, check=True)  # fmt: skip
            seconds.append(_children_seconds() - before)
    records = load.records * len(few) / len(load.sent)
    return {"rate": records / (seconds[1] - seconds[0]), "decoded": 1.0}


def _nfdump(program: str, load: Load) -> Found | str:
    """Send a load to nfcapd or sfcapd over loopback; the best of some rounds, for the first often takes half as much
    again."""
    if not shutil.which(program) or not shutil.which("nfdump"):
        return f"{program} is not installed"
    found = [_round(program, load) for _ in range(_ROUNDS)]
    rounds = [one for one in found if not isinstance(one, str)]
    return max(rounds, key=lambda one: one["rate"]) if rounds else found[0]


def _round(program: str, load: Load) -> Found | str:
    with tempfile.TemporaryDirectory() as folder:
        before = _children_seconds()
        _feed(program, [*load.announced, *load.sent], folder)
        seconds = _children_seconds() - before
        files = list(Path(folder).glob("??capd.[0-9]*"))
        stored = sum(_stored(file) for file in files)
        octets = sum(file.stat().st_size for file in files)
    if not stored:
        return "it stores none"
    return {
        "rate": stored / seconds, "decoded": stored / load.records, "cpu_seconds": seconds / stored * 1e6,
        "octets": octets / stored,
    }  # fmt: skip


def _feed(program: str, datagrams: Sequence[tuple[str, bytes]], folder: str) -> None:
    """Run nfcapd or sfcapd, writing to `folder`, until it has read all datagrams and written its file."""
    with ExitStack() as stack:
        senders: dict[str, socket.socket] = {}
        for address in dict.fromkeys(exporter for exporter, _ in datagrams):
            senders[address] = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            senders[address].bind((address, 0))
        port = free_port(socket.SOCK_DGRAM)
        command = [program, "-w", folder, "-b", "127.0.0.1", "-p", str(port), "-t", "3600", "-C", "none"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                await_queue(port)
                for first in range(0, len(datagrams), _BURST):
                    for exporter, datagram in datagrams[first : first + _BURST]:
                        senders[exporter].sendto(datagram, ("127.0.0.1", port))
                    await_queue(port)
            finally:
                process.send_signal(signal.SIGTERM)


def await_queue(port: int) -> None:
    """Wait until the UDP socket of `port` on 127.0.0.1 exists and has no octets to be read."""
    entry = re.compile(rf"0100007F:{port:04X} \S+ \S+ [0-9A-F]+:00000000 ")
    deadline = time.monotonic() + _PATIENCE
    while not entry.search(Path("/proc/net/udp").read_text()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"nobody reads UDP port {port}")
        time.sleep(0.001)


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _stored(file: Path) -> int:
    """Return how many flows nfdump counts in `file`."""
    command = ["nfdump", "-r", str(file), "-I"]
    statistics = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^Flows: (\d+)$", statistics, re.MULTILINE)
    return int(found[1]) if found else 0


def of(load: Load) -> tuple[str, ...]:
    """Return the peers that can read a load."""
    if load.what != "flows":
        return ("tshark",)
    return ("sfcapd", "tshark") if load.name == "sflow" else ("nfcapd", "netflow", "netflume")
