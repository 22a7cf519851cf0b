"""Random filters for hypothesis, as trees, and the text that says a tree."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_network

from hypothesis import strategies as st

from query.expression import (
    CHOICES,
    And,
    Called,
    Compare,
    End,
    Everything,
    Family,
    Flags,
    Listed,
    Named,
    Node,
    Not,
    Or,
    Seen,
    Within,
)
from tests.query.flow_rows import (
    APPLICATIONS,
    AS_NUMBERS,
    DURATIONS,
    FLAGS,
    INTERFACES,
    MACS,
    MASKS,
    NAMES,
    PORTS,
    SINCE,
    STATUSES,
    V4,
    V6,
    VRFS,
)

_FOUR = (End.SOURCE, End.DESTINATION, End.EITHER, End.BOTH)
_ENDS = st.sampled_from(_FOUR)
_HOSTS = st.sampled_from(V4 + V6).map(ip_network)
_NETWORKS = st.one_of(
    _HOSTS,
    st.tuples(st.sampled_from(V4), st.integers(0, 32)).map(lambda place: ip_network(place, strict=False)),
    st.tuples(st.sampled_from(V6), st.integers(0, 128)).map(lambda place: ip_network(place, strict=False)),
)
_PLACES = st.lists(_NETWORKS, min_size=1, max_size=4).map(tuple)
_ENDED = {
    "port": PORTS,
    "nat port": (*PORTS, 2000, 2048, 4095),
    "as": AS_NUMBERS,
    "vlan": (0, 5, 4095),
    "mask": MASKS,
    "if": INTERFACES,
}
_SINGLE = {
    "inner vlan": (0, 7, 4095),
    "proto": (1, 6, 17, 58, 255),
    "tos": (0, 8, 255),
    "bytes": (0, 1000, 10**6, 10**9 + 5, 2**64 - 1),
    "packets": (0, 1, 1000),
    "icmp-type": (0, 3, 8),
    "icmp-code": (0, 1, 255),
    "flags": FLAGS,
    "nat event": (0, 1, 2, 4),
    "pblock start": (0, 2048),
    "pblock end": (0, 2111, 65535),
    "asa event": (0, 1, 2, 3, 5),
    "asa xevent": (0, 1001, 2030),
    "fwdstat": STATUSES,
    "flowdir": (0, 1),
    "observation domain id": (0, 7, 399, 2**32 - 1),
    "ingress vrf": VRFS,
    "egress vrf": VRFS,
    "prev as": AS_NUMBERS,
    "next as": AS_NUMBERS,
    "application": APPLICATIONS,
    "duration": DURATIONS,
    "pps": (0, 1, 1000, 10**6),
    "bps": (0, 1000, 10**9, 10**12),
    "bpp": (0, 1, 100, 1500),
    "flows": (0, 1, 2),
    "engine-type": (0, 1, 255),
    "engine-id": (0, 7, 255),
    "mpls label1": (0, 16, 2**20 - 1),
    "mpls label10": (0, 25),
}
_VALUES = _ENDED | _SINGLE


@st.composite
def _numbers(draw: st.DrawFn) -> Node:
    field = draw(st.sampled_from(sorted(_VALUES)))
    ends = [*_FOUR] if field in _ENDED and field != "if" else [End.EITHER]
    end = draw(st.sampled_from(ends + [End.SOURCE, End.DESTINATION] * (field == "if")))
    values = draw(st.lists(st.sampled_from(_VALUES[field]), min_size=1, max_size=4).map(tuple))
    comparator = draw(st.sampled_from(["=", "<", ">", "<=", ">=", "in"]))
    return Listed(field, values, end) if comparator == "in" else Compare(field, comparator, values[0], end)


_CONDITIONS = st.one_of(
    st.just(Everything()),
    st.sampled_from((4, 6)).map(Family),
    st.sampled_from(sorted(set(FLAGS) & set(range(1, 64)))).map(Flags),
    _numbers(),
    st.builds(Within, st.just("ip"), _PLACES, st.sampled_from(End)),
    st.builds(Within, st.sampled_from(("nat ip", "tun ip")), _PLACES, _ENDS),
    st.builds(Within, st.sampled_from(("next ip", "exporter")), _PLACES),
    st.builds(Named, st.just("tenant"), st.sampled_from(NAMES), _ENDS),
    st.builds(Compare, st.just("mac"), st.just("="), st.sampled_from(MACS), _ENDS),
    st.builds(
        Seen,
        st.sampled_from(("first seen", "last seen")),
        st.sampled_from(["=", "<", ">", "<=", ">="]),
        st.integers(-60_000, 3_000).map(lambda apart: round(SINCE.timestamp() * 1000) + apart),
    ),
    st.builds(Called, st.just("app"), st.sampled_from(("app 3", "app 4", "once app 3", "no such"))),
    st.builds(
        Called,
        st.just("interface"),
        st.sampled_from(("interface 1", "interface 3", "interface 0", "once interface 1")),
        st.sampled_from((End.EITHER, End.SOURCE, End.DESTINATION)),
    ),
    st.builds(Named, st.just("asa user"), st.sampled_from(NAMES)),
    st.builds(Named, st.just("class"), st.sampled_from(("short", "long", "not"))),
    *(st.builds(Named, st.just(field), st.sampled_from(names)) for field, names in CHOICES.items()),
)


def _several(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[tuple[Node, ...]]:
    return st.lists(nodes, min_size=2, max_size=4).map(tuple)


FILTERS: st.SearchStrategy[Node] = st.recursive(
    _CONDITIONS,
    lambda nodes: st.one_of(nodes.map(Not), _several(nodes).map(And), _several(nodes).map(Or)),
    max_leaves=8,
)


def text_of(node: Node) -> str:
    """Return a filter that says `node`."""
    match node:
        case Everything():
            return "any"
        case Family(version):
            return f"ipv{version}"
        case Not(operand):
            return f"not {_bracketed(operand)}"
        case And(operands):
            return " and ".join(map(_bracketed, operands))
        case Or(operands):
            return " or ".join(map(_bracketed, operands))
        case Flags(mask):
            return "flags " + "".join(letter for bit, letter in enumerate("FSRPAU") if mask >> bit & 1)
        case Compare("mac", _, value, end):
            return f"{_end('mac', end)}mac {value.to_bytes(6, 'big').hex(':')}"
        case Seen(field, comparator, moment):
            when = datetime.fromtimestamp(moment / 1000, UTC)
            return f'{field} {comparator} "{when.isoformat(timespec="milliseconds")}"'
        case Called(field, name, end):
            return f'{_end("if", end)}{field} "{name}"'
        case Compare(field, comparator, value, end):
            return f"{_end(field, end)}{field} {comparator} {value}"
        case Listed(field, values, end):
            return f"{_end(field, end)}{field} in [{', '.join(map(str, values))}]"
        case Within(field, networks, end):
            return f"{_end(field, end)}{field} in [{' '.join(map(str, networks))}]"
        case Named(field, name, end):
            quote = "'" if '"' in name else '"'
            return f"{_end(field, end)}{field} {quote}{name}{quote}"


def _bracketed(node: Node) -> str:
    return f"({text_of(node)})" if isinstance(node, And | Or) else text_of(node)


def _end(field: str, end: End) -> str:
    if field == "if":
        return {End.SOURCE: "in ", End.DESTINATION: "out "}.get(end, "")
    either = "src or dst " if field == "ip" else ""
    return {End.SOURCE: "src ", End.DESTINATION: "dst ", End.BOTH: "src and dst ", End.EITHER: either}.get(end, "")
