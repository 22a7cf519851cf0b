"""Explains sFlow version 5 datagrams: header, samples, and the records in them.

sflow.org, "sFlow Version 5", July 2004, section 5, and "sFlow Dropped Packet Notification Structures".
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from decoders.explain_octets import Cursor, Line, octets
from decoders.explain_sflow_records import address_text, explain_fields
from schema.drop_reasons import drop_reason
from schema.sflow_structures import SAMPLES, Structure, counter_structures, flow_structures, key_of

_COUNTERS = (2, 4)
_INTERNAL = 0x3FFFFFFF
_SOURCES = {0: "ifIndex", 1: "smonVlanDataSource", 2: "entPhysicalEntry"}


def _plain(value: int) -> str:
    return str(value)


def _reason(value: int) -> str:
    return f"{value} ({drop_reason(value)})"


def _source(value: int) -> str:
    return f"{value & 0xFFFFFF} ({_SOURCES.get(value >> 24, f'class {value >> 24}')})"


def _source_class(value: int) -> str:
    return f"{value} ({_SOURCES.get(value, 'unknown')})"


def _interface(value: int) -> str:
    """Return an interface in the compact form: what the two highest bits say of the others."""
    form, number = value >> 30, value & _INTERNAL
    if form == 1:
        return f"none: discarded, reason {_reason(number)}"
    if form == 2:
        return f"{number} interfaces" if number else "several interfaces"
    if number == _INTERNAL:
        return "the agent itself"
    return f"{number}" if value else "0 (unknown)"


def _form(value: int) -> str:
    return f"{value} ({('ifIndex', 'discarded', 'several interfaces')[value] if value < 3 else 'unknown'})"


_Head = tuple[tuple[str, Callable[[int], str]], ...]
_FIRST: _Head = (("sequence_number", _plain),)
_COMPACT: _Head = (*_FIRST, ("source_id", _source))
_EXPANDED: _Head = (*_FIRST, ("ds_class", _source_class), ("ds_index", _plain))
_RATE: _Head = (("sampling_rate", _plain), ("sample_pool", _plain), ("drops", _plain))
_RECORDS: _Head = (("records", _plain),)
_HEADS: dict[int, _Head] = {
    1: (*_COMPACT, *_RATE, ("input", _interface), ("output", _interface), *_RECORDS),
    2: (*_COMPACT, *_RECORDS),
    3: (*_EXPANDED, *_RATE, ("input format", _form), ("input value", _plain), ("output format", _form),
        ("output value", _plain), *_RECORDS),
    4: (*_EXPANDED, *_RECORDS),
    5: (*_EXPANDED, ("drops", _plain), ("input", _plain), ("output", _plain), ("reason", _reason), *_RECORDS),
}  # fmt: skip
"""The fixed parts of the samples, by format: names of 32-bit words, and how they are shown."""


def explain_sflow(cursor: Cursor) -> Iterator[Line]:
    """Explain a datagram whose first 32 bits say version 5."""
    end = len(cursor.payload)
    kind = cursor.peek(4, 4)
    length = {1: 4, 2: 16}.get(kind, 0)
    yield cursor.heading(0, "sFlow version 5 datagram")
    if end < 28 or end < 24 + length:
        yield from cursor.give_up(end, 1, f"{octets(end)} are too few for the header, which has {24 + (length or 4)}")
        return
    yield from cursor.number(4, 1, "version")
    yield from cursor.number(4, 1, "agent address type", {1: "(IPv4)", 2: "(IPv6)"}.get(kind, ""))
    if not length:
        yield from cursor.give_up(end, 1, f"{kind} is no type of address: nothing is read")
        return
    yield from cursor.field(length, 1, "agent address", address_text(cursor.ahead(length)))
    yield from cursor.number(4, 1, "sub-agent id")
    yield from cursor.number(4, 1, "sequence number")
    yield from cursor.number(4, 1, "uptime", "milliseconds")
    samples = cursor.peek(4)
    yield from cursor.number(4, 1, "samples")
    yield from _items(cursor, end, 1, samples, "sample", _sample)


_Inside = Callable[[Cursor, int, int, int], Iterator[Line]]


def _items(cursor: Cursor, end: int, depth: int, count: int, what: str, inside: _Inside) -> Iterator[Line]:
    """Explain up to `count` items, each with a data format and a length before it, and padding behind it."""
    number = 0
    while number < count and end - cursor.at >= 8:
        number += 1
        whole = yield from _item(cursor, end, depth, f"{what} {number}", inside)
        if not whole:
            return
    if number < count:
        yield from cursor.give_up(end, depth, f"{what} {number + 1} of {count} is not there")
    left = octets(end - cursor.at)
    yield from cursor.leave(end, depth, f"{left} behind the last {what}")


def _item(cursor: Cursor, end: int, depth: int, name: str, inside: _Inside) -> Generator[Line, None, bool]:
    tag, length = cursor.peek(4), cursor.peek(4, 4)
    left = end - cursor.at - 8
    yield cursor.heading(depth, name)
    yield from cursor.field(4, depth + 1, "data format", _named(tag, inside))
    yield from cursor.number(4, depth + 1, "length", "octets")
    if length > left:
        wrong = f"the length {length} is {octets(length - left)} more than there are: the rest is not read"
        yield from cursor.give_up(end, depth + 1, wrong)
        return False
    yield from inside(cursor, cursor.at + length, depth + 1, tag)
    yield from cursor.leave(min(cursor.at + -length % 4, end), depth + 1, "padding")
    return True


def _named(tag: int, inside: _Inside) -> str:
    enterprise, format_ = key = key_of(tag)
    if inside is _sample:
        name = SAMPLES.get(tag)
    else:
        structure = (counter_structures() if inside is _counter_record else flow_structures()).get(key)
        name = structure and structure.name
    if enterprise:
        return f"enterprise {enterprise}, format {format_}" + (f" ({name})" if name else "")
    return f"{format_} ({name})" if name else f"{format_}, which is not known"


def _sample(cursor: Cursor, stop: int, depth: int, tag: int) -> Iterator[Line]:
    head = _HEADS.get(tag)
    if head is None:
        yield from cursor.leave(stop, depth, "a sample of another kind: not read")
        return
    if stop - cursor.at < 4 * len(head):
        wrong = f"{octets(stop - cursor.at)} are too few for the head of the sample, which has {4 * len(head)}"
        yield from cursor.give_up(stop, depth, wrong)
        return
    for name, shown in head:
        count = cursor.peek(4)
        yield from cursor.field(4, depth, name, shown(count))
    yield from _items(cursor, stop, depth, count, "record", _counter_record if tag in _COUNTERS else _flow_record)


def _flow_record(cursor: Cursor, stop: int, depth: int, tag: int) -> Iterator[Line]:
    yield from explain_fields(cursor, stop, depth, flow_structures().get(key_of(tag), _NOTHING), counters=False)


def _counter_record(cursor: Cursor, stop: int, depth: int, tag: int) -> Iterator[Line]:
    yield from explain_fields(cursor, stop, depth, counter_structures().get(key_of(tag), _NOTHING), counters=True)


_NOTHING = Structure("", ())
