"""Seeds built by hand: for every form of the protocols that no capture has, and every shape that has cost a decoder
its time or its memory (`/docs/fuzzing.md`)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from fuzzing.built_sflow import samples
from fuzzing.messages import (
    FRAMES,
    NOW,
    TCP,
    VARIABLE,
    Field,
    a_set,
    ipfix,
    ipv4,
    ipv6,
    message,
    netflow5,
    netflow9,
    options_template,
    template,
    template_set,
    variable,
)

Named = tuple[str, list[bytes]]

COSTLY = ("built 250 templates", "built one-octet options", "built redefinitions", "built sets of nothing")
"""How the names of seeds begin that cost a hundred times what others do: they are drawn less often."""

_ADDRESSES: tuple[Field, ...] = ((8, 4), (12, 4))
_REVERSE = 29305  # RFC 5103


def built() -> Iterator[Named]:
    """Yield (name, datagrams) of every seed that is built here."""
    for make in (_options, _templates, _records, _lists, _sections, _messages, samples, _sampling):
        yield from make()


def _options() -> Iterator[Named]:
    """Options data: records of one octet, of no octet's scope, of many scopes; names; on both sides of the flows."""
    for version in (9, 10):
        yield from _small_options(version)
        scopes: list[Field] = (
            [(1, 4), (2, 4), (3, 2), (4, 2), (5, 2)] if version == 9 else [(149, 4), (10, 4), (141, 2)]
        )
        fields: list[Field] = [(34, 4), (35, 1), (48, 2), (50, 4), (82, 16), (83, 16), (41, 8), (160, 8)]
        told = template_set(version, options_template(version, 300, scopes, fields), options=True)
        length = sum(field[1] for field in (*scopes, *fields))
        data = a_set(300, bytes(range(length)) * 3 + bytes(2))
        flows = template_set(version, template(301, [*_ADDRESSES, (10, 4), (48, 2), (1, 4)])) + a_set(301, bytes(90))
        yield (
            f"built nested options v{version}",
            [
                message(version, told, data, flows),
                message(version, data, flows, data, told),
            ],
        )
        yield f"built names v{version}", list(_names(version))


def _small_options(version: int) -> Iterator[Named]:
    for what, scopes, fields in (
        ("scope", [(1 if version == 9 else 10, 1)], []),
        ("rate", [(1 if version == 9 else 149, 0)], [(34, 1)]),
        ("interface name", [(2 if version == 9 else 10, 1)], [(82, 0), (83, 0)]),
        ("sampler", [(48, 1)], [(50, 0)]),
    ):
        told = template_set(version, options_template(version, 400, scopes, fields), options=True)
        yield f"built one-octet options v{version}, {what}", [message(version, told), message(
            version, a_set(400, bytes(range(1, 201)) * 7)
        )]  # fmt: skip


def _names(version: int) -> Iterator[bytes]:
    """Names of applications, VRFs, samplers and interfaces, in fixed and in variable-length fields."""
    width = VARIABLE if version == 10 else 12
    text = variable(b"name \xc3\xa9 \xff") if version == 10 else b"name \xc3\xa9 \xff\0\0\0"[:12].ljust(12, b"\0")
    for id_, (key, octets, name) in enumerate(
        ((95, 4, 96), (95, 3, 94), (234, 4, 236), (235, 4, 236), (48, 1, 84), (302, 2, 335), (10, 4, 82)), 310
    ):
        scope = (1, 4) if version == 9 else (149, 4)
        told = options_template(version, id_, [scope], [(key, octets), (name, width), (130, 4)])
        record = bytes(4) + bytes(range(1, octets + 1)) + text + b"\xc0\0\2\x09"
        yield message(version, template_set(version, told, options=True), a_set(id_, record * 4))


