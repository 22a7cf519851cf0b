"""Compiles a template once into the list of reads that fill columns from whole arrays of its records."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple

from decoders.elements import (
    ALSO,
    ELEMENTS,
    INITIATOR,
    NAMED,
    RATE_ELEMENTS,
    RESPONDER,
    REVERSE_ENTERPRISE,
    SECTIONS,
    SEGMENTS,
    TEXTS,
    Element,
    Read,
)

VARIABLE = 0xFFFF
"""Field length that announces a variable-length field (RFC 7011 section 7); some send it in NetFlow v9 too."""

WIDTHS = {Read.ADDRESS4: 4, Read.ADDRESS6: 16, Read.MAC: 6, Read.NTP: 8, Read.LABEL: 3}
"""Octets of the types that have one length only; all others are integers of 1 to 8."""

_MIRRORED = {
    "src_addr": "dst_addr", "src_port": "dst_port", "src_mask": "dst_mask", "src_as": "dst_as", "src_vlan": "dst_vlan",
    "src_mac": "dst_mac", "in_if": "out_if", "post_nat_src_addr": "post_nat_dst_addr",
    "post_nat_src_port": "post_nat_dst_port", "in_vrf": "out_vrf",
}  # fmt: skip
_MIRROR = _MIRRORED | {there: here for here, there in _MIRRORED.items()}
_FORWARD_ONLY = frozenset(
    {
        "bytes",
        "packets",
        "bytes_total",
        "packets_total",
        "tcp_flags",
        "next_hop",
        "icmp_type",
        "icmp_code",
        "forwarding_status",
        "flow_direction",
        "firewall_event",
        "firewall_event_code",
        "nat_event",
    }
)
"""What is not told of the reverse flow; events are counted once, with the forward one."""


class Field(NamedTuple):
    """One field specifier; `enterprise` is 0 for the IANA registry, `length` octets or VARIABLE."""

    enterprise: int
    id: int
    length: int


class Template(NamedTuple):
    """The fields of a record, and whether it is one of options data rather than of a flow."""

    fields: tuple[Field, ...]
    options: bool


class Source(NamedTuple):
    """Where a value lies: `field` by its index, then `skip` octets into it, `length` octets (VARIABLE: all of it)."""

    field: int
    skip: int
    length: int
    read: Read


class Layout(NamedTuple):
    """How the records of one template are read.

    `length` is a record's octets, or with variable-length fields the fewest it can have. `places` are those of the
    fields, as (anchor, offset): anchor 0 is the record's start, anchor k the end of its k-th variable-length field.
    `gaps` are the octets from each anchor to the next variable-length field, `tail` those behind the last. `sources`
    are by column, the preferred one first; `labels` are the label stack entries by depth, `segments` the list of SRv6,
    `texts` by column, `sections` the packet sections, each with its header protocol. `named` are single elements, by
    enterprise and id, and `rates`, by id, those that hold sampling figures. `reverse` reads the same records as the
    flows of the opposite direction (RFC 5103), and is itself `backward`.
    """

    template: Template
    length: int
    places: tuple[tuple[int, int], ...]
    gaps: tuple[int, ...]
    tail: int
    sources: dict[str, tuple[Source, ...]]
    labels: dict[int, Source]
    segments: Source | None
    texts: dict[str, Source]
    sections: tuple[tuple[int, Source], ...]
    named: dict[tuple[int, int], Source]
    rates: dict[int, Source]
    reverse: Layout | None
    backward: bool = False


_USUAL_FIELDS = 128


def compile_layout(template: Template) -> Layout:
    """Return the layout of `template`; equal templates of different exporters share one."""
    return (_compile_again if len(template.fields) <= _USUAL_FIELDS else _compile)(template)


def _compile(template: Template) -> Layout:
    places: list[tuple[int, int]] = []
    gaps: list[int] = []
    offset = 0
    for field in template.fields:
        if field.length == VARIABLE:
            gaps.append(offset)
            offset = 0
            places.append((len(gaps), 0))
        else:
            places.append((len(gaps), offset))
            offset += field.length
    two_way = any(field.enterprise == REVERSE_ENTERPRISE for field in template.fields) or _has_responder(template)
    forward = {} if template.options else _sources(template, reverse=False)
    backward = _sources(template, reverse=True) if two_way and not template.options else {}
    named = {
        (field.enterprise, field.id): Source(index, 0, field.length, Read.UINT)
        for index, field in reversed(list(enumerate(template.fields)))
        if field.length and (field.enterprise, field.id) in NAMED
    }
    layout = Layout(
        template,
        sum(gaps) + len(gaps) + offset,
        tuple(places),
        tuple(gaps),
        offset,
        forward,
        _labels(template),
        *_octet_arrays(template),
        named,
        {id_: named[0, id_] for id_ in RATE_ELEMENTS if (0, id_) in named and is_number(named[0, id_])},
        None,
    )
    if "packets" in backward or "bytes" in backward:
        return layout._replace(
            reverse=layout._replace(sources=backward, sections=(), labels={}, segments=None, backward=True)
        )
    return layout


_compile_again = lru_cache(maxsize=1024)(_compile)


def is_number(source: Source) -> bool:
    """Return whether a field can be an unsigned integer of up to 8 octets."""
    return 1 <= source.length <= 8 or source.length == VARIABLE


def _has_responder(template: Template) -> bool:
    """Return whether a record counts both directions of a connection."""
    return any(field.enterprise == 0 and field.id in INITIATOR for field in template.fields) and any(
        (field.enterprise, field.id) in RESPONDER for field in template.fields
    )


def _sources(template: Template, reverse: bool) -> dict[str, tuple[Source, ...]]:
    ranked: defaultdict[str, list[tuple[int, Source]]] = defaultdict(list)
    two_way = reverse and _has_responder(template)
    for index, field in enumerate(template.fields):
        mirrored = field.enterprise == REVERSE_ENTERPRISE
        key = (0, field.id) if mirrored else (field.enterprise, field.id)
        responder = RESPONDER.get(key) if two_way else None
        if mirrored and not reverse:
            continue
        for element in filter(None, (responder or ELEMENTS.get(key), ALSO.get(key))):
            column = element.column
            told = mirrored or responder is not None
            if element.read is Read.LABEL or (reverse and not told and column in _FORWARD_ONLY):
                continue
            if reverse and not told:
                column = _MIRROR.get(column, column)
            # a reverse element tells more of the reverse flow than the forward one that it shadows
            rank = element.rank - (100 if told else 0)
            for name, source in _split(column, index, field, element):
                ranked[name].append((rank, source))
    return {name: tuple(source for _, source in _ranked(found)[:4]) for name, found in ranked.items()}


def _ranked(found: list[tuple[int, Source]]) -> list[tuple[int, Source]]:
    """Return the sources of a column in order; where reverse elements tell it, forward ones do not."""
    told = [each for each in found if each[0] < 0]
    return sorted(told or found)


def _split(column: str, index: int, field: Field, element: Element) -> list[tuple[str, Source]]:
    """Return the columns that a field fills, with their sources; none where its length does not fit its type."""
    length = field.length
    if element.read is Read.TYPE_AND_CODE:
        if length != 2:
            return []
        return [(name, Source(index, skip, 1, Read.UINT)) for skip, name in enumerate(("icmp_type", "icmp_code"))]
    width = WIDTHS.get(element.read)
    if element.read is Read.APPLICATION:
        return [(column, Source(index, 0, length, element.read))] if 1 <= length <= 9 else []
    if length != VARIABLE and (length != width if width else not 1 <= length <= 8):
        return []
    return [(column, Source(index, 0, length, element.read))]


def _labels(template: Template) -> dict[int, Source]:
    """Return the label stack entries by their depth, from the top; one that comes twice lies below the first."""
    found: dict[int, Source] = {}
    for index, field in enumerate(template.fields):
        if field.enterprise == 0 and 70 <= field.id <= 79 and field.length == 3:
            depth = next((depth for depth in range(field.id - 70, 10) if depth not in found), None)
            if depth is not None:
                found[depth] = Source(index, 0, 3, Read.LABEL)
    return found


def _octet_arrays(
    template: Template,
) -> tuple[Source | None, dict[str, Source], tuple[tuple[int, Source], ...]]:
    """Return where the segment list, the texts and the packet sections lie."""
    texts: dict[str, Source] = {}
    segments: dict[tuple[int, int], Source] = {}
    sections: list[tuple[int, Source]] = []
    for index, field in enumerate(template.fields):
        key, source = (field.enterprise, field.id), Source(index, 0, field.length, Read.UINT)
        if not field.length or template.options:
            continue
        if key in TEXTS:
            texts.setdefault(TEXTS[key], source)
        elif key in SEGMENTS:
            segments.setdefault(key, source)
        elif key in SECTIONS:
            sections.append((SECTIONS[key], source))
    return next((segments[key] for key in SEGMENTS if key in segments), None), texts, tuple(sections)
