"""Seeds of sFlow: both forms of samples, discarded packets, and a record of every structure that is known."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import count

from fuzzing.messages import FRAMES, TCP, flow_sample, ipv4, ipv6, item, sampled_header, sflow
from schema.sflow_structures import Structure, counter_structures, element_structures, flow_structures

Named = tuple[str, list[bytes]]
_COUNTERS, _EXPANDED_COUNTERS, _DISCARDED = 2, 4, 5
_AGENT6 = b"\x20\x01\x0d\xb8" + bytes(11) + b"\1"
_HEADS = ((0, 2, 7, 11, 12, 13, 14, 15, 99), bytes(64))

_USUAL = {(0, format_) for format_ in (1, 3, 1001, 1002, 1003, 1004, 1006)}
_USUAL_COUNTERS = {(0, format_) for format_ in (1, 2, 5, 2000, 2001, 2003, 2100, 2104)}

_FIXED = {"": 4, "int": 4, "long": 8, "float": 4, "ipv4": 4, "ipv6": 16, "mac": 8, "uuid": 16, "protocol": 4}
_COUNTED = {
    "string": struct.pack(">I", 5) + b"vm-17\0\0\0",
    "header": struct.pack(">I", len(FRAMES[0])) + FRAMES[0] + bytes(-len(FRAMES[0]) % 4),
    "address": struct.pack(">I", 2) + _AGENT6,
    "list": struct.pack(">IIII", 3, 65_536, 64_500 << 16 | 7, 1),
    "path": struct.pack(">IIIIIIII", 2, 2, 2, 64_500, 64_501, 1, 1, 64_502),
}


def body(structure: Structure, numbers: Iterator[int]) -> bytes:
    """Return a record's body: every field of a structure with the next of the numbers, two of what repeats."""
    return b"".join(_field(part.kind, numbers) for part in structure.parts) or bytes(8)


def _field(kind: str, numbers: Iterator[int]) -> bytes:
    if kind in _COUNTED:
        return _COUNTED[kind]
    element = element_structures().get(kind)
    if element:
        return struct.pack(">I", 2) + body(element, numbers) + body(element, numbers)
    return (struct.pack(">I", next(numbers)) * 4)[-_FIXED.get(kind, 4) :]


def _records(structures: dict[tuple[int, int], Structure]) -> list[bytes]:
    numbers = count(1)
    return [item(enterprise << 12 | format_, body(one, numbers)) for (enterprise, format_), one in structures.items()]


def _groups(records: list[bytes], size: int) -> list[list[bytes]]:
    return [records[first : first + size] for first in range(0, len(records), size)]


def counter_sample(number: int, source: int, *records: bytes, expanded: bool = False) -> bytes:
    """Return a counter sample of a source, class << 24 | index."""
    if expanded:
        head = struct.pack(">IIII", number, source >> 24, source & 0xFFFFFF, len(records))
    else:
        head = struct.pack(">III", number, source, len(records))
    return item(_EXPANDED_COUNTERS if expanded else _COUNTERS, head + b"".join(records))


def discarded(*records: bytes, reason: int = 256) -> bytes:
    """Return a discarded_packet sample."""
    return item(_DISCARDED, struct.pack(">8I", 1, 0, 3, 7, 1, 2, reason, len(records)) + b"".join(records))


def each_part_once() -> bytes:
    """Return a datagram of few records that every part of sFlow's decoder has to do with."""
    told = [
        body_of for key, body_of in zip(flow_structures(), _records(flow_structures()), strict=True) if key in _USUAL
    ]
    counted = _records({key: one for key, one in counter_structures().items() if key in _USUAL_COUNTERS})
    return sflow(flow_sample(sampled_header(FRAMES[0]), *told), counter_sample(1, 3, *counted), discarded(*told[:1]))


def samples() -> Iterator[Named]:
    """Yield seeds, each with its name and datagrams."""
    headers = [flow_sample(sampled_header(frame), expanded=turn % 2 == 1) for turn, frame in enumerate(FRAMES)]
    yield "built sflow headers", [sflow(*headers), sflow(*headers, agent=_AGENT6)]
    packets = [sampled_header(ipv4(6, TCP), 11), sampled_header(ipv6(6, TCP), 12), sampled_header(FRAMES[4][14:], 13)]
    unusual = [sampled_header(_HEADS[1], protocol) for protocol in _HEADS[0]]
    yield (
        "built sflow protocols",
        [
            sflow(*(flow_sample(one, expanded=True) for one in unusual), *map(flow_sample, packets), flow_sample()),
            sflow(flow_sample(*packets, *packets), flow_sample(item(4097, b"odd"), packets[0])),
        ],
    )
    records = _records(flow_structures())
    few = _groups(records, 8)
    yield "built sflow records", [sflow(*(flow_sample(*some, packets[0]) for some in few))]
    yield (
        "built sflow records by themselves",
        [sflow(*(flow_sample(one, expanded=turn % 2 == 1) for turn, one in enumerate(some))) for some in few],
    )
    yield (
        "built sflow discards",
        [
            sflow(
                *(discarded(*some, packets[turn % 3], reason=turn * 60) for turn, some in enumerate(few)), discarded()
            ),
            sflow(discarded(sampled_header(FRAMES[6])), flow_sample(packets[0]), discarded(*records[:3], reason=2**31)),
        ],
    )
    told = _records(counter_structures())
    yield (
        "built sflow counters",
        [
            sflow(counter_sample(1, 3, *told[:2]), counter_sample(1, 3 << 24 | 9, *told, expanded=True)),
            sflow(
                *(counter_sample(2, turn, *some) for turn, some in enumerate(_groups(told, 3))), flow_sample(packets[1])
            ),
            sflow(*(counter_sample(2, 1, one) for one in told), item(4097 << 4, b"x")),
        ],
    )
    yield (
        "built sflow machines",
        [sflow(*(counter_sample(turn, 3 << 24 | turn, *told[-40 + turn :]) for turn in range(6)), agent=_AGENT6)],
    )
    yield "built sflow of old", [struct.pack(">II", version, 1) + bytes(60) for version in (2, 4)]
    yield (
        "built sflow of nothing",
        [
            sflow(flow_sample(*[records[4]] * 40), counter_sample(1, 1, *[told[0]] * 10)),
            sflow(*[item(1, b"")] * 100, *[item(2, b"")] * 100, *[item(5, b"")] * 50),
        ],
    )
