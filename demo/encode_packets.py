"""Flows as the first octets of Ethernet frames, one packet each: what an sFlow agent samples from the wire."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from demo.encode_records import icmp, is_v4
from schema.batch import Array, Flows

HEADER_OCTETS = 128
FCS = 4
_MIN_FRAME = 60  # without the frame check sequence
_MIN_PACKET = {4: 28, 6: 48}
_ETHERNET = [("dst_mac", "u1", 6), ("src_mac", "u1", 6)]
_TAG = [("tpid", ">u2"), ("vlan", ">u2")]
_IPV4 = [
    ("ethertype", ">u2"), ("version_ihl", "u1"), ("tos", "u1"), ("length", ">u2"), ("id_fragment", ">u4"),
    ("ttl", "u1"), ("proto", "u1"), ("checksum", ">u2"), ("src_addr", "u1", 4), ("dst_addr", "u1", 4),
]  # fmt: skip
_IPV6 = [
    ("ethertype", ">u2"), ("version_class", ">u4"), ("length", ">u2"), ("proto", "u1"), ("ttl", "u1"),
    ("src_addr", "u1", 16), ("dst_addr", "u1", 16),
]  # fmt: skip
# the layout of TCP; UDP, SCTP and ICMP use the front of it
_TRANSPORT = [
    ("source", ">u2"), ("destination", ">u2"), ("udp_length", ">u2"), ("rest", "u1", 6), ("offset", "u1"),
    ("flags", "u1"), ("tail", "u1", 6),
]  # fmt: skip
_WITH_PORTS = (6, 17, 132)
_ICMP, _TCP, _UDP, _ICMP6 = 1, 6, 17, 58


def frames(flows: Flows) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint32]]:
    """Return the frames' octets, shape (n, HEADER_OCTETS), zero-padded, and their lengths without FCS, shape (n,).

    `bytes` of a flow is the packet's IP total length; `src_vlan`, where not 0, gives an 802.1Q tag. ValueError where
    it is no packet's length.
    """
    lengths = flows.column("bytes")
    octets = np.zeros((flows.rows, HEADER_OCTETS), np.uint8)
    frame_lengths = np.zeros(flows.rows, np.uint32)
    mapped, tagged = is_v4(flows), flows.column("src_vlan") > 0
    for family, of_family in ((4, mapped), (6, ~mapped)):
        for with_tag in (False, True):
            rows = np.flatnonzero(of_family & (tagged == with_tag))
            if len(rows):
                if not _MIN_PACKET[family] <= int(lengths[rows].min()) <= int(lengths[rows].max()) <= 0xFFFF:
                    raise ValueError("a row is longer or shorter than any packet: draw packets from flows first")
                headers, link = _headers(flows.take(rows), family, with_tag)
                octets[rows, : headers.shape[1]] = headers
                frame_lengths[rows] = lengths[rows] + np.uint64(link)
    return octets, np.maximum(frame_lengths, _MIN_FRAME).astype(np.uint32)


def _headers(flows: Flows, family: int, tagged: bool) -> tuple[npt.NDArray[np.uint8], int]:
    """Return the headers of one shape of frame, shape (n, octets), and the length of the link header."""
    link = _ETHERNET + (_TAG if tagged else [])
    layout = np.dtype(link + (_IPV4 if family == 4 else _IPV6) + _TRANSPORT)
    out: npt.NDArray[Any] = np.zeros(flows.rows, layout)
    out["dst_mac"], out["src_mac"] = _mac(flows.column("dst_mac")), _mac(flows.column("src_mac"))
    if tagged:
        out["tpid"], out["vlan"] = 0x8100, flows.column("src_vlan")
    link_octets = np.dtype(link).itemsize + 2
    (_ipv4 if family == 4 else _ipv6)(out, flows)
    _transport(out, flows, 20 if family == 4 else 40)
    octets = out.view(np.uint8).reshape(flows.rows, -1)
    if family == 4:
        words = octets[:, link_octets : link_octets + 20].copy().view(">u2").sum(axis=1, dtype=np.uint32)
        folded = (words & 0xFFFF) + (words >> 16)
        out["checksum"] = ~((folded & 0xFFFF) + (folded >> 16)) & 0xFFFF
    return octets, link_octets


def _mac(values: Array) -> Array:
    return values.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]


def _ipv4(out: npt.NDArray[Any], flows: Flows) -> None:
    out["ethertype"], out["version_ihl"], out["tos"] = 0x0800, 0x45, flows.column("tos")
    out["length"], out["ttl"], out["proto"] = flows.column("bytes"), 64, flows.column("proto")
    out["src_addr"], out["dst_addr"] = flows.column("src_addr")[:, 12:], flows.column("dst_addr")[:, 12:]


def _ipv6(out: npt.NDArray[Any], flows: Flows) -> None:
    out["ethertype"], out["version_class"] = 0x86DD, 6 << 28 | flows.column("tos").astype(np.uint32) << 20
    out["length"], out["ttl"], out["proto"] = flows.column("bytes") - 40, 64, flows.column("proto")
    out["src_addr"], out["dst_addr"] = flows.column("src_addr"), flows.column("dst_addr")


def _transport(out: npt.NDArray[Any], flows: Flows, ip_header: int) -> None:
    proto = flows.column("proto")
    with_ports, is_tcp = np.isin(proto, _WITH_PORTS), proto == _TCP
    out["source"] = np.where(with_ports, flows.column("src_port"), 0)
    out["source"] = np.where(np.isin(proto, (_ICMP, _ICMP6)), icmp(flows), out["source"])
    out["destination"] = np.where(with_ports, flows.column("dst_port"), 0)
    out["udp_length"] = np.where(proto == _UDP, flows.column("bytes") - np.uint64(ip_header), 0)
    out["offset"] = np.where(is_tcp, 5 << 4, 0)
    out["flags"] = np.where(is_tcp, flows.column("tcp_flags"), 0)
