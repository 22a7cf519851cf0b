"""Options data (RFC 3954 section 6.1, RFC 7011 section 3.4.2): sampling rates, interface names, start times.

These records are few, so each is read by itself.
"""

from __future__ import annotations

from decoders.bind import Streams
from decoders.block import Datagrams, Decoded, Name, Naming
from decoders.cursor import Items
from decoders.elements import RATE_ELEMENTS, SCOPE_ENTERPRISE
from decoders.faults import Fault
from decoders.layout import VARIABLE, Layout
from decoders.limits import Limits
from decoders.messages import Messages
from decoders.sampling import rate_of
from decoders.state import State
from decoders.stream import Stream

_Record = dict[tuple[int, int], bytes]
_INTERFACE = ((SCOPE_ENTERPRISE, 2), (0, 10), (0, 14), (0, 252), (0, 253))
_SAMPLER = ((0, 48), (0, 302))
_NAME, _DESCRIPTION, _START = (0, 82), (0, 83), (0, 160)
_LAST_EXPORT = 0xFFFFFFFF * 1000
"""The last time that a message's header can tell, ms since 1970: nothing that exports began later."""


def learn(
    block: Datagrams,
    messages: Messages,
    sets: Items,
    layout: Layout,
    streams: Streams,
    state: State,
    limits: Limits,
    out: Decoded,
) -> list[int]:
    """Learn from all sets of one options layout, in order; return how many records each set had."""
    counts = []
    for owner, start, end in zip(sets.owner.tolist(), sets.start.tolist(), sets.end.tolist(), strict=True):
        records, whole = _records(block.data[start:end].tobytes(), layout)
        if not whole:
            out.faults[Fault.RECORD_LENGTH] += 1
        stream = streams.all[streams.of_message[owner]]
        for record in records:
            _learn_one(record, stream, state, limits)
            name = _interface_name(record, stream, int(block.time_received[messages.datagram[owner]]), limits)
            if name:
                out.names.append(name)
        counts.append(len(records))
    out.option_records += sum(counts)
    return counts


def _records(body: bytes, layout: Layout) -> tuple[list[_Record], bool]:
    """Cut a set's body into records; False where the last one leaves the set. A record takes at least one octet."""
    records: list[_Record] = []
    at, end = 0, len(body)
    fields = [field for field in layout.template.fields if field.length]
    while layout.length and end - at >= layout.length:
        record: _Record = {}
        for field in fields:
            length = field.length
            if length == VARIABLE:
                length = body[at] if at < end else 0
                at += 1
                if length == 255:
                    length = int.from_bytes(body[at : at + 2], "big")
                    at += 2
            record.setdefault((field.enterprise, field.id), body[at : at + length])
            at += length
        if at > end:
            return records, False
        records.append(record)
    return records, True


def _number(record: _Record, keys: tuple[tuple[int, int], ...]) -> int | None:
    """Return the first of `keys` that the record has as a number; a field of no length tells none."""
    for key in keys:
        if 1 <= len(record.get(key, b"")) <= 8:
            return int.from_bytes(record[key], "big")
    return None


def _learn_one(record: _Record, stream: Stream, state: State, limits: Limits) -> None:
    figures = {id_: _number(record, ((0, id_),)) or 0 for id_ in RATE_ELEMENTS if (0, id_) in record}
    rate = rate_of(figures)
    if 0 < rate < 2**32:
        sampler = _number(record, _SAMPLER)
        interface = _number(record, _INTERFACE) if sampler is None else None
        state.samplers.learn(stream, rate, sampler, interface, limits.samplers)
    started = _number(record, (_START,))
    if started and started <= _LAST_EXPORT:
        state.learn_start(stream, started, limits)


def _interface_name(record: _Record, stream: Stream, time_received: int, limits: Limits) -> Name | None:
    index = _number(record, _INTERFACE)
    if index is None or index >= 2**32 or not (_NAME in record or _DESCRIPTION in record):
        return None
    name, description = (_text(record.get(key, b""), limits) for key in (_NAME, _DESCRIPTION))
    return Name(stream.exporter, stream.domain, Naming.INTERFACE, index, name, description, time_received)


def _text(octets: bytes, limits: Limits) -> str:
    """Return a string of an exporter's up to its first NUL: valid UTF-8, printable, of bounded length."""
    text = octets.split(b"\0", 1)[0][: limits.name_length].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
