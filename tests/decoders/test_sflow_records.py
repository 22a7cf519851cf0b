"""The structures of sFlow v5 flow samples, each into its columns; several in any order, plain and expanded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import Datagrams, Limits, State, decode
from schema.render import rows
from tests.decoders.sflow_wire import (
    ETHERNET,
    IPV4,
    IPV6,
    PACKET,
    array,
    datagram,
    egress_queue,
    flow_sample,
    gateway,
    ip_fields,
    item,
    mpls,
    nat,
    nat_port,
    router,
    sampled_ethernet,
    sampled_header,
    sampled_ip,
    switch,
    tunnel,
    u32,
    user,
    vlan_tunnel,
    vni,
)
from tests.decoders.wire import EXPORTER, NOW, decoded

UNKNOWN = 2**32 - 1


def row(*records: bytes, **fields: Any) -> dict[str, Any]:
    (found,) = rows(decoded(datagram(flow_sample(*records, **fields))).flows)
    return found


def told(records: Iterable[bytes], *names: str, **fields: Any) -> tuple[Any, ...]:
    found = row(*records, **fields)
    return tuple(found[name] for name in names)


def with_header(*records: bytes) -> list[bytes]:
    return [*records, sampled_header()]


FORMS = ("in_if", "in_if_form", "out_if", "out_if_form", "out_if_detail", "forwarding_status")


@pytest.mark.parametrize("expanded", [False, True])
@pytest.mark.parametrize(
    ("in_if", "out_if", "expected"),
    [
        ((0, 7), (0, 9), (7, "index", 9, "index", 0, 0)),
        ((0, 0), (0, 0x3FFFFFFE), (0, "index", 0x3FFFFFFE, "index", 0, 0)),
        ((0, 0x3FFFFFFF), (0, 9), (0, "agent", 9, "index", 0, 0)),
        ((0, 7), (0, 0x3FFFFFFF), (7, "index", 0, "agent", 0, 0)),
        ((0, 7), (1, 258), (7, "index", 0, "discarded", 258, 128)),
        ((0, 7), (1, 0), (7, "index", 0, "discarded", 0, 128)),
        ((0, 7), (2, 5), (7, "index", 0, "several", 5, 0)),
        ((0, 7), (2, 0), (7, "index", 0, "several", 0, 0)),
        ((1, 7), (3, 5), (0, "index", 0, "index", 0, 0)),
        ((2, 7), (0, 5), (0, "index", 5, "index", 0, 0)),
        ((0, 0x3FFFFFFF), (1, 3), (0, "agent", 0, "discarded", 3, 128)),
    ],
)
def test_interfaces(expanded: bool, in_if: tuple[int, int], out_if: tuple[int, int], expected: tuple[Any, ...]) -> None:
    assert told(with_header(), *FORMS, in_if=in_if, out_if=out_if, expanded=expanded) == expected


def test_expanded_interfaces_have_32_bits() -> None:
    found = row(*with_header(), in_if=(0, 2**31 + 1), out_if=(0, UNKNOWN), source=(3, 2**31), expanded=True)
    assert (found["in_if"], found["out_if"], found["out_if_form"]) == (2**31 + 1, 0, "index")
    assert found["data_source"] == 3 << 32 | 2**31
    assert row(*with_header(), source=(2, 2**24 - 1))["data_source"] == 2 << 32 | 2**24 - 1


def test_forms_of_some_leave_the_others() -> None:
    samples = [flow_sample(sampled_header(), out_if=out_if) for out_if in ((0, 4), (1, 256), (2, 3), (0, 0x3FFFFFFF))]
    samples.append(flow_sample(sampled_header(), out_if=(1, 257), expanded=True))
    found = [tuple(one[name] for name in FORMS[2:]) for one in rows(decoded(datagram(*samples)).flows)]
    assert found == [
        (4, "index", 0, 0), (0, "discarded", 256, 128), (0, "several", 3, 0), (0, "agent", 0, 0),
        (0, "discarded", 257, 128),
    ]  # fmt: skip


MACS = ("02:00:00:00:00:0a", "02:00:00:00:00:0b")
ARP = bytes.fromhex("02000000000b02000000000a0806") + bytes(46)
V4 = ip_fields(1400, 17, "203.0.113.1", "203.0.113.2", 53, 5353, 0, 0xB8)
V6 = ip_fields(900, 6, "2001:db8::1", "2001:db8::2", 443, 50000, 0x12, 0x28)
IP = ("src_addr", "dst_addr", "proto", "src_port", "dst_port", "tcp_flags", "tos", "bytes")


def test_a_frame_that_is_not_ip_is_a_flow() -> None:
    expected = (*MACS, 64, 0, 1, "::")
    names = ("src_mac", "dst_mac", "frame_length", "bytes", "packets", "src_addr")
    assert told([sampled_header(ARP, ETHERNET)], *names) == expected
    assert told([sampled_ethernet(64, *MACS, 0x806)], *names) == expected


def test_fields_of_the_packet_serve_where_no_header_tells_of_it() -> None:
    seen4 = ("203.0.113.1", "203.0.113.2", 17, 53, 5353, 0, 0xB8, 1400)
    seen6 = ("2001:db8::1", "2001:db8::2", 6, 443, 50000, 0x12, 0x28, 900)
    assert told([sampled_ip(V4)], *IP) == seen4
    assert told([sampled_ip(V6)], *IP) == seen6
    assert told([sampled_ip(V6), sampled_ip(V4)], *IP) == seen4
    assert told([sampled_ip(V6), sampled_header(ARP, ETHERNET)], *IP, "frame_length") == (*seen6, 64)
    assert told([sampled_ip(V4), sampled_header()], "bytes", "dst_port", "src_addr") == (60, 5353, "0.0.0.0")
    both = told([sampled_ip(V4), sampled_ethernet(1418, *MACS)], *IP, "frame_length", "dst_mac")
    assert both == (*seen4, 1418, MACS[1])
    assert told([sampled_ethernet(99, *MACS), sampled_header()], "frame_length", "src_mac") == (64, MACS[0])


def test_icmp_has_no_ports() -> None:
    fields = ip_fields(84, 1, "192.0.2.1", "192.0.2.2", 0, 8, 0, 0)
    assert told([sampled_ip(fields)], "src_port", "dst_port", "icmp_type") == (0, 0, 8)
    strange = ip_fields(84, 17, "192.0.2.1", "192.0.2.2", 70000, 8, 0, 0)
    assert told([sampled_ip(strange)], "src_port", "dst_port", "icmp_type") == (0, 8, 0)


def test_vlans_of_the_switch_and_of_stripped_tags() -> None:
    names = ("src_vlan", "dst_vlan", "inner_vlan")
    tagged = bytes.fromhex("02000000000b02000000000a810000640800") + PACKET
    assert told([sampled_header(tagged, ETHERNET)], *names) == (100, 0, 0)
    assert told([sampled_header(tagged, ETHERNET), switch(200, 300)], *names) == (200, 300, 0)
    assert told([sampled_header(tagged, ETHERNET), switch(UNKNOWN, 4095)], *names) == (100, 4095, 0)
    assert told([switch(0, 4096), sampled_header()], *names) == (0, 0, 0)
    stack = vlan_tunnel(0x88A8_A032, 0x8100_0033, 0x8100_0034)
    assert told(with_header(stack), *names) == (0x32, 0, 0x33)
    assert told(with_header(stack, switch(5, 6)), *names) == (5, 6, 0x33)
    assert told(with_header(vlan_tunnel()), *names) == (0, 0, 0)


def test_next_hops() -> None:
    """The router's goes before the gateway's, and that before the one of MPLS."""
    records = [mpls("192.0.2.3", [], []), gateway("2001:db8::2"), router("192.0.2.1", 24, 16)]
    assert told(with_header(*records), "next_hop", "src_mask", "dst_mask") == ("192.0.2.1", 24, 16)
    assert told(with_header(*records[:2]), "next_hop") == ("2001:db8::2",)
    assert told(with_header(*records[:1]), "next_hop") == ("192.0.2.3",)
    assert told(with_header(router("", 129, 128), gateway("0.0.0.0"), records[0]), "next_hop") == ("192.0.2.3",)
    assert told(with_header(router("0.0.0.0", 129, 128)), "next_hop", "src_mask", "dst_mask") == ("::", 0, 128)


BGP = ("as_path", "dst_as", "dst_peer_as", "src_as", "src_peer_as", "communities", "local_pref")


def test_gateway_with_all_segments_and_communities() -> None:
    path = [(2, [64500, 64501]), (1, [64502, 64503]), (2, []), (2, [4200000001])]
    one = gateway("192.0.2.1", 64496, 64510, 64511, path, [64500 << 16 | 100, 0xFFFFFF01], 200)
    text = "64500 64501 {64502 64503} 4200000001"
    expected = (text, 4200000001, 64500, 64510, 64511, "64500:100 65535:65281", 200)
    assert told(with_header(one), *BGP) == expected
    assert told(with_header(gateway(path=path[:2])), *BGP[:3]) == (text.rsplit(" ", 1)[0], 64503, 64500)
    assert told(with_header(gateway(own=64496)), *BGP) == ("", 64496, 0, 0, 0, "", 0)
    assert told(with_header(gateway(path=[(1, [7])])), "as_path") == ("{7}",)
    assert told(with_header(item(1003, gateway(src_as=9)[8:] + u32(1, 2))), "src_as") == (9,)  # longer than known


@pytest.mark.parametrize("most", [1, 2, 3, 8, 64])
def test_long_paths_are_cut_at_a_whole_number(most: int) -> None:
    numbers = list(range(64500, 64500 + 500))
    path, communities = [(2, numbers[:250]), (1, numbers[250:])], [number << 16 | 7 for number in numbers]
    payload = datagram(flow_sample(sampled_header(), gateway(path=path, communities=communities)))
    block = Datagrams.of([payload], EXPORTER, NOW)
    (found,) = rows(decode(block, State(), Limits(name_length=most)).flows)
    for name, words in (("as_path", map(str, numbers)), ("communities", (f"{number}:7" for number in numbers))):
        text = found[name]
        assert len(text) <= 4 * most
        told, end = text.split(" ")[:-1], text.split(" ")[-1]
        assert end == "..."
        assert told == ([*words][: len(told)] if told != [""] else [""])
        assert 4 * most - len(text) < 10  # no more is left out than must be
    assert found["dst_as"] == numbers[-1]
    exact = [(2, [1] * (2 * most))]  # one octet short of the bound
    payload = datagram(flow_sample(sampled_header(), gateway(path=exact)))
    (found,) = rows(decode(Datagrams.of([payload], EXPORTER, NOW), State(), Limits(name_length=most)).flows)
    assert found["as_path"] == " ".join("1" * (2 * most))


def test_many_routes_of_many_lengths() -> None:
    rng = np.random.default_rng(3)
    samples, paths = [], []
    for _ in range(500):
        path = rng.integers(1, 2**32, rng.integers(0, 12)).tolist()
        path = paths[rng.integers(len(paths))] if paths and rng.integers(2) else path
        paths.append(path)
        samples.append(flow_sample(sampled_header(), gateway(path=[(2, path)], local_pref=len(path))))
    found = decoded(*(datagram(*samples[at : at + 7]) for at in range(0, 500, 7)))
    assert [one["as_path"] for one in rows(found.flows)] == [" ".join(map(str, path)) for path in paths]
    assert found.flows.column("local_pref").tolist() == [len(path) for path in paths]


def test_users_labels_translation_queue() -> None:
    assert told(with_header(user("alice", "b\x01b")), "user_name", "dst_user_name") == (
        "alice",
        "b\N{REPLACEMENT CHARACTER}b",
    )
    came, left = [(100 + n) << 12 | 0x1FF for n in range(12)], [16 << 12 | 64, 17 << 12 | 0x140]
    found = row(*with_header(mpls("", came, left)))
    assert found["mpls_labels"] == [100 + n for n in range(10)]
    assert found["mpls_out_labels"] == [16, 17]
    translated = with_header(nat("198.51.100.1", "2001:db8::7"), nat_port(1024, 70000))
    names = ("post_nat_src_addr", "post_nat_dst_addr", "post_nat_src_port", "post_nat_dst_port")
    assert told(translated, *names) == ("198.51.100.1", "2001:db8::7", 1024, 0)
    assert told(with_header(nat("", "192.0.2.1")), *names[:2]) == ("::", "192.0.2.1")
    assert told(with_header(egress_queue(3)), "egress_queue") == (3,)


TUNNEL = ("tunnel", "tunnel_layer", "tunnel_src_addr", "tunnel_dst_addr", "src_addr")


def test_tunnels_that_the_agent_knows_of() -> None:
    of4 = ("other", "inner", "203.0.113.1", "203.0.113.2", "0.0.0.0")
    of6 = ("other", "inner", "2001:db8::1", "2001:db8::2", "0.0.0.0")
    assert told(with_header(), *TUNNEL) == ("none", "only", "::", "::", "0.0.0.0")
    for ingress in (False, True):
        assert told(with_header(tunnel(V4, ingress)), *TUNNEL) == of4
        assert told(with_header(tunnel(V6, ingress)), *TUNNEL) == of6
    assert told(with_header(tunnel(V6, ingress=True), tunnel(V4, ingress=False)), *TUNNEL) == of4
    assert told(with_header(vni(7, ingress=True)), "layer2_segment_id") == (7,)
    assert told(with_header(vni(7, ingress=True), vni(8)), "layer2_segment_id") == (8,)


def test_structures_that_are_not_stored_are_skipped_and_counted() -> None:
    records = [item(1021, bytes(24)), item(1022, bytes(24)), item(2209, bytes(48)), item(2209, b""), item(3, b"x", 9)]
    found = decoded(datagram(flow_sample(*with_header(*records))), datagram(flow_sample(*with_header(records[0]))))
    assert found.flows.rows == 2
    assert not found.faults
    assert found.passed_over == {
        ("flow", 0, 1021): 2, ("flow", 0, 1022): 1, ("flow", 0, 2209): 2, ("flow", 9, 3): 1
    }  # fmt: skip


def test_formats_without_end_are_counted_together() -> None:
    odd = [item(number % 4096, b"", 7 + number // 4096) for number in range(5000)]
    samples = [item(number % 4096, b"", 9 + number // 4096) for number in range(5000)]
    found = decoded(datagram(flow_sample(*with_header(*odd)), *samples))
    for kind in ("flow", "sample"):
        counts = {key: count for key, count in found.passed_over.items() if key[0] == kind}
        assert len(counts) == 1025
        assert sum(counts.values()) == 5000


def test_the_frame_tells_the_length_where_the_header_does_not() -> None:
    untold = PACKET[:2] + b"\0\0" + PACKET[4:]
    framed = bytes(12) + b"\x08\0"
    for packet, protocol, octets in ((PACKET, IPV4, 60), (untold, IPV4, 1514), (framed + untold, ETHERNET, 1500)):
        found = told([sampled_header(packet, protocol, frame_length=1518, stripped=4)], "bytes", "frame_length")
        assert found == (octets, 1518)
    assert told([sampled_header(bytes(24), ETHERNET, frame_length=1518)], "bytes", "frame_length") == (0, 1518)
    short = PACKET[:2] + b"\0\x28" + PACKET[4:]
    bare = bytes.fromhex("6000000000000640") + bytes(15) + b"\1" + bytes(15) + b"\2"
    for packet, protocol, frame, octets in ((short, IPV4, 1518, 40), (bare, IPV6, 1518, 1514), (bare, IPV6, 64, 40)):
        assert told([sampled_header(packet, protocol, frame_length=frame)], "bytes") == (octets,)


# What any records in any order give, beside a slow and plain reading of the same values.


class Record(NamedTuple):
    kind: str
    octets: bytes
    values: dict[str, Any]


def kind(name: str, encode: Callable[..., bytes], **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Record]:
    return st.fixed_dictionaries(parts).map(lambda values: Record(name, encode(**values), values))


port, byte, word = st.integers(0, 2**16 - 1), st.integers(0, 255), st.integers(0, UNKNOWN)
v4, v6 = st.ip_addresses(v=4).map(str), st.ip_addresses(v=6, network="2001:db8::/32").map(str)
hop = st.one_of(st.just(""), st.just("0.0.0.0"), st.ip_addresses(v=4, network="10.0.0.0/8").map(str), v6)
text = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, categories=["L", "N"]), max_size=20)
path = st.lists(st.tuples(st.sampled_from((1, 2)), st.lists(word, max_size=5)), max_size=4)
entries = st.lists(st.integers(1, 2**24 - 1).map(lambda top: top << 8), max_size=12)


def _fields(version: st.SearchStrategy[str]) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "length": word, "proto": st.integers(2, 57), "src": version, "dst": version, "src_port": port,
        "dst_port": port, "flags": st.integers(0, 0xFFF), "tos": byte,
    }  # fmt: skip


KINDS = [
    kind("ip4", lambda **values: sampled_ip(ip_fields(**values)), **_fields(v4)),
    kind("ip6", lambda **values: sampled_ip(ip_fields(**values)), **_fields(v6)),
    kind("switch", switch, src_vlan=st.one_of(word, st.integers(0, 4095)), dst_vlan=st.integers(0, 4095)),
    kind("router", router, next_hop=hop, src_mask=st.integers(0, 128), dst_mask=st.integers(0, 128)),
    kind("gateway", gateway, next_hop=hop, own=word, src_as=word, src_peer_as=word, path=path,
         communities=st.lists(word, max_size=4), local_pref=word),
    kind("user", user, source=text, destination=text),
    kind("mpls", mpls, next_hop=hop, came=entries, left=entries),
    kind("nat", nat, source=hop, destination=hop),
    kind("nat_port", nat_port, source=port, destination=port),
    kind("tags", lambda tags: vlan_tunnel(*tags), tags=st.lists(word, max_size=3)),
    kind("queue", egress_queue, number=word),
    kind("vni", vni, number=word),
    st.builds(lambda format_, body, of: Record("other", item(format_, body, of), {}), st.integers(3000, 4095),
              st.binary(max_size=9), st.integers(0, 2**20 - 1)),
]  # fmt: skip


def expected(records: list[Record]) -> dict[str, Any]:
    """Read the records one by one: the first of each kind, and of what two kinds tell the one that goes first."""
    first: dict[str, dict[str, Any]] = {}
    for record in records:
        first.setdefault(record.kind, record.values)
    found: dict[str, Any] = {"next_hop": "::", "src_vlan": 0, "inner_vlan": 0, "dst_vlan": 0}
    hops = [first[kind]["next_hop"] for kind in ("router", "gateway", "mpls") if kind in first]
    known = [hop for hop in hops if hop not in ("", "0.0.0.0")]
    found["next_hop"] = known[0] if known else "::"
    for ip in [first[kind] for kind in ("ip4", "ip6") if kind in first][:1]:
        found |= {
            "src_addr": ip["src"], "dst_addr": ip["dst"], "proto": ip["proto"], "src_port": ip["src_port"],
            "dst_port": ip["dst_port"], "tcp_flags": ip["flags"], "tos": ip["tos"], "bytes": ip["length"],
        }  # fmt: skip
    for side in ("src_vlan", "dst_vlan"):
        vlan = first.get("switch", {}).get(side, 0)
        found[side] = vlan if vlan <= 4095 else 0
    tags = [tag & 0xFFF for tag in first.get("tags", {}).get("tags", ())]
    found["src_vlan"] = found["src_vlan"] or (tags[0] if tags else 0)
    found["inner_vlan"] = tags[1] if len(tags) > 1 else 0
    found |= _routing(first)
    found |= {"egress_queue": first.get("queue", {}).get("number", 0)}
    found |= {"layer2_segment_id": first.get("vni", {}).get("number", 0)}
    users, ports, nats = first.get("user", {}), first.get("nat_port", {}), first.get("nat", {})
    found |= {"user_name": users.get("source", ""), "dst_user_name": users.get("destination", "")}
    found |= {"post_nat_src_port": ports.get("source", 0), "post_nat_dst_port": ports.get("destination", 0)}
    found |= {"post_nat_src_addr": nats.get("source") or "::", "post_nat_dst_addr": nats.get("destination") or "::"}
    return found


def _routing(first: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found = {f"{side}_mask": first.get("router", {}).get(f"{side}_mask", 0) for side in ("src", "dst")}
    bgp = first.get(
        "gateway", {"own": 0, "path": [], "communities": [], "src_as": 0, "src_peer_as": 0, "local_pref": 0}
    )
    numbers = [number for _, segment in bgp["path"] for number in segment]
    parts = [
        "{" + " ".join(map(str, segment)) + "}" if type_ == 1 else " ".join(map(str, segment))
        for type_, segment in bgp["path"] if segment
    ]  # fmt: skip
    found |= {"as_path": " ".join(parts), "dst_as": (numbers[-1] if numbers else 0) or bgp["own"]}
    found |= {"dst_peer_as": numbers[0] if numbers else 0}
    found |= {name: bgp[name] for name in ("src_as", "src_peer_as", "local_pref")}
    found["communities"] = " ".join(f"{one >> 16}:{one & 0xFFFF}" for one in bgp["communities"])
    labels = first.get("mpls", {"came": [], "left": []})
    for name, stack in (("mpls_labels", labels["came"]), ("mpls_out_labels", labels["left"])):
        found[name] = [entry >> 12 for entry in stack[:10]]
    return found


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_records_in_any_order_give_what_was_put_in(data: st.DataObject) -> None:
    samples, wanted = [], []
    for number in range(data.draw(st.integers(1, 6))):
        records = data.draw(st.lists(st.one_of(KINDS), max_size=7))
        if not any(record.kind in ("ip4", "ip6") for record in records):
            records.insert(data.draw(st.integers(0, len(records))), data.draw(KINDS[0]))
        source, rate = (data.draw(st.integers(0, 255)), data.draw(st.integers(0, 2**24 - 1))), data.draw(word)
        fields = {"source": source, "rate": rate, "in_if": (0, number), "out_if": (0, data.draw(st.integers(0, 2**29)))}
        octets = [record.octets for record in records]
        samples.append(flow_sample(*octets, expanded=data.draw(st.booleans()), **fields))
        told = {"data_source": source[0] << 32 | source[1], "sampling_rate": rate, "in_if": number}
        wanted.append(expected(records) | told | {"out_if": fields["out_if"][1], "packets": 1})
    copies = data.draw(st.sampled_from((1, 40)))  # one by one, and in step
    found = decoded(*[datagram(*samples)] * copies)
    assert not found.faults
    for place, one in enumerate(rows(found.flows)):
        wants = wanted[place % len(wanted)]
        assert {name: one[name] for name in wants} == wants


def test_the_length_in_an_ipv6_header_protocol() -> None:
    packet = bytes.fromhex("6280000000141140") + bytes(15) + b"\1" + bytes(15) + b"\2" + u32(53 << 16 | 54)
    names = ("src_addr", "dst_addr", "bytes", "tos", "src_port")
    assert told([sampled_header(packet, IPV6, 1518)], *names) == ("::1", "::2", 60, 0x28, 53)
    assert array([1, 2]) == u32(2, 1, 2)
