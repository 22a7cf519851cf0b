"""`explain`: every octet once and in order, whatever the octets; names, values and faults as a person reads them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import State
from decoders.explain import Line, explain
from decoders.faults import Fault
from decoders.layout import Field, Template
from tests.decoders.test_sflow import datagram, flow_sample, item
from tests.decoders.test_vendor_captures import CAPTURES, FLOWS, GROUPS
from tests.decoders.wire import NOW, SECONDS, a_set, decoded, ipfix, options_template9, options_template10, template, v9

Known = Mapping[tuple[int, int, int], Template]


def explained(payload: bytes, known: Known | None = None) -> list[Line]:
    """The lines, with what must hold of any: octets whole and in order, lines short, none too many."""
    lines = list(explain(payload, known or {}))
    assert b"".join(line.octets for line in lines) == payload
    at = 0
    for line in lines:
        assert line.offset == at
        assert len(line.octets) <= 16
        assert line.text.isprintable()
        assert 0 <= line.depth < 20
        at += len(line.octets)
    assert len(lines) <= 3 * len(payload) + 10
    return lines


def texts(payload: bytes, known: Known | None = None) -> list[str]:
    return [line.text for line in explained(payload, known)]


def wrong(payload: bytes, known: Known | None = None) -> list[tuple[int, str]]:
    return [(line.offset, line.text[2:]) for line in explained(payload, known) if line.text.startswith("! ")]


def known_of(state: State) -> dict[tuple[int, int, int], Template]:
    return {
        (key.stream.version, key.stream.domain, key.id): kept.template for key, kept in state.templates.by_key.items()
    }


@cache
def vendor() -> list[tuple[str, bytes, Known]]:
    """Each vendor capture with the templates that came before it."""
    found: list[tuple[str, bytes, Known]] = []
    for group, names in GROUPS.items():
        state, known = State(), dict[tuple[int, int, int], Template]()
        for name in names:
            payload = (CAPTURES / "vendor" / name).read_bytes()
            found.append((group, payload, dict(known)))
            decoded(payload, state=state)
            known |= known_of(state)
    return found


def test_every_vendor_capture_is_explained_and_faults_are_those_that_decoding_counts() -> None:
    counted = {"netflow5_invalid01": 1, "netflow5_invalid02": 1, "ipfix_netscaler": 1}
    counted["netflow9_iptnetflow_reduced_size_encoding"] = 6
    counted |= {"netflow9_h3c": 16, "netflow9_h3c_netstream_varstring": 1}  # ipv4RouterSc of 2 octets, in each record
    found: dict[str, int] = {}
    for group, payload, known in vendor():
        found[group] = found.get(group, 0) + len(wrong(payload, known))
    assert len(vendor()) == 92
    assert {group: count for group, count in found.items() if count} == counted


def test_records_are_as_many_as_the_flows_that_decoding_finds() -> None:
    records = dict.fromkeys(GROUPS, 0)
    for group, payload, known in vendor():
        lines = explained(payload, known)
        records[group] += sum(line.text.startswith("record ") and line.depth <= 2 for line in lines)
    for group, flows in FLOWS.items():
        assert flows / 2 <= records[group] <= flows, group  # a biflow is one record and two flows


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_captures_are_explained_all_the_same(data: st.DataObject) -> None:
    _, payload, known = data.draw(st.sampled_from(vendor()))
    mutated = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 6))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(mutated)))
    explained(bytes(mutated) + bytes(data.draw(st.binary(max_size=8))), known)
    explained(bytes(mutated[:cut]), known)


WILD = st.one_of(
    st.binary(max_size=400),
    st.builds(lambda body: ipfix(a_set(2, body), a_set(256, body), a_set(3, body)), st.binary(max_size=300)),
    st.builds(lambda body: v9(a_set(0, body), a_set(1, body), a_set(300, body)), st.binary(max_size=300)),
    st.builds(lambda body: datagram(item(1, body), item(2, body), item(5, body), count=9), st.binary(max_size=200)),
    st.builds(
        lambda format_, body: datagram(flow_sample(item(format_, body), item(format_, body))),
        st.sampled_from([1, 2, 3, 4, *range(1001, 1013), 1038, 2100, 2101]),
        st.binary(max_size=120),
    ),
    st.builds(
        lambda format_, body: datagram(item(2, struct.pack(">III", 1, 1, 2) + item(format_, body) * 2)),
        st.sampled_from([*range(1, 11), 1001, 1005, 2000, 2003, 2004, 2105]),
        st.binary(max_size=120),
    ),
)
FIELDS = st.builds(
    Field,
    st.sampled_from([0, 0, 0, 29305, 6871]),
    st.sampled_from([1, 4, 8, 21, 27, 56, 82, 89, 95, 150, 154, 158, 206, 276, 291, 292, 293, 311, 484, 515, 999]),
    st.sampled_from([0, 1, 2, 3, 4, 6, 8, 16, 40, 0xFFFF, 0xFFFF]),
)
TEMPLATES = st.dictionaries(
    st.tuples(st.sampled_from([9, 10]), st.just(7), st.integers(256, 260)),
    st.builds(Template, st.lists(FIELDS, min_size=1, max_size=6).map(tuple), st.booleans()),
    max_size=5,
)
LISTS = st.recursive(
    st.binary(max_size=12),
    lambda inner: st.builds(
        lambda head, bodies: head + b"".join(bytes((len(body) & 0x7F,)) + body for body in bodies),
        st.sampled_from([
            b"\3" + struct.pack(">HH", 291, 0xFFFF),
            b"\3" + struct.pack(">HH", 292, 0xFFFF),
            b"\3" + struct.pack(">HH", 8, 0),
            b"\3" + struct.pack(">H", 256),
            b"\3" + struct.pack(">HH", 257, 40),
        ]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(WILD, TEMPLATES)
def test_any_octets_are_explained(payload: bytes, known: Known) -> None:
    explained(payload, known)


@settings(max_examples=150, deadline=None)
@given(LISTS, TEMPLATES, st.sampled_from([291, 292, 293]))
def test_any_lists_are_explained(body: bytes, known: Known, element: int) -> None:
    template_ = Template((Field(0, element, 0xFFFF),), False)
    record = b"\xff" + struct.pack(">H", len(body)) + body
    explained(ipfix(a_set(400, record * 2)), {**known, (10, 7, 400): template_})
    explained(v9(a_set(400, record)), {**known, (9, 7, 400): template_})


def test_costly_templates_are_bounded_in_lines_and_time() -> None:
    """A template of 1023 fields of no length and one of one octet; lists of lists of nothing."""
    empty = Template((*(Field(0, 8, 0) for _ in range(1023)), Field(0, 4, 1)), False)
    body = bytes(20_000)
    assert "record 20000, without 1023 of its fields, which have no length" in texts(
        v9(a_set(300, body)), {(9, 7, 300): empty}
    )
    lists = {(10, 7, 300): Template((Field(0, 291, 0xFFFF),), False)}
    nothing = b"\xff" + struct.pack(">H", 60_000) + b"\3" + struct.pack(">HH", 4, 1) + bytes(59_995)
    assert [text for _, text in wrong(ipfix(a_set(300, nothing)), lists)] == [
        "there are more than 1000 elements: 58995 octets are left"
    ]


def test_netflow5() -> None:
    head = struct.pack(">HHIIIIBBH", 5, 1, 1_000_000, SECONDS, 500_000_000, 7, 1, 2, 0x4064)
    record = struct.pack(
        ">4s4s4sHHIIIIHHBBBBHHBBH", b"\xc0\0\2\1", b"\x08\x08\x08\x08", bytes(4), 3, 4, 5, 600, 999_000, 1_000_500,
        53, 5353, 0, 0x12, 17, 0, 64500, 64501, 24, 16, 0,
    )  # fmt: skip
    lines = explained(head + record)
    assert (lines[0].text, lines[1]) == ("NetFlow v5 message", Line(0, b"\0\5", 1, "version: 5"))
    found = [line.text for line in lines]
    assert "sampling_interval: 100 (deterministic)" in found
    assert "unix_secs: 2026-11-18T11:06:40Z" in found
    assert "srcaddr: 192.0.2.1" in found
    assert "First: 999000 milliseconds of uptime (2026-11-18T11:06:39.500Z)" in found
    assert "Last: 1000500 milliseconds of uptime (2026-11-18T11:06:41.000Z)" in found  # later than the message
    assert "prot: 17 (UDP)" in found
    assert "tcp_flags: 18 (SYN ACK)" in found
    assert "dPkts: 5 packets" in found
    assert wrong(head + record + b"junk!") == [(72, "5 octets begin no other message")]
    assert "NetFlow v5 message 2" in texts((head + record) * 2)
    for count, why in ((2, "is more than the 1 for which there is room"), (0, "is none")):
        lying = struct.pack(">HH", 5, count) + head[4:] + record
        assert wrong(lying) == [(24, f"the record count {count} {why}: nothing is read")]


NTP = SECONDS + 2_208_988_800
VALUES = [
    ((0, 8), b"\xc0\0\2\1", "sourceIPv4Address: 192.0.2.1"),
    ((0, 27), bytes(15) + b"\1", "sourceIPv6Address: ::1"),
    ((0, 56), b"\2\0\0\0\0\1", "sourceMacAddress: 02:00:00:00:00:01"),
    ((0, 1), b"\1\0\0", "octetDeltaCount: 65536 octets"),
    ((0, 2), b"\1", "packetDeltaCount: 1 packet"),
    ((0, 150), struct.pack(">I", SECONDS), "flowStartSeconds: 2026-11-18T11:06:40Z"),
    ((0, 152), struct.pack(">Q", NOW + 7), "flowStartMilliseconds: 2026-11-18T11:06:40.007Z"),
    ((0, 154), struct.pack(">II", NTP, 1 << 30), "flowStartMicroseconds: 2026-11-18T11:06:40.250000Z"),
    ((0, 156), struct.pack(">II", 0x10, 0), "flowStartNanoseconds: 2036-02-07T06:28:32.000000000Z"),
    ((0, 154), bytes(8), "flowStartMicroseconds: 0, no time"),
    ((0, 152), b"\xff" * 8, "flowStartMilliseconds: a time beyond the year 9999"),
    ((0, 159), struct.pack(">I", 1_500_000),
     "flowEndDeltaMicroseconds: 1500000 microseconds before the export (2026-11-18T11:06:38.500000Z)"),
    ((0, 22), struct.pack(">I", 7), "flowStartSysUpTime: 7 milliseconds of uptime"),
    ((0, 276), b"\1", "dataRecordsReliability: true"),
    ((0, 276), b"\2", "dataRecordsReliability: false"),
    ((0, 320), struct.pack(">d", -1.25), "absoluteError: -1.25"),
    ((0, 320), struct.pack(">f", 0.5), "absoluteError: 0.5"),
    ((0, 434), b"\xff\xff\xff\xfe", "mibObjectValueInteger: -2"),
    ((0, 82), b"eth0\0\0", 'interfaceName: "eth0" and 2 NULs'),
    ((0, 82), b'\x1b[2J"\\\xe2\x80\xae', 'interfaceName: "\\x1b[2J\\"\\\\\\u202e"'),
    ((0, 82), b"caf\xe9", 'interfaceName: "caf\N{REPLACEMENT CHARACTER}" (not UTF-8)'),
    ((0, 4), b"\x11", "protocolIdentifier: 17 (UDP)"),
    ((0, 4), b"\xfd", "protocolIdentifier: 253"),
    ((0, 6), b"\0\x12", "tcpControlBits: 18 (SYN ACK)"),
    ((0, 32), b"\3\1", "icmpTypeCodeIPv4: 769 (type 3, code 1)"),
    ((0, 61), b"\1", "flowDirection: 1 (egress)"),
    ((0, 89), b"\0\0\0\x82", "forwardingStatus: 130 (dropped: ACL drop)"),
    ((0, 136), b"\2", "flowEndReason: 2 (active timeout)"),
    ((0, 230), b"\4", "natEvent: 4 (NAT44 session created)"),
    ((0, 233), b"\3", "firewallEvent: 3 (flow denied)"),
    ((0, 95), b"\x0d\0\1\xc5", "applicationId: engine 13, selector 453"),
    ((0, 70), b"\0\1\1", "mplsTopLabelStackSection: label 16, experimental 0, bottom of stack"),
    ((29305, 1), b"\7", "reverseOctetDeltaCount: 7 octets"),
    ((9, 12235), b"\7", "enterprise 9 element 12235: 7"),
    ((0, 313), b"\x45\0", "ipHeaderPacketSection"),
]  # fmt: skip


@pytest.mark.parametrize(("element", "octets", "text"), VALUES)
def test_values_as_people_read_them(element: tuple[int, int], octets: bytes, text: str) -> None:
    known = {(10, 7, 256): Template((Field(*element, len(octets)),), False)}
    lines = explained(ipfix(a_set(256, octets)), known)
    assert Line(20, octets[:16], 3, text) in lines


def test_netflow9_knows_the_uptime_and_its_wrap() -> None:
    known = {(9, 7, 256): Template((Field(0, 22, 4),), False)}
    text = "flowStartSysUpTime: 4294967196 milliseconds of uptime (2026-11-18T11:06:39.850Z)"
    assert text in texts(v9(a_set(256, struct.pack(">I", 2**32 - 100)), uptime=50), known)


def test_templates_are_explained_and_learnt_for_the_data_behind_them() -> None:
    payload = v9(
        a_set(0, template(256, [(8, 4), (999, 2)]) + bytes(2)),
        a_set(256, b"\xc0\0\2\1\0\5" + bytes(2)),
        a_set(1, options_template9(257, [(2, 4)], [(82, 2)])),
        a_set(257, b"\0\0\0\5e0"),
    )
    found = texts(payload)
    assert found[7:] == [
        "template set", "set id: 0", "length: 18 octets, with these four", "template 256, 2 fields", "template id: 256",
        "field count: 2", "field 0: sourceIPv4Address (8), 4 octets", "field 1: element 999 (999), 2 octets", "padding",
        "data set of template 256", "set id: 256", "length: 12 octets, with these four", "record 1",
        "sourceIPv4Address: 192.0.2.1", "element 999: 5", "padding",
        "options template set", "set id: 1", "length: 18 octets, with these four", "options template 257, 2 fields",
        "template id: 257", "option scope length: 4 octets", "option length: 4 octets",
        "scope field 0: Interface (2), 4 octets", "field 1: interfaceName (82), 2 octets",
        "data set of template 257", "set id: 257", "length: 10 octets, with these four", "options record 1",
        "Interface: 5", 'interfaceName: "e0"',
    ]  # fmt: skip
    ten = ipfix(
        a_set(2, template(256, [(1, 0xFFFF, 29305), (82, 0xFFFF)])),
        a_set(3, options_template10(258, [(149, 4)], [(42, 8)])),
        a_set(256, b"\1\7" + b"\xff\0\3abc"),
    )
    found = texts(ten)
    assert "field 0: reverseOctetDeltaCount (1, enterprise 29305), variable length" in found
    assert "scope field 0: observationDomainId (149), 4 octets" in found
    assert found[-4:] == [
        "length of reverseOctetDeltaCount: 1 octet", "reverseOctetDeltaCount: 7 octets",
        "length of interfaceName: 3 octets", 'interfaceName: "abc"',
    ]  # fmt: skip
    again = {(9, 7, 256): Template((Field(0, 4, 1),), False)}
    assert "takes the place of another template 256" in texts(payload, again)
    assert "withdrawal of template 256: ignored over UDP (RFC 7011 section 8.4)" in texts(
        ipfix(a_set(2, struct.pack(">HH", 256, 0)))
    )


ONE = {(9, 7, 256): Template((Field(0, 8, 4), Field(0, 82, 0xFFFF)), False)}
BROKEN = [
    (b"", (0, "too few octets for the header of any protocol")),
    (b"\0\7\0\0", (0, "version 7 (458752 in 32 bits): neither NetFlow v5 or v9, nor IPFIX, nor sFlow v5")),
    (b"\0\x09" + bytes(10), (0, "12 octets are too few for the header of NetFlow v9, which has 20")),
    (v9(struct.pack(">HH", 300, 0) + bytes(116)),
     (24, "set length 0 is below 4: the rest of the message, 116 octets, is not read")),
    (v9(struct.pack(">HH", 300, 40) + bytes(6)),
     (24, "set length 40 is 30 octets more than the message has left: the rest of the message, 6 octets, is not read")),
    (v9(a_set(300, bytes(8))), (24, "template 300 of this exporter is not known up to here: 8 octets wait for it")),
    (v9(a_set(77, bytes(8))), (24, "set id 77 is reserved: 8 octets are not read")),
    (v9(a_set(256, bytes(3))), (24, "a record has 5 octets or more, and 3 are there")),
    (v9(a_set(256, bytes(4) + b"\x09abc")),
     (29, "interfaceName has 9 octets, and the set 3 more: the rest of the set is not read")),
    (v9(a_set(256, bytes(4) + b"\xff\1")),
     (28, "the length of interfaceName has 3 octets, and the set 2 more: the rest of the set is not read")),
    (v9(a_set(0, struct.pack(">HHHH", 256, 3, 8, 4))),
     (32, "the set ends after 1 of the template's 3 fields: the template is not learnt")),
    (v9(a_set(0, template(99, [(8, 4)]))), (32, "template id 99 is below 256: the template is not learnt")),
    (v9(a_set(1, struct.pack(">HHHHH", 257, 0, 6, 8, 4))),
     (30, "a specifier has 4 octets, and these lengths are no multiple of it")),
    (ipfix(a_set(3, struct.pack(">HHHHH", 257, 1, 2, 8, 4))),
     (30, "2 scope fields are more than the 1 fields: the template is not learnt")),
    (b"\0\x0a\0\x0f" + bytes(12), (16, "the message length 15 is below 16, the header's own: nothing is read")),
    (b"\0\x0a\1\0" + bytes(20), (16, "the message length 256 is 232 octets more than there are: nothing is read")),
    (ipfix() + b"\0\x0a", (16, "2 octets begin no other message")),
    (ipfix() * 65, (1024, "16 octets stand behind 64 messages, the most that are read")),
    (struct.pack(">II", 5, 3) + bytes(40), (8, "3 is no type of address: nothing is read")),
    (struct.pack(">II", 5, 2) + bytes(28), (0, "36 octets are too few for the header, which has 40")),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "what"), BROKEN)
def test_what_is_wrong_is_said_where_it_goes_wrong(payload: bytes, what: tuple[int, str]) -> None:
    assert what in wrong(payload, ONE)


def test_trailing_zeros_are_padding_and_no_fault() -> None:
    assert wrong(v9(a_set(256, bytes(4) + b"\0"), bytes(300)), ONE) == []
    assert texts(v9(bytes(300)))[7] == "padding"


def test_lists_are_taken_apart() -> None:
    known = {
        (10, 7, 256): Template((Field(0, 291, 0xFFFF), Field(0, 292, 0xFFFF), Field(0, 293, 0xFFFF)), False),
        (10, 7, 257): Template((Field(0, 4, 1),), False),
    }
    basic = b"\3" + struct.pack(">HH", 8, 4) + b"\xc0\0\2\1" + b"\xc0\0\2\2"
    own = b"\xff" + struct.pack(">HHI", 1 | 0x8000, 1, 29305) + b"\5"
    sub = b"\4" + struct.pack(">H", 257) + b"\6\x11"
    multi = b"\0" + struct.pack(">HH", 257, 5) + b"\1" + struct.pack(">HH", 999, 6) + b"\1\2"
    record = b"".join(bytes((len(body),)) + body for body in (basic, sub, multi))
    found = texts(ipfix(a_set(256, record)), known)
    assert found[10:] == [
        "length of basicList: 13 octets", "basicList, 13 octets", "semantic: 3 allOf",
        "elements: sourceIPv4Address (8), 4 octets", "sourceIPv4Address: 192.0.2.1", "sourceIPv4Address: 192.0.2.2",
        "length of subTemplateList: 5 octets", "subTemplateList, 5 octets", "semantic: 4 ordered", "template id: 257",
        "record 1", "protocolIdentifier: 6 (TCP)", "record 2", "protocolIdentifier: 17 (UDP)",
        "length of subTemplateMultiList: 12 octets", "subTemplateMultiList, 12 octets", "semantic: 0 noneOf",
        "template id: 257", "length: 5 octets, with these four", "record 1", "protocolIdentifier: 1 (ICMP)",
        "template id: 999", "length: 6 octets, with these four", "! template 999 is not known", "not read",
    ]  # fmt: skip
    alone = {(10, 7, 256): Template((Field(0, 291, 0xFFFF),), False)}
    assert "elements: reverseOctetDeltaCount (1, enterprise 29305), 1 octet" in texts(
        ipfix(a_set(256, bytes((len(own),)) + own)), alone
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\3\0", "2 octets are too few for a basicList"),
        (b"\3" + struct.pack(">HH", 8, 0) + b"abc", "the elements have no length: 3 octets are left"),
        (
            b"\3" + struct.pack(">HH", 8, 4) + b"abc",
            "sourceIPv4Address has 4 octets, and the list 3 more: the rest of the list is not read",
        ),
    ],
)
def test_broken_lists_cost_only_themselves(body: bytes, why: str) -> None:
    known = {(10, 7, 256): Template((Field(0, 291, 0xFFFF), Field(0, 4, 1)), False)}
    payload = ipfix(a_set(256, bytes((len(body),)) + body + b"\6"))
    assert [text for _, text in wrong(payload, known)] == [why]
    assert texts(payload, known)[-1] == "protocolIdentifier: 6 (TCP)"


def test_lists_in_lists_are_taken_apart_four_deep() -> None:
    body = b"\3" + struct.pack(">HH", 4, 1) + b"\6"
    for _ in range(6):
        body = b"\3" + struct.pack(">HH", 291, 0xFFFF) + bytes((len(body),)) + body
    known = {(10, 7, 256): Template((Field(0, 291, 0xFFFF),), False)}
    payload = ipfix(a_set(256, bytes((len(body),)) + body))
    assert [text for _, text in wrong(payload, known)] == ["lists are taken apart only 4 deep"]


def test_what_decoding_finds_at_fault_is_found_here_too() -> None:
    """The other way round is not asked: a person is told more."""
    good = v9(a_set(0, template(256, [(8, 4)])), a_set(256, b"\xc0\0\2\1"))
    for payload in (
        good[:-1],
        good + b"\1\2\3\4",
        ipfix(a_set(2, template(200, [(8, 4)]))),
        ipfix() + b"?",
        b"\0\5\0\2" + bytes(68),
        datagram(struct.pack(">II", 1, 99) + bytes(8)),
    ):
        assert sum(decoded(payload).faults[fault] for fault in Fault), payload
        assert wrong(payload), payload
