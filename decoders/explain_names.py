"""What the values of some elements stand for: protocols, events, flags and the like, by element id.

Sources: the IANA registries of protocol numbers and of IPFIX; RFC 7270 for forwardingStatus, RFC 8158 for natEvent;
Cisco's "NetFlow Implementation Guide" for the ASA's events.
"""

from __future__ import annotations

PROTOCOLS = {
    0: "HOPOPT", 1: "ICMP", 2: "IGMP", 4: "IPv4", 6: "TCP", 8: "EGP", 9: "IGP", 17: "UDP", 33: "DCCP", 41: "IPv6",
    43: "IPv6-Route", 44: "IPv6-Frag", 46: "RSVP", 47: "GRE", 50: "ESP", 51: "AH", 58: "IPv6-ICMP", 59: "IPv6-NoNxt",
    60: "IPv6-Opts", 88: "EIGRP", 89: "OSPFIGP", 94: "IPIP", 97: "ETHERIP", 103: "PIM", 108: "IPComp", 112: "VRRP",
    115: "L2TP", 132: "SCTP", 133: "FC", 136: "UDPLite", 137: "MPLS-in-IP",
}  # fmt: skip

_FORWARDING = {
    0: "unknown", 64: "forwarded", 65: "forwarded, fragmented", 66: "forwarded, not fragmented", 128: "dropped",
    129: "dropped: ACL deny", 130: "dropped: ACL drop", 131: "dropped: unroutable", 132: "dropped: adjacency",
    133: "dropped: to be fragmented, but DF set", 134: "dropped: bad header checksum", 135: "dropped: bad total length",
    136: "dropped: bad header length", 137: "dropped: bad TTL", 138: "dropped: policer", 139: "dropped: WRED",
    140: "dropped: RPF", 141: "dropped: for us", 142: "dropped: bad output interface", 143: "dropped: hardware",
    192: "consumed", 193: "consumed: punt adjacency", 194: "consumed: incomplete adjacency", 195: "consumed: for us",
}  # fmt: skip

_FIREWALL = {0: "ignore", 1: "flow created", 2: "flow deleted", 3: "flow denied", 4: "flow alert", 5: "flow update"}

_NAT = {
    1: "translation created (historic)", 2: "translation deleted (historic)", 3: "addresses exhausted",
    4: "NAT44 session created", 5: "NAT44 session deleted", 6: "NAT64 session created", 7: "NAT64 session deleted",
    8: "NAT44 BIB created", 9: "NAT44 BIB deleted", 10: "NAT64 BIB created", 11: "NAT64 BIB deleted",
    12: "ports exhausted", 13: "quota exceeded", 14: "address binding created", 15: "address binding deleted",
    16: "port block allocated", 17: "port block deallocated", 18: "threshold reached",
}  # fmt: skip

VALUES: dict[int, dict[int, str]] = {
    4: PROTOCOLS,
    35: {1: "deterministic", 2: "random"},
    61: {0: "ingress", 1: "egress"},
    136: {1: "idle timeout", 2: "active timeout", 3: "end of flow detected", 4: "forced end", 5: "lack of resources"},
    193: PROTOCOLS,
    230: _NAT,
    233: _FIREWALL,
    239: {0: "arbitrary", 1: "initiator", 2: "reverse initiator", 3: "perimeter"},
    304: {
        1: "systematic count-based", 2: "systematic time-based", 3: "random n-out-of-N", 4: "uniform probabilistic",
        5: "property match", 6: "hash based, BOB", 7: "hash based, IPSX", 8: "hash based, CRC",
    },
    33002: {
        1001: "denied by an ingress ACL", 1002: "denied by an egress ACL", 1003: "denied by the appliance's rules",
        1004: "denied: TCP that did not begin with SYN",
    },
    40005: _FIREWALL,
}  # fmt: skip
"""Element of the IANA registry, or above 32767 of a vendor's, -> value -> what it stands for."""

_TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")


def tcp_flags(flags: int) -> str:
    """Return the names of the TCP control bits that are set."""
    return " ".join(name for bit, name in enumerate(_TCP_FLAGS) if flags >> bit & 1)


def meaning(id_: int, value: int) -> str:
    """Return what `value` of an element stands for; empty where that is not known."""
    match id_:
        case 6:
            return tcp_flags(value)
        case 32 | 139:
            return f"type {value >> 8}, code {value & 0xFF}"
        case 89:  # of 4 octets in NetFlow v9, where the last octet tells
            return _FORWARDING.get(value & 0xFF, "")
        case _ if 70 <= id_ <= 79:
            return f"label {value >> 4}, experimental {value >> 1 & 7}" + (", bottom of stack" if value & 1 else "")
        case _:
            return VALUES.get(id_, {}).get(value, "")
