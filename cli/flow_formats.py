"""nfdump's output formats: `line`, `long`, `extended`, and `fmt:` with its tags, for rows of stored flows.

Columns are as wide as what stands in them: nothing is cut short, IPv6 addresses neither. Times are of the zone that was
asked for, UTC if none was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from query.expression import PROTOCOLS
from query.reports import rates
from query.words import nearest
from schema.addresses import shown
from schema.columns import MAX_LABELS
from schema.render import mac_text
from settings.errors import ConfigError

Row = Mapping[str, Any]
_NAMES = {number: name.upper() for name, number in PROTOCOLS.items()}
_FLAGS = "CEUAPRSF"
_TAG = re.compile("%([a-z]+[0-9]*)")


class Tag(NamedTuple):
    """A piece of a line: its title, the columns that it is made of, and how; numbers stand right."""

    title: str
    columns: tuple[str, ...]
    text: Callable[[Row], str]
    right: bool = False


def _number(title: str, column: str) -> Tag:
    return Tag(title, (column,), lambda row: str(row[column]), right=True)


def _word(title: str, column: str) -> Tag:
    return Tag(title, (column,), lambda row: str(row[column]))


def _address(title: str, column: str) -> Tag:
    return Tag(title, (column,), lambda row: shown(row[column]), right=True)


def _mac(title: str, column: str) -> Tag:
    return Tag(title, (column,), lambda row: mac_text(row[column]))


def _time(title: str, column: str) -> Tag:
    return Tag(title, (column,), lambda row: _moment(row[column]))


def _epoch(title: str, column: str) -> Tag:
    return Tag(title, (column,), lambda row: f"{row[column].timestamp():.3f}", right=True)


def _moment(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ", "milliseconds")  # as nfdump does: of the zone that was asked for


def _joined(title: str, address: str, port: str) -> Tag:
    def text(row: Row) -> str:
        found = shown(row[address])
        return f"{found}{'.' if ':' in found else ':'}{row[port]}"  # as nfdump tells them apart

    return Tag(title, (address, port), text, right=True)


def _duration(row: Row) -> str:
    lasting = max(row["flow_end"] - row["flow_start"], timedelta())
    seconds, rest = divmod(lasting // timedelta(milliseconds=1), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{rest:03d}"


def _protocol(row: Row) -> str:
    return _NAMES.get(row["proto"], str(row["proto"]))


def _flags(row: Row) -> str:
    bits = row["tcp_flags"] & 255
    return "".join(letter if bits & 128 >> place else "." for place, letter in enumerate(_FLAGS))


def _rate(name: str) -> Tag:
    columns = ("packets", "bytes", "flow_start", "flow_end")
    return Tag(name, columns, lambda row: str(int(rates(*(row[column] for column in columns))[name])), right=True)


def _label(place: int) -> Tag:
    def text(row: Row) -> str:
        labels = row["mpls_labels"]
        return str(labels[place - 1] if len(labels) >= place else 0)

    return Tag(f"MPLS {place}", ("mpls_labels",), text, right=True)


_PACKETS, _BYTES = _number("Packets", "packets"), _number("Bytes", "bytes")
_TOS = _number("Tos", "tos")
TAGS: Mapping[str, Tag] = {
    "ts": _time("Date first seen", "flow_start"),
    "tfs": _time("Date first seen", "flow_start"),
    "tsr": _epoch("First seen", "flow_start"),
    "te": _time("Date last seen", "flow_end"),
    "ter": _epoch("Last seen", "flow_end"),
    "tr": _time("Date received", "time_received"),
    "trr": _epoch("Received", "time_received"),
    "td": Tag("Duration", ("flow_start", "flow_end"), _duration, right=True),
    "pr": Tag("Proto", ("proto",), _protocol),
    "sa": _address("Src IP Addr", "src_addr"),
    "da": _address("Dst IP Addr", "dst_addr"),
    "sap": _joined("Src IP Addr:Port", "src_addr", "src_port"),
    "dap": _joined("Dst IP Addr:Port", "dst_addr", "dst_port"),
    "sp": _number("Src Pt", "src_port"),
    "dp": _number("Dst Pt", "dst_port"),
    "it": _number("ICMP-T", "icmp_type"),
    "ic": _number("ICMP-C", "icmp_code"),
    "nh": _address("Next-hop IP", "next_hop"),
    "ra": _address("Router IP", "exporter"),
    "sas": _number("Src AS", "src_as"),
    "das": _number("Dst AS", "dst_as"),
    "pas": _number("Prev AS", "src_peer_as"),
    "nas": _number("Next AS", "dst_peer_as"),
    "in": _number("Input", "in_if"),
    "out": _number("Output", "out_if"),
    "pkt": _PACKETS,
    "ipkt": _PACKETS,
    "byt": _BYTES,
    "ibyt": _BYTES,
    "fl": Tag("Flows", (), lambda _: "1", right=True),
    "flg": Tag("Flags", ("tcp_flags",), _flags),
    "tos": _TOS,
    "stos": _TOS,
    "dir": _number("Dir", "flow_direction"),
    "smk": _number("SMask", "src_mask"),
    "dmk": _number("DMask", "dst_mask"),
    "fwd": _number("Fwd", "forwarding_status"),
    "svln": _number("SVlan", "src_vlan"),
    "dvln": _number("DVlan", "dst_vlan"),
    "ismc": _mac("In src MAC Addr", "src_mac"),
    "odmc": _mac("Out dst MAC Addr", "dst_mac"),
    **{f"mpls{place}": _label(place) for place in range(1, MAX_LABELS + 1)},
    "bps": _rate("bps"),
    "pps": _rate("pps"),
    "bpp": _rate("bpp"),
    "odid": _number("Domain", "observation_domain"),
    "nbid": _number("Application", "application"),
    "evt": _number("Event", "firewall_event"),
    "xevt": _number("XEvent", "firewall_event_code"),
    "nevt": _number("NAT event", "nat_event"),
    **{f"{letter}sa": _address("X-Src IP Addr", "post_nat_src_addr") for letter in "xn"},
    **{f"{letter}da": _address("X-Dst IP Addr", "post_nat_dst_addr") for letter in "xn"},
    **{f"{letter}sp": _number("X-Src Pt", "post_nat_src_port") for letter in "xn"},
    **{f"{letter}dp": _number("X-Dst Pt", "post_nat_dst_port") for letter in "xn"},
    "xsap": _joined("X-Src IP Addr:Port", "post_nat_src_addr", "post_nat_src_port"),
    "xdap": _joined("X-Dst IP Addr:Port", "post_nat_dst_addr", "post_nat_dst_port"),
    "pbstart": _number("Pb start", "nat_port_start"),
    "pbend": _number("Pb end", "nat_port_end"),
    "ivrf": _number("I-VRF", "in_vrf"),
    "evrf": _number("E-VRF", "out_vrf"),
    "uname": _word("User", "user_name"),
    "smp": _number("Sampling", "sampling_rate"),
    "stn": _word("Src tenant", "src_tenant"),
    "dtn": _word("Dst tenant", "dst_tenant"),
    "way": _word("Direction", "direction"),
    "cls": _word("Class", "retention_class"),
}
"""nfdump's tags as far as we store what they show; the last five are ours."""

