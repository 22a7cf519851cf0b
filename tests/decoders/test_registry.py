"""The registry of names and types: whole, without repeats, and as tshark knows the same elements."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest

from decoders.elements import ELEMENTS, REVERSE_ENTERPRISE, SCOPE_ENTERPRISE
from decoders.explain_values import Clock, value_text
from decoders.registry import TABLES, DataType, entry_of, name_of, registry, type_of, unit_of
from tests.decoders.wire import SECONDS, a_set, ipfix, template
from tests.exporters.tshark_reading import Datagram, dissect, write_pcap

LENGTHS = {
    DataType.UNSIGNED8: 1, DataType.UNSIGNED16: 2, DataType.UNSIGNED32: 4, DataType.UNSIGNED64: 8,
    DataType.MAC_ADDRESS: 6, DataType.IPV4_ADDRESS: 4, DataType.IPV6_ADDRESS: 16, DataType.STRING: 6,
    DataType.DATE_TIME_SECONDS: 4, DataType.DATE_TIME_MILLISECONDS: 8, DataType.DATE_TIME_MICROSECONDS: 8,
    DataType.DATE_TIME_NANOSECONDS: 8,
}  # fmt: skip
NTP = SECONDS + 2_208_988_800
VALUES = {
    DataType.STRING: b"abc123",
    DataType.DATE_TIME_SECONDS: struct.pack(">I", SECONDS),
    DataType.DATE_TIME_MILLISECONDS: struct.pack(">Q", SECONDS * 1000),
    DataType.DATE_TIME_MICROSECONDS: struct.pack(">II", NTP, 0),
    DataType.DATE_TIME_NANOSECONDS: struct.pack(">II", NTP, 0),
}
# tshark 4.0: 272 is read as nanoseconds; 21, 22, 158, 159, 161, 162 are numbers that it shows as times; 89, 139 and
# 233 in parts; 173, 208, 209, 285 as octets; 87, 100, 102 and 103 it does not know.
SHOWN_OTHERWISE = {272, 21, 22, 158, 159, 161, 162, 89, 139, 233, 173, 208, 209, 285, 87, 100, 102, 103}


def test_no_element_is_there_twice_and_every_line_is_well_formed() -> None:
    seen: set[tuple[int, int]] = set()
    for enterprise, table in TABLES:
        for line in table.strip().split("\n"):
            found = re.fullmatch(r"(\d+) ([A-Za-z0-9_-]+) ([a-zA-Z0-9]+|-)( [a-zA-Z0-9 -]+)?", line)
            assert found, line
            assert found[3] == "-" or found[3] in set(DataType), line
            key = (enterprise, int(found[1]))
            assert key not in seen, line
            seen.add(key)
    assert seen == set(registry())
    assert len({name for (enterprise, _), (name, _, _) in registry().items() if not enterprise}) == sum(
        not enterprise for enterprise, _ in registry()
    )


def test_every_element_that_is_decoded_has_a_name() -> None:
    unknown = [key for key in ELEMENTS if entry_of(*key) is None]
    assert unknown == []
    assert {id_ for enterprise, id_ in registry() if not enterprise and id_ <= 500} > set(range(128, 501)) - {416, 419}


@pytest.mark.parametrize(
    ("element", "name", "type_", "unit"),
    [
        ((0, 1), "octetDeltaCount", "unsigned64", "octets"),
        ((0, 152), "flowStartMilliseconds", "dateTimeMilliseconds", "milliseconds"),
        ((0, 291), "basicList", "basicList", ""),
        ((0, 292), "subTemplateList", "subTemplateList", ""),
        ((0, 293), "subTemplateMultiList", "subTemplateMultiList", ""),
        ((0, 33002), "NF_F_FW_EXT_EVENT", "unsigned16", ""),
        ((0, 56702), "User-ID", "string", ""),
        ((0, 57590), "L7_PROTO", "unsigned16", ""),
        ((35632, 118), "L7_PROTO", "unsigned16", ""),
        ((REVERSE_ENTERPRISE, 1), "reverseOctetDeltaCount", "unsigned64", "octets"),
        ((6871, 14), "initialTCPFlags", "unsigned16", ""),
        ((6871, 14 | 0x4000), "reverseInitialTCPFlags", "unsigned16", ""),
        ((SCOPE_ENTERPRISE, 2), "Interface", "unsigned32", ""),
        ((SCOPE_ENTERPRISE, 77), "scope 77", "", ""),
        ((0, 32767), "element 32767", "", ""),
        ((9, 12235), "enterprise 9 element 12235", "", ""),
        ((REVERSE_ENTERPRISE, 32767), "enterprise 29305 element 32767", "", ""),
    ],
)
def test_names_types_and_units(element: tuple[int, int], name: str, type_: str, unit: str) -> None:
    assert (name_of(*element), type_of(*element), unit_of(*element)) == (name, type_, unit)


def test_names_are_those_of_tshark() -> None:
    """Below 128, and for some above, tshark has the names of NetFlow v9; where it has IANA's, they are ours."""
    done = subprocess.run(["tshark", "-G", "values"], capture_output=True, check=True, timeout=120)
    tables: dict[str, dict[int, str]] = {}
    for line in done.stdout.splitlines():
        if line.startswith(b"V\tcflow.template_"):
            _, field, id_, name = line.decode().split("\t")
            tables.setdefault(field, {})[int(id_)] = name
    iana = tables["cflow.template_ipfix_field_type"]
    # exportInterface and its neighbours, which tshark calls after the collector; two duplicates, which have no name
    apart = {213, 214, 215, 416, 419}
    same = [id_ for id_, name in iana.items() if name_of(0, id_).lower() == name.lower()]
    others = [id_ for id_, name in iana.items() if id_ < 500 and name[0].islower() and id_ not in {*same, *apart}]
    assert others == []
    assert len(same) > 300
    for field, enterprise in (("ntop", 35632), ("barracuda", 10704), ("ixia", 3054), ("netscaler", 5951)):
        theirs = tables[f"cflow.template_{field}_field_type"]
        missing = [id_ for id_, name in theirs.items() if not name.startswith("v10_") and not _known(enterprise, id_)]
        assert missing == []
    renamed = {85, 86, 87}  # "source to source" throughputs, which ntop calls DST_TO_SRC
    ntop = tables["cflow.template_ntop_field_type"]
    assert [
        name for id_, name in ntop.items() if _known(35632, id_) and id_ not in renamed and name_of(35632, id_) != name
    ] == []