def _templates() -> Iterator[Named]:
    for version in (9, 10):
        many = range(256, 506)
        one = b"".join(template(id_, [(1000 + id_, 4)]) for id_ in many)
        known = b"".join(template(id_, [(1 + id_ % 90, 1 + id_ // 90)]) for id_ in many)
        for name, told, octets in (("unknown", one, 4), ("known", known, 6)):
            sets = b"".join(a_set(id_, bytes([id_ & 0xFF]) * octets) for id_ in many)
            yield f"built 250 templates v{version}, {name}", [message(version, template_set(version, told), sets)]
        changing = b"".join(
            template_set(version, template(256, [(1, 1 + turn % 8), (7, 2)])) + a_set(256, bytes(10 + turn % 3))
            for turn in range(60)
        )
        yield f"built redefinitions v{version}", [message(version, changing), message(version, a_set(256, bytes(40)))]
        yield (
            f"built wide template v{version}",
            [
                message(version, template_set(version, template(256, [(1 + n % 200, n % 5) for n in range(340)]))),
                message(version, a_set(256, bytes(1400))),
            ],
        )
        yield f"built empty templates v{version}", [
            message(
                version,
                template_set(version, template(256, [(0, 0), (1, 0)]) + template(257, []) + template(258, [(1, 4)])),
                a_set(256, bytes(40)), a_set(257, bytes(40)), a_set(258, bytes(3)), a_set(4, bytes(8)),
            ),
            message(version, a_set(0, b""), template_set(version, options_template(version, 259, [(1, 0)], [(34, 0)]),
                    options=True), a_set(259, bytes(90))),
        ]  # fmt: skip
    withdrawn = struct.pack(">HH", 256, 0)
    yield (
        "built withdrawals",
        [
            ipfix(template_set(10, template(256, [(1, 4)])), a_set(256, bytes(8))),
            ipfix(
                template_set(10, withdrawn),
                template_set(10, struct.pack(">HH", 2, 0)),
                a_set(3, struct.pack(">HH", 3, 0)),
            ),
            ipfix(a_set(256, bytes(8)), template_set(10, template(256, [(2, 4), (1, 4)])), a_set(256, bytes(8))),
        ],
    )


def _records() -> Iterator[Named]:
    """Variable-length fields, reduced sizes, both directions in one record, label stacks, all forms of time."""
    for version in (9, 10):
        fields: list[Field] = [*_ADDRESSES, (82, VARIABLE), (7, 2), (371, VARIABLE), (1, VARIABLE), (2, 3)]
        records = b"".join(
            b"\xc0\0\2\1\xc0\0\2\2" + variable(b"n" * (turn % 9)) + b"\1\xbb" + variable(b"u" * turn, turn % 3 == 0)
            + variable(bytes([turn]) * (turn % 9)) + b"\0\0\7"
            for turn in range(20)
        )  # fmt: skip
        yield (
            f"built variable-length fields v{version}",
            [
                message(version, template_set(version, template(256, fields))),
                message(version, a_set(256, records), a_set(256, records[:-1] + b"\xff\xff\xff")),
            ],
        )
        yield (
            f"built empty strings v{version}",
            [
                message(version, template_set(version, template(256, [(82, VARIABLE)])), a_set(256, bytes(1400))),
                message(version, a_set(256, b"\xff\0\0" * 400), a_set(256, b"\xff\xff\xff" + bytes(300))),
            ],
        )
        times: list[Field] = [(id_, 4) for id_ in (150, 151, 158, 159, 21, 22, 161)]
        times += [(id_, 8) for id_ in (152, 153, 154, 155, 156, 157, 323, 160)]
        extremes = b"".join(bytes([octet]) * (4 * 7 + 8 * 8) for octet in (0, 1, 0x7F, 0x80, 0xE9, 0xFF))
        yield (
            f"built times v{version}",
            [
                message(version, template_set(version, template(256, times)), a_set(256, extremes)),
                message(version, template_set(version, template(257, times[::-2])), a_set(257, extremes)),
            ],
        )
        labels: list[Field] = [(70 + depth, 3) for depth in range(10)]
        yield (
            f"built reduced sizes v{version}",
            [
                message(
                    version, template_set(version, template(256, [(1, 5), (2, 3), (10, 1), (16, 3), (85, 7), *labels]))
                ),
                message(version, a_set(256, bytes(range(49)) * 20)),
            ],
        )
    both: list[Field] = [*_ADDRESSES, (7, 2), (11, 2), (1, 4), (2, 4), (1, 4, _REVERSE), (2, 4, _REVERSE), (4, 1)]
    yield (
        "built biflow",
        [
            ipfix(template_set(10, template(256, both))),
            ipfix(a_set(256, bytes(range(29)) * 30 + bytes(29 * 10))),
        ],
    )


def _lists() -> Iterator[Named]:
    """Structured data (RFC 6313): lists of elements and of records, inside each other, of nothing, of themselves."""
    plain = struct.pack(">BHH", 3, 8, 4) + b"\xc0\0\2\1" * 5
    private = struct.pack(">BHHI", 0xFF, 0x8001, VARIABLE, 32473) + variable(b"a") + variable(b"")
    nothing = struct.pack(">BHH", 4, 8, 0) + bytes(60)
    nested = plain
    for _ in range(12):
        nested = struct.pack(">BHH", 1, 291, VARIABLE) + variable(nested) * 2 if len(nested) < 300 else (
            struct.pack(">BHH", 1, 291, VARIABLE) + variable(nested)
        )  # fmt: skip
    records = struct.pack(">BH", 3, 256) + (b"\xc0\0\2\1\0\0\0\7" * 4)
    itself = struct.pack(">BH", 3, 257) + variable(struct.pack(">BH", 3, 257) + variable(b"\0" * 9))
    several = b"\4" + b"".join(struct.pack(">HH", id_, 4 + 16) + bytes(16) for id_ in (256, 999, 256))
    told = template_set(
        10,
        template(256, [(8, 4), (1, 4)]) + template(257, [(292, VARIABLE)]) + template(258, [(291, VARIABLE), (1, 4)])
        + template(259, [(293, VARIABLE), (2, 2)]) + template(260, [(291, 25), (8, 4)]),
    )  # fmt: skip
    lists = b"".join(variable(one) + b"\0\0\0\7" for one in (plain, private, nothing, nested, b"", b"\1"))
    yield (
        "built lists",
        [
            ipfix(told, a_set(256, bytes(16))),
            ipfix(
                a_set(258, lists), a_set(257, variable(records) + variable(itself)), a_set(260, plain + b"\xc0\0\2\7")
            ),
            ipfix(a_set(259, variable(several) + b"\0\7" + variable(b"") + b"\0\1" + variable(several[:-3]) + b"\0\1")),
        ],
    )


def _sections() -> Iterator[Named]:
    """Packet sections (elements 313, 315, 104) of fixed and of variable length, with the elements that go with them."""
    for version in (9, 10):
        packets = [frame[14:] for frame in FRAMES[:1]] + [ipv4(6, TCP), ipv6(6, TCP), b"", b"\x45"]
        told = template_set(
            version,
            template(256, [(10, 4), (312, 2), (408, 2), (315, VARIABLE)]) + template(257, [(313, VARIABLE), (1, 4)])
            + template(258, [(315, 64), (240, 1)]) + template(259, [(313, 40), (410, 2)]) + template(260, [(104, 60)]),
        )  # fmt: skip
        frames = b"".join(struct.pack(">IHH", 3, len(frame) + 4, 1) + variable(frame) for frame in FRAMES)
        sections = b"".join(variable(packet) + b"\0\0\0\1" for packet in packets)
        fixed = b"".join(frame[:64].ljust(64, b"\0") + b"\1" for frame in FRAMES)
        short = b"".join(frame[14:54].ljust(40, b"\0") + b"\0\1" for frame in FRAMES)
        yield (
            f"built packet sections v{version}",
            [
                message(version, told),
                message(version, a_set(256, frames), a_set(257, sections)),
                message(version, a_set(258, fixed), a_set(259, short), a_set(260, bytes(180))),
            ],
        )


def _messages() -> Iterator[Named]:
    """Several messages in one datagram, and the shortest of everything."""
    yield (
        "built v5 back to back",
        [
            b"".join(netflow5(1 + turn % 3, sampling=turn % 4 << 14 | 100) for turn in range(12)),
            netflow5(1) * 70,
        ],
    )
    yield "built v5", [netflow5(30, bytes(range(240)) * 6), netflow5(1), netflow5(2) + b"\0\5"]
    told = template_set(10, template(256, [*_ADDRESSES, (1, 4)]))
    yield (
        "built ipfix back to back",
        [
            b"".join(ipfix(told, a_set(256, bytes(24)), domain=turn, sequence=turn) for turn in range(20)),
            ipfix() * 80,
            ipfix(a_set(256, bytes(24)), domain=3) + ipfix(a_set(256, bytes(12)), domain=99) + bytes(3),
        ],
    )
    data = template_set(9, template(256, [*_ADDRESSES, (1, 4)])) + a_set(256, bytes(24) + bytes(2))
    yield "built v9 with a tail of zeros", [netflow9(data, bytes(900)), netflow9(a_set(256, bytes(24)), bytes(7))]
    yield "built sets of nothing", [netflow9(a_set(256, b"") * 300), ipfix(a_set(300, b"") * 300)]
    yield "built data before its template", [
        netflow9(a_set(256, bytes(24))), netflow9(a_set(256, bytes(36)), source=8), netflow9(data),
        netflow9(data, source=8),
    ]  # fmt: skip
    yield "built shortest", [b"", b"\0\5", b"\0\x09\0\1" + bytes(16), b"\0\0\0\5" + bytes(24)]


def _sampling() -> Iterator[Named]:
    """Tables of samplers and interfaces that the records refer to, and figures inside the records."""
    for version in (9, 10):
        samplers = options_template(version, 300, [(1 if version == 9 else 149, 4)], [(48, 2), (34, 4)])
        interfaces = options_template(version, 301, [(2 if version == 9 else 10, 4)], [(305, 4), (306, 4)])
        start = options_template(version, 302, [(1 if version == 9 else 149, 4)], [(160, 8), (309, 4), (310, 8)])
        told = template_set(version, samplers + interfaces + start, options=True)
        rates = b"".join(struct.pack(">IHI", 7, id_, 10 * id_) for id_ in range(60))
        ports = b"".join(struct.pack(">III", id_, 1, id_) for id_ in range(40))
        fields: list[Field] = [(10, 4), (48, 2), (302, 8), (34, 4), (305, 2), (306, 2), (21, 4), (22, 4), (130, 4)]
        flows = template_set(version, template(256, fields)) + a_set(256, bytes(range(34)) * 12)
        yield (
            f"built sampling v{version}",
            [
                message(version, told),
                message(
                    version,
                    a_set(300, rates),
                    a_set(301, ports),
                    a_set(302, struct.pack(">IQIQ", 7, NOW - 10**7, 2, 9)),
                ),
                message(version, flows, domain=7),
                message(version, flows, a_set(256, bytes(68)), domain=8),
            ],
        )
