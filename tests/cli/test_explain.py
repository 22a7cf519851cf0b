"""What `flowkeep decode --explain` and `--templates` print: one datagram octet by octet, and the templates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.explaining import explain_datagram, show_templates
from cli.options import octets_of
from decoders import Datagrams, Limits, State, decode
from decoders.elements import ELEMENTS
from settings.errors import ConfigError
from tests.cli.test_decode import DATA, TEMPLATE, pcap, raw
from tests.decoders.test_vendor_captures import CAPTURES, GROUPS
from tests.decoders.wire import EXPORTER, NOW, a_set, ipfix, options_template9, template, v9

EXPORTER_OPTION = octets_of("10.9.8.7")
OPTIONS = v9(a_set(1, options_template9(257, [(1, 4)], [(34, 4)])))
TEN = ipfix(a_set(2, template(300, [(1, 8), (82, 0xFFFF), (1, 8, 29305), (455, 2, 9999), (11, 4)])))


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_the_datagram_is_explained_by_the_templates_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [Path(name) for name in raw(tmp_path, TEMPLATE, DATA)]
    explain_datagram(files, 2, EXPORTER_OPTION)
    lines = printed(capsys)
    assert lines[0] == f"datagram 2: {files[1]}, from 10.9.8.7, 45 octets"
    assert lines[1].split() == ["0", "NetFlow", "v9", "message"]
    assert lines[2] == "    0  00 09" + " " * 42 + "    version: 9"
    assert "   24  c0 00 02 01" + " " * 36 + "        sourceIPv4Address: 192.0.2.1" in lines
    octets = "".join("".join(line[7:54].split()) for line in lines[1:])
    assert bytes.fromhex(octets) == DATA


def test_numbers_go_over_all_files_and_templates_belong_to_their_exporter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = Path(pcap(tmp_path / "one.pcap", [TEMPLATE, DATA], sender="192.0.2.99"))
    other = Path(pcap(tmp_path / "other.pcap", [DATA], sender="192.0.2.98"))
    explain_datagram([one, other], 2, EXPORTER_OPTION)
    lines = printed(capsys)
    assert lines[0].endswith("one.pcap, from 192.0.2.99, 45 octets, captured 2026-11-18T11:06:40.250Z")
    assert any("octetDeltaCount: 77 octets" in line for line in lines)
    explain_datagram([one, other], 3, EXPORTER_OPTION)
    assert any("! template 256 of this exporter is not known" in line for line in printed(capsys))


def test_many_datagrams_before_it_are_learnt_in_blocks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(pcap(tmp_path / "many.pcap", [TEMPLATE, *[b"?" * 30] * 4200, DATA]))
    explain_datagram([path], 4202, EXPORTER_OPTION)
    assert any("octetDeltaCount: 77 octets" in line for line in printed(capsys))


@pytest.mark.parametrize(
    ("number", "why"),
    [(4, "there is no datagram 4: the files have 3"), (0, "counted from 1, so there is no number 0")],
)
def test_a_number_that_is_not_there_is_refused(tmp_path: Path, number: int, why: str) -> None:
    path = Path(pcap(tmp_path / "c.pcap", [TEMPLATE] * 3))
    with pytest.raises(ConfigError, match=why):
        explain_datagram([path], number, EXPORTER_OPTION)


def state_of(*payloads: bytes) -> State:
    state = State()
    decode(Datagrams.of(payloads, EXPORTER, NOW), state, Limits())
    return state


def test_templates_as_tables(capsys: pytest.CaptureFixture[str]) -> None:
    show_templates(state_of(TEN, OPTIONS, TEMPLATE), as_json=False)
    lines = [" ".join(line.split()) for line in printed(capsys)]
    assert [line for line in lines if line.startswith("exporter")] == [
        "exporter 192.0.2.1, NetFlow v9, source id 7, template 256: data",
        "exporter 192.0.2.1, NetFlow v9, source id 7, template 257: options",
        "exporter 192.0.2.1, IPFIX, observation domain 7, template 300: data",
    ]
    for line in (
        "fields: 5, octets of a record: 21",
        "fields: 5, octets of a record: variable",
        "0 sourceIPv4Address 8 0 4 ipv4Address src_addr",
        "3 mplsTopLabelStackSection 70 0 3 octetArray mpls_labels",
        "0 System 1 scope 4",
        "1 interfaceName 82 0 variable string",
        "2 reverseOctetDeltaCount 1 29305 8 unsigned64 bytes",
        "3 enterprise 9999 element 455 455 9999 2",
    ):
        assert line in lines, line
    show_templates(State(), as_json=False)
    assert printed(capsys) == ["no templates"]


def test_templates_as_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show_templates(state_of(TEN, OPTIONS), as_json=True)
    nine, ten = map(json.loads, printed(capsys))
    assert {name: value for name, value in nine.items() if name != "fields"} == {
        "exporter": "192.0.2.1", "protocol": "netflow9", "domain": 7, "template": 257, "options": True,
        "record_octets": 8,
    }  # fmt: skip
    assert nine["fields"][0] == {
        "index": 0, "element": "System", "id": 1, "enterprise": None, "length": 4, "type": "", "columns": [],
    }  # fmt: skip
    assert nine["fields"][1]["columns"] == []  # options data is no flow
    assert (ten["protocol"], ten["record_octets"]) == ("ipfix", None)
    assert ten["fields"][1] == {
        "index": 1, "element": "interfaceName", "id": 82, "enterprise": 0, "length": None, "type": "string",
        "columns": [],
    }  # fmt: skip
    assert [field["columns"] for field in ten["fields"]] == [["bytes"], [], ["bytes"], [], ["dst_port"]]
    show_templates(State(), as_json=True)
    assert printed(capsys) == []


def test_fields_of_vendor_templates_fill_the_columns_of_their_elements(capsys: pytest.CaptureFixture[str]) -> None:
    seen = 0
    for names in GROUPS.values():
        show_templates(state_of(*((CAPTURES / "vendor" / name).read_bytes() for name in names)), as_json=True)
        for told in map(json.loads, printed(capsys)):
            for field in told["fields"]:
                element = ELEMENTS.get((field["enterprise"], field["id"]))
                if element and field["columns"]:
                    assert element.column in field["columns"] or element.column.startswith("icmp")
                    seen += 1
    assert seen > 500