def _known(enterprise: int, id_: int) -> bool:
    return entry_of(enterprise, id_) is not None


def test_types_are_those_of_tshark(tmp_path: Path) -> None:
    """One record of each element's own length: tshark shows the octets by its type, we by ours."""
    elements = [
        (id_, entry.type)
        for (enterprise, id_), entry in sorted(registry().items())
        if not enterprise and id_ < 492 and entry.type in LENGTHS and id_ not in SHOWN_OTHERWISE
    ]
    clock = Clock(SECONDS * 1000, None)
    compared = 0
    size = 12  # few enough that one element which tshark dissects on its own account does not hide many others
    groups = [elements[at : at + size] for at in range(0, len(elements), size)]
    datagrams = []
    for number, group in enumerate(groups):
        fields = [(id_, LENGTHS[type_]) for id_, type_ in group]
        body = b"".join(_sample(id_, type_) for id_, type_ in group)
        datagrams.append(ipfix(a_set(2, template(256 + number, fields)), a_set(256 + number, body)))
    write_pcap(tmp_path / "elements.pcap", [Datagram(SECONDS, datagram) for datagram in datagrams], "netflow")
    for packet, group in zip(dissect(tmp_path / "elements.pcap").findall("packet"), groups, strict=True):
        shown = {
            (int(node.get("pos", "0")), int(node.get("size", "0"))): node.get("show", "")
            for node in reversed(list(packet.iter("field")))
            if node.get("name", "").startswith("cflow.")
        }
        at = 20 + 8 + 16 + 4 + 4 + 4 * len(group) + 4
        for id_, type_ in group:
            octets = _sample(id_, type_)
            theirs = shown.get((at, len(octets)))
            at += len(octets)
            if theirs is not None:
                compared += 1
                assert _agree(theirs, value_text(0, id_, octets, clock), octets), (id_, type_, theirs)
    assert compared > 350


def _sample(id_: int, type_: DataType) -> bytes:
    return VALUES.get(type_) or bytes((id_ * 7 + at) % 251 + 1 for at in range(LENGTHS[type_]))


def _agree(theirs: str, ours: str, octets: bytes) -> bool:
    if "UTC" in theirs:
        return ours.startswith("2026-11-18T11:06:40") and theirs.startswith("Nov 18, 2026 11:06:40.0000")
    if theirs.startswith("0x"):
        return ours.split(" ")[0] == str(int(theirs, 16))
    return ours.split(" ")[0].strip('"') == theirs
