"""Compiles a template once into the list of reads that fill columns from whole arrays of its records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container
from functools import lru_cache
from typing import NamedTuple

from decoders.elements import ELEMENTS, RATE_ELEMENTS, REVERSE_ENTERPRISE, SAMPLER_IDS, Element, Read

VARIABLE = 0xFFFF
"""Field length that announces a variable-length field (RFC 7011 section 7); some send it in NetFlow v9 too."""

WIDTHS = {Read.ADDRESS4: 4, Read.ADDRESS6: 16, Read.MAC: 6, Read.NTP: 8, Read.LABEL: 3}
"""Octets of the types that have one length only; all others are integers of 1 to 8."""

_MIRRORED = {
    "src_addr": "dst_addr", "src_port": "dst_port", "src_mask": "dst_mask", "src_as": "dst_as", "src_vlan": "dst_vlan",
    "src_mac": "dst_mac", "in_if": "out_if", "post_nat_src_addr": "post_nat_dst_addr",
    "post_nat_src_port": "post_nat_dst_port",
}  # fmt: skip
_MIRROR = _MIRRORED | {there: here for here, there in _MIRRORED.items()}
_FORWARD_ONLY = frozenset({"bytes", "packets", "tcp_flags", "next_hop"})


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
    are by column, the preferred one first; `labels` are the label stack entries by depth. `samplers` name the sampler,
    `rates` (by element id) hold sampling figures inside the record. `reverse` reads the same records as the flows of
    the opposite direction (RFC 5103).
    """

    template: Template
    length: int
    places: tuple[tuple[int, int], ...]
    gaps: tuple[int, ...]
    tail: int
    sources: dict[str, tuple[Source, ...]]
    labels: dict[int, Source]
    samplers: tuple[Source, ...]
    rates: dict[int, Source]
    reverse: Layout | None


@lru_cache(maxsize=1024)
def compile_layout(template: Template) -> Layout:
    """Return the layout of `template`; equal templates of different exporters share one."""
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
    forward = _sources(template, reverse=False)
    backward = _sources(template, reverse=True)
    layout = Layout(
        template,
        sum(gaps) + len(gaps) + offset,
        tuple(places),
        tuple(gaps),
        offset,
        forward,
        _labels(template),
        tuple(_named(template, SAMPLER_IDS).values()),
        _named(template, RATE_ELEMENTS),
        None,
    )
    if "packets" in backward or "bytes" in backward:
        return layout._replace(reverse=layout._replace(sources=backward))
    return layout


def _sources(template: Template, reverse: bool) -> dict[str, tuple[Source, ...]]:
    ranked: defaultdict[str, list[tuple[int, Source]]] = defaultdict(list)
    for index, field in enumerate(template.fields):
        mirrored = field.enterprise == REVERSE_ENTERPRISE
        element = ELEMENTS.get((0, field.id) if mirrored else (field.enterprise, field.id))
        if element is None or element.read is Read.LABEL or (mirrored and not reverse):
            continue
        column = element.column
        if reverse and not mirrored:
            if column in _FORWARD_ONLY:
                continue
            column = _MIRROR.get(column, column)
        # a reverse element tells more of the reverse flow than the forward one that it shadows
        rank = element.rank - (100 if mirrored else 0)
        for name, source in _split(column, index, field, element):
            ranked[name].append((rank, source))
    return {name: tuple(source for _, source in sorted(found)[:4]) for name, found in ranked.items()}


def _split(column: str, index: int, field: Field, element: Element) -> list[tuple[str, Source]]:
    """Return the columns that a field fills, with their sources; none where its length does not fit its type."""
    length = field.length
    if element.read is Read.TYPE_AND_CODE:
        if length != 2:
            return []
        return [(name, Source(index, skip, 1, Read.UINT)) for skip, name in enumerate(("icmp_type", "icmp_code"))]
    width = WIDTHS.get(element.read)
    if length != VARIABLE and (length != width if width else not 1 <= length <= 8):
        return []
    return [(column, Source(index, 0, length, element.read))]


def _labels(template: Template) -> dict[int, Source]:
    """Return the label stack entries by their depth, from the top."""
    return {
        field.id - 70: Source(index, 0, 3, Read.LABEL)
        for index, field in enumerate(template.fields)
        if field.enterprise == 0 and 70 <= field.id <= 79 and field.length == 3
    }


def _named(template: Template, ids: Container[int]) -> dict[int, Source]:
    """Return where the IANA elements `ids` lie in the record, as unsigned integers."""
    return {
        field.id: Source(index, 0, field.length, Read.UINT)
        for index, field in enumerate(template.fields)
        if field.enterprise == 0 and field.id in ids and 1 <= field.length <= 8
    }
