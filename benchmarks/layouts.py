"""Loads of datagrams that decoding is measured with: fixed layouts, many layouts, one record each, variable lengths."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from demo.encode import Exporter, IpfixExporter, NetFlow5Exporter, NetFlow9Exporter, Options, SFlowExporter
from demo.encode_counters import Interfaces
from demo.encode_ipfix import TEMPLATES as IPFIX_TEMPLATES
from demo.encode_netflow9 import TEMPLATES as NETFLOW9_TEMPLATES
from demo.encode_records import Field, Template, a_set, groups, is_v4, pack, port_or_icmp, specifiers, uptime
from demo.provider import traffic
from demo.traffic import packets
from schema.batch import Array, Flows

NOW = 1_795_000_000_000
BOOT = NOW - 10**7
FLOWS = 100_000
EXPORTERS, LAYOUTS = 100, 20
_SINGLE = 50_000
_PORTS = 50
_RECORDS = 24
_PADDING = 210
_VARIABLE = 0xFFFF
_APPLICATION, _USER, _INTERFACE = 96, 371, 82


class Load(NamedTuple):
    """Datagrams, each with its exporter's IPv4 address on loopback: `announced` are templates and options.

    `sent` hold `records` records, each of which is one of `what`. `layouts` are the distinct layouts among them.
    """

    name: str
    announced: list[tuple[str, bytes]]
    sent: list[tuple[str, bytes]]
    records: int
    layouts: int = 1
    what: str = "flows"


def fixed() -> Iterator[Load]:
    """Yield one load for each protocol of NetFlow: one exporter of one layout, full datagrams."""
    flows = v4_flows(FLOWS)
    options = Options(sampler_rates=(1,))
    exporters: list[tuple[str, Exporter]] = [
        ("netflow5", NetFlow5Exporter(BOOT)),
        ("netflow9", NetFlow9Exporter(1, BOOT, options=options)),
        ("ipfix", IpfixExporter(1, options=options, max_octets=2000)),
    ]
    for name, exporter in exporters:
        announced, sent = exporter.announce(NOW), exporter.datagrams(flows, NOW)
        yield Load(name, _of(0, announced), _of(0, sent), flows.rows)


def samples() -> Iterator[Load]:
    """Yield sFlow: samples of IPv4 and IPv6 packets, seven a datagram, and counter samples of interfaces."""
    flows = traffic(np.random.default_rng(7), FLOWS, NOW - 60_000, NOW)
    carried = packets(np.random.default_rng(7), flows, 20)
    yield Load("sflow", [], _of(0, SFlowExporter("192.0.2.9", BOOT).datagrams(carried, NOW)), carried.rows)
    interfaces = Interfaces(range(1, _PORTS + 1), 10**10)
    interfaces.count(flows)
    told = [one for number in range(1, _SINGLE // _PORTS + 1) for one in interfaces.samples(number)]
    sent = SFlowExporter("192.0.2.9", BOOT).counters(told, NOW)
    yield Load("sflow_counters", [], _of(0, sent), len(told), what="counter samples")


def one_record() -> Load:
    """Return NetFlow v9 datagrams of one exporter with one record each."""
    exporter = NetFlow9Exporter(1, BOOT, options=Options(sampler_rates=(1,)), max_octets=1)
    return Load(
        "one_record", _of(0, exporter.announce(NOW)), _of(0, exporter.datagrams(v4_flows(_SINGLE), NOW)), _SINGLE
    )


def interleaved(common: bool) -> Load:
    """Return NetFlow v9 of many exporters with many layouts each, no two datagrams in a row of one exporter.

    The layouts have the fields of a plain one in another order each, and padding of another length. `common` says
    whether they are the same for all exporters, or no two of them.
    """
    flows = _with_times(v4_flows(EXPORTERS * LAYOUTS * 2 * _RECORDS))
    orders = np.random.default_rng(11)
    distinct = [
        _shuffled(orders, 256 + number % LAYOUTS, number) for number in range(LAYOUTS * (1 if common else EXPORTERS))
    ]
    announced: list[tuple[str, bytes]] = []
    sent: list[tuple[str, bytes]] = []
    for exporter in range(EXPORTERS):
        own = distinct if common else distinct[exporter * LAYOUTS : (exporter + 1) * LAYOUTS]
        for half in (own[: LAYOUTS // 2], own[LAYOUTS // 2 :]):
            told = a_set(0, b"".join(template.record for template in half))
            announced += _of(exporter, [_netflow9(told, len(half), exporter, 0)])
    for number in range(EXPORTERS * LAYOUTS * 2):
        exporter, layout = number % EXPORTERS, number // EXPORTERS % LAYOUTS
        template = distinct[layout if common else exporter * LAYOUTS + layout]
        part = flows.take(np.arange(number * _RECORDS, (number + 1) * _RECORDS))
        data = a_set(template.template_id, template.data(part).tobytes())
        sent += _of(exporter, [_netflow9(data, _RECORDS, exporter, 2 + number // EXPORTERS)])
    name = f"interleaved_{len(distinct)}_layouts"
    return Load(name, announced, sent, flows.rows, len(distinct))


def variable() -> Load:
    """Return IPFIX with three variable-length strings among the fixed fields: application, user, interface."""
    flows = v4_flows(FLOWS)
    zeros = np.zeros(flows.rows, np.uint32)
    rows = Flows(flows.rows, flows.arrays | {"icmp": zeros.astype(np.uint16), "sampler": zeros, "number": zeros})
    fields = IPFIX_TEMPLATES[4].fields
    cuts = (fields[:6], fields[6:12], fields[12:])
    parts = [pack([(one.value, one.octets) for one in some], rows) for some in cuts]
    sizes = [part.itemsize for part in parts]
    bodies = [part.tobytes() for part in parts]
    names = _names(flows.rows)
    records = [
        b"".join(
            body[row * size : (row + 1) * size] + text for body, size, text in zip(bodies, sizes, texts, strict=True)
        )
        for row, texts in enumerate(names)
    ]
    variables = (_APPLICATION, _USER, _INTERFACE)
    told = b"".join(
        specifiers(some) + struct.pack("!HH", id_, _VARIABLE) for some, id_ in zip(cuts, variables, strict=True)
    )
    template = struct.pack("!HH", 256, len(fields) + 3) + told
    sent, number = [], 0
    for body in groups(records):
        sent.append(_ipfix(a_set(256, b"".join(body)), number))
        number += len(body)
    return Load("variable", _of(0, [_ipfix(a_set(2, template), 0)]), _of(0, sent), flows.rows)


def v4_flows(count: int) -> Flows:
    """Return `count` IPv4 flows of the demo's provider."""
    flows = traffic(np.random.default_rng(7), count * 2, NOW - 60_000, NOW)
    return flows.take(np.flatnonzero(is_v4(flows))[:count])


