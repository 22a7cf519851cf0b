"""Explains NetFlow v5, NetFlow v9 and IPFIX messages: headers, sets, and what stands in the sets.

Cisco, "NetFlow export datagram formats" (v5); RFC 3954 section 5 (v9); RFC 7011 section 3 (IPFIX).
"""

from __future__ import annotations

from collections.abc import Iterator

from decoders.elements import NETFLOW5_FIELDS
from decoders.explain_octets import Cursor, Line, octets
from decoders.explain_records import explain_records
from decoders.explain_templates import Known, Message, explain_templates
from decoders.explain_values import Clock, moment, value_text

_HEADERS = {5: 24, 9: 20, 10: 16}
_NAMES = {5: "NetFlow v5", 9: "NetFlow v9", 10: "IPFIX"}
_RECORD5 = 48
_MOST = 64
_TEMPLATE_SETS = {(9, 0): False, (9, 1): True, (10, 2): False, (10, 3): True}
_SAMPLING_MODES = {1: "deterministic", 2: "random"}

_NAMES5 = (
    "srcaddr", "dstaddr", "nexthop", "input", "output", "dPkts", "dOctets", "First", "Last", "srcport", "dstport",
    "pad1", "tcp_flags", "prot", "tos", "src_as", "dst_as", "src_mask", "dst_mask", "pad2",
)  # fmt: skip


def explain_netflow(cursor: Cursor, version: int, known: Known) -> Iterator[Line]:
    """Explain the messages of `version`, of which v5 and IPFIX may have several in one datagram."""
    end, number = len(cursor.payload), 0
    while cursor.at < end and number < _MOST:
        left = end - cursor.at
        if number and (left < _HEADERS[version] or cursor.peek(2) != version):
            break
        if left < _HEADERS[version]:
            wrong = f"{octets(left)} are too few for the header of {_NAMES[version]}, which has {_HEADERS[version]}"
            yield from cursor.give_up(end, 0, wrong)
            return
        number += 1
        yield cursor.heading(0, f"{_NAMES[version]} message{f' {number}' if number > 1 else ''}")
        match version:
            case 5:
                yield from _netflow5(cursor, end)
            case 9:
                yield from _netflow9(cursor, end, known)
            case _:
                yield from _ipfix(cursor, end, known)
    if cursor.at < end:
        why = "begin no other message" if number < _MOST else f"stand behind {_MOST} messages, the most that are read"
        yield from cursor.give_up(end, 0, f"{octets(end - cursor.at)} {why}")


def _netflow5(cursor: Cursor, end: int) -> Iterator[Line]:
    count, uptime = cursor.peek(2, 2), cursor.peek(4, 4)
    seconds, nanoseconds = cursor.peek(4, 8), cursor.peek(4, 12)
    exported = seconds * 10**9 + nanoseconds
    yield from cursor.number(2, 1, "version")
    yield from cursor.number(2, 1, "count", "records")
    yield from cursor.number(4, 1, "SysUptime", "milliseconds")
    yield from cursor.field(4, 1, "unix_secs", moment(seconds * 10**9))
    yield from cursor.number(4, 1, "unix_nsecs", f"nanoseconds ({moment(exported, 9)})")
    yield from cursor.number(4, 1, "flow_sequence")
    yield from cursor.number(1, 1, "engine_type")
    yield from cursor.number(1, 1, "engine_id")
    sampling = cursor.peek(2)
    mode = _SAMPLING_MODES.get(sampling >> 14, f"mode {sampling >> 14}")
    yield from cursor.field(2, 1, "sampling_interval", f"{sampling & 0x3FFF} ({mode})")
    room = (end - cursor.at) // _RECORD5
    if not 0 < count <= room:
        why = f"is more than the {room} for which there is room" if count else "is none"
        yield from cursor.give_up(end, 1, f"the record count {count} {why}: nothing is read")
        return
    clock = Clock(exported // 10**6, uptime)
    for number in range(1, count + 1):
        yield cursor.heading(1, f"record {number}")
        for name, (id_, length) in zip(_NAMES5, NETFLOW5_FIELDS, strict=True):
            value = "" if name.startswith("pad") else value_text(0, id_, cursor.ahead(length), clock)
            yield from cursor.field(length, 2, name, value)


def _netflow9(cursor: Cursor, end: int, known: Known) -> Iterator[Line]:
    uptime, seconds, domain = cursor.peek(4, 4), cursor.peek(4, 8), cursor.peek(4, 16)
    yield from cursor.number(2, 1, "version")
    yield from cursor.number(2, 1, "count", "records")
    yield from cursor.number(4, 1, "sysUptime", "milliseconds")
    yield from cursor.field(4, 1, "UNIX seconds", moment(seconds * 10**9))
    yield from cursor.number(4, 1, "sequence number")
    yield from cursor.number(4, 1, "source id")
    yield from _sets(cursor, end, Message(9, domain, Clock(seconds * 1000, uptime), known))


def _ipfix(cursor: Cursor, end: int, known: Known) -> Iterator[Line]:
    length, seconds, domain = cursor.peek(2, 2), cursor.peek(4, 4), cursor.peek(4, 12)
    stop = cursor.at + length
    yield from cursor.number(2, 1, "version")
    yield from cursor.number(2, 1, "length", "octets")
    yield from cursor.field(4, 1, "export time", moment(seconds * 10**9))
    yield from cursor.number(4, 1, "sequence number")
    yield from cursor.number(4, 1, "observation domain id")
    if not cursor.at <= stop <= end:
        why = f"is {octets(stop - end)} more than there are" if stop > end else "is below 16, the header's own"
        yield from cursor.give_up(end, 1, f"the message length {length} {why}: nothing is read")
        return
    yield from _sets(cursor, stop, Message(10, domain, Clock(seconds * 1000, None), known))


def _sets(cursor: Cursor, end: int, message: Message) -> Iterator[Line]:
    while end - cursor.at >= 4:
        id_, length = cursor.peek(2), cursor.peek(2, 2)
        if (id_, length) == (0, 0):
            break
        left = end - cursor.at
        yield cursor.heading(1, _kind(message.version, id_))
        yield from cursor.number(2, 2, "set id")
        yield from cursor.number(2, 2, "length", "octets, with these four")
        if not 4 <= length <= left:
            why = "is below 4" if length < 4 else f"is {octets(length - left)} more than the message has left"
            rest = octets(end - cursor.at)
            wrong = f"set length {length} {why}: the rest of the message, {rest}, is not read"
            yield from cursor.give_up(end, 2, wrong)
            return
        yield from _body(cursor, cursor.at + length - 4, message, id_)
    yield from cursor.leave(end, 1, "padding")


def _kind(version: int, id_: int) -> str:
    options = _TEMPLATE_SETS.get((version, id_))
    if options is not None:
        return "options template set" if options else "template set"
    return f"data set of template {id_}" if id_ >= 256 else f"set {id_}"


def _body(cursor: Cursor, stop: int, message: Message, id_: int) -> Iterator[Line]:
    options = _TEMPLATE_SETS.get((message.version, id_))
    template = message.template(id_)
    if options is not None:
        yield from explain_templates(cursor, stop, 2, message, options)
    elif id_ < 256:
        yield from cursor.give_up(stop, 2, f"set id {id_} is reserved: {octets(stop - cursor.at)} are not read")
    elif template is None:
        wrong = f"template {id_} of this exporter is not known up to here"
        yield from cursor.give_up(stop, 2, f"{wrong}: {octets(stop - cursor.at)} wait for it")
    else:
        yield from explain_records(cursor, stop, 2, message, template)
