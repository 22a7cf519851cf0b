"""Explains one datagram to a person: every octet once, in order, with what it means and what is wrong with it.

A slow walk of its own, apart from the decoders of blocks, so that either can be held against the other.
It reads what they read: NetFlow v5 and v9, IPFIX, sFlow v5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from decoders.explain_netflow import explain_netflow
from decoders.explain_octets import Cursor, Line
from decoders.explain_sflow import explain_sflow
from decoders.layout import Template

__all__ = ["Line", "explain"]


def explain(payload: bytes, templates: Mapping[tuple[int, int, int], Template]) -> Iterator[Line]:
    """Yield the lines that explain a datagram; joined, their octets are the datagram.

    `templates` are those known before, by (version, observation domain or source id, template id). Whatever the octets,
    nothing is raised, and there are at most a few lines for each octet.
    """
    cursor, end = Cursor(payload), len(payload)
    version = cursor.peek(2)
    if end < 4:
        yield from cursor.give_up(end, 0, "too few octets for the header of any protocol")
    elif version in (5, 9, 10):
        yield from explain_netflow(cursor, version, dict(templates))
    elif cursor.peek(4) == 5:
        yield from explain_sflow(cursor)
    else:
        wrong = f"version {version} ({cursor.peek(4)} in 32 bits): neither NetFlow v5 or v9, nor IPFIX, nor sFlow v5"
        yield from cursor.give_up(end, 0, wrong)