def _of(exporter: int, datagrams: Sequence[bytes]) -> list[tuple[str, bytes]]:
    address = f"127.0.1.{exporter + 1}"
    return [(address, datagram) for datagram in datagrams]


def _with_times(flows: Flows) -> Flows:
    """Add what NetFlow v9 has of its own: times of the uptime, ICMP in the port, no sampler, padding."""
    own: dict[str, Array] = {
        "first": uptime(flows.column("flow_start"), BOOT),
        "last": uptime(flows.column("flow_end"), BOOT),
        "dst_port": port_or_icmp(flows),
        "sampler": np.zeros(flows.rows, np.uint8),
        "padding": np.zeros(flows.rows, np.uint8),
    }
    return Flows(flows.rows, flows.arrays | own)


def _shuffled(rng: np.random.Generator, template_id: int, number: int) -> Template:
    fields = [*NETFLOW9_TEMPLATES[4].fields, Field(_PADDING, "padding", (1, 2, 4)[number % 3])]
    return Template(template_id, tuple(fields[index] for index in rng.permutation(len(fields))))


def _netflow9(sets: bytes, records: int, source: int, sequence: int) -> bytes:
    return struct.pack("!HHIIII", 9, records, (NOW - BOOT) % 2**32, NOW // 1000, sequence, source) + sets


def _ipfix(sets: bytes, sequence: int) -> bytes:
    return struct.pack("!HHIII", 10, 16 + len(sets), NOW // 1000, sequence, 1) + sets


def _names(count: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield an application's, a user's and an interface's name, each with its length before it (RFC 7011 section 7)."""
    rng = np.random.default_rng(5)
    kinds = (
        [f"application-{n:x}" * (1 + n % 2) for n in range(200)],
        ["", *(f"user{n}@example.net" for n in range(500))],
        [f"xe-0/{n % 4}/{n}" for n in range(48)],
    )
    texts = [[bytes([len(text)]) + text.encode() for text in kind] for kind in kinds]
    chosen = [rng.integers(0, len(kind), count).tolist() for kind in texts]
    for one, other, third in zip(*chosen, strict=True):
        yield texts[0][one], texts[1][other], texts[2][third]
