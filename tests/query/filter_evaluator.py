"""The meaning of a filter's tree on one flow, written as plainly as it can be: what the SQL is checked against."""

from __future__ import annotations

import operator
from ipaddress import IPv6Address

from query.expression import (
    And,
    Called,
    Compare,
    End,
    Everything,
    Family,
    Flags,
    Listed,
    Named,
    Network,
    Node,
    Not,
    Or,
    Seen,
    Within,
)
from tests.query.flow_rows import Row, name_of

_COLUMNS = {
    "port": ("src_port", "dst_port"),
    "as": ("src_as", "dst_as"),
    "vlan": ("src_vlan", "dst_vlan"),
    "if": ("in_if", "out_if"),
    "ip": ("src_addr", "dst_addr"),
    "tenant": ("src_tenant", "dst_tenant"),
    "mask": ("src_mask", "dst_mask"),
    "mac": ("src_mac", "dst_mac"),
    "prev as": ("src_peer_as",),
    "next as": ("dst_peer_as",),
    "icmp-type": ("icmp_type",),
    "icmp-code": ("icmp_code",),
    "flags": ("tcp_flags",),
    "next ip": ("next_hop",),
    "class": ("retention_class",),
    "type": ("flow_type",),
    "inner vlan": ("inner_vlan",),
    "nat ip": ("post_nat_src_addr", "post_nat_dst_addr"),
    "tun ip": ("tunnel_src_addr", "tunnel_dst_addr"),
    "nat port": ("post_nat_src_port", "post_nat_dst_port"),
    "nat event": ("nat_event",),
    "pblock start": ("nat_port_start",),
    "pblock end": ("nat_port_end",),
    "asa event": ("firewall_event",),
    "asa xevent": ("firewall_event_code",),
    "asa user": ("user_name",),
    "fwdstat": ("forwarding_status",),
    "flowdir": ("flow_direction",),
    "observation domain id": ("observation_domain",),
    "ingress vrf": ("in_vrf",),
    "egress vrf": ("out_vrf",),
}
_COMPARATORS = {"=": operator.eq, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}


def _milliseconds(row: Row) -> int:
    return max(round((row["flow_end"] - row["flow_start"]).total_seconds() * 1000), 0)


def _rate(amount: int, row: Row) -> int:
    return amount * 1000 // _milliseconds(row) if _milliseconds(row) else 0


_FIGURES = {
    "duration": _milliseconds,
    "pps": lambda row: _rate(row["packets"], row),
    "bps": lambda row: _rate(row["bytes"] * 8, row),
    "bpp": lambda row: row["bytes"] // row["packets"] if row["packets"] else 0,
    "flows": lambda row: 1,
    "engine-type": lambda row: row["observation_domain"] >> 8 & 255,
    "engine-id": lambda row: row["observation_domain"] & 255,
}


def holds(node: Node, row: Row, negated: bool = False) -> bool:
    match node:
        case Everything():
            return True
        case Not(operand):
            return not holds(operand, row, not negated)
        case And(operands):
            return all(holds(operand, row, negated) for operand in operands)
        case Or(operands):
            return any(holds(operand, row, negated) for operand in operands)
        case Family(version):
            return _version(row["src_addr"]) == version or _version(row["dst_addr"]) == version
        case Flags(mask):
            found = row["tcp_flags"] & mask
            return row["proto"] == 6 and (found > 0 if negated else found == mask)
        case Compare(field, comparator, value, end):
            return _at(row, field, end, lambda found: _COMPARATORS[comparator](found, value))
        case Listed(field, values, end):
            return _at(row, field, end, lambda found: found in values)
        case Within("ip", networks, End.ANYWHERE):
            after = [row[f"post_nat_{end}_addr"] for end in ("src", "dst")]
            known = [address for address in after if int(address)]
            everywhere = (row["src_addr"], row["dst_addr"], *known)
            return any(_inside(address, network) for address in everywhere for network in networks)
        case Within(field, networks, end):
            return _at(row, field, end, lambda found: any(_inside(found, network) for network in networks))
        case Named(field, name, end):
            return _at(row, field, end, lambda found: found == name)
        case Seen(field, comparator, moment):
            time = row["flow_start" if field == "first seen" else "flow_end"]
            return bool(_COMPARATORS[comparator](round(time.timestamp() * 1000), moment))
        case Called(field, name, end):
            columns = ("application",) if field == "app" else ("in_if", "out_if")
            called = [name_of(row, field, row[column]) == name for column in columns]
            kept = {End.SOURCE: called[:1], End.DESTINATION: called[-1:]}.get(end, called)
            return any(kept)


def _at(row: Row, field: str, end: End, test) -> bool:
    if field == "flags" and row["proto"] != 6:
        return False
    if field.startswith("icmp-") and row["proto"] not in (1, 58):
        return False
    if field.startswith("mpls label"):
        place = int(field.removeprefix("mpls label"))
        return bool(test((row["mpls_labels"] + [0] * place)[place - 1]))
    if field in _FIGURES:
        return bool(test(_FIGURES[field](row)))
    found = [bool(test(row[column])) for column in _COLUMNS.get(field, (field,))]
    if field == "nat port" and row["nat_port_end"]:
        found[0] = found[0] or any(map(test, range(row["nat_port_start"], row["nat_port_end"] + 1)))
    if end is End.SOURCE:
        return found[0]
    if end is End.DESTINATION:
        return found[-1]
    return all(found) if end is End.BOTH else any(found)


def _version(address: IPv6Address) -> int:
    if address.ipv4_mapped:
        return 4
    return 6 if int(address) else 0


def _inside(address: IPv6Address, network: Network) -> bool:
    if network.version == 4:
        return address.ipv4_mapped is not None and address.ipv4_mapped in network
    return address in network