FORMATS: Mapping[str, str] = {
    "line": "%ts %td %pr %sap -> %dap %pkt %byt %fl",
    "long": "%ts %td %pr %sap -> %dap %flg %tos %pkt %byt %fl",
    "extended": "%ts %td %pr %sap -> %dap %flg %tos %pkt %byt %pps %bps %bpp %fl",
}
"""The formats that have a name; a format may name another, as in `fmt:%long %ra`."""


class LineFormat:
    """A format, read once; `columns` are those that its lines are made of."""

    def __init__(self, text: str) -> None:
        """Read `line`, `long`, `extended` or `fmt:` and tags; ConfigError for what is none."""
        known = FORMATS.get(text)
        if known is None and not text.startswith("fmt:"):
            raise ConfigError(f"-o: unknown format '{text}'{nearest(text, FORMATS)}; write {', '.join(FORMATS)}, csv, "
                              "json, or fmt: with tags, as fmt:%ts %sap %dap %byt")  # fmt: skip
        pattern = _TAG.sub(lambda found: FORMATS.get(found[1], found[0]), known or text.removeprefix("fmt:"))
        *self._pieces, self._end = _pieces(pattern)
        self.columns = tuple(
            dict.fromkeys(["flow_start", *(column for _, tag in self._pieces for column in tag.columns)])
        )

    def lines(self, rows: Sequence[Row]) -> Iterator[str]:
        """Yield a line of titles and one for each row."""
        columns = [[tag.title, *map(tag.text, rows)] for _, tag in self._pieces]
        widths = [max(map(len, column)) for column in columns]
        for cells in zip(*columns, strict=True):
            line = "".join(
                literal + (cell.rjust(width) if tag.right else cell.ljust(width))
                for (literal, tag), cell, width in zip(self._pieces, cells, widths, strict=True)
            )
            yield (line + self._end).rstrip()


def _pieces(pattern: str) -> list[Any]:
    """Return the tags of a format, each with the text before it, and the text behind the last."""
    found: list[Any] = []
    end = 0
    for tag in _TAG.finditer(pattern):
        name = tag[1]
        if name not in TAGS:
            raise ConfigError(
                f"-o: unknown tag '%{name}'{nearest(name, TAGS) or '; `flowkeep help output` lists them'}"
            )
        found.append((pattern[end : tag.start()], TAGS[name]))
        end = tag.end()
    if not found:
        raise ConfigError("-o: a format needs at least one tag, as fmt:%ts %sap %dap %byt")
    return [*found, pattern[end:]]
