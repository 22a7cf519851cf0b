"""XARF, versions 4 and 3, as files and in mails."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from intake.read import read
from intake.report import Report, When
from tests.intake.samples import NOW, XARF3, XARF4, at, known, mailed, unsure

OF_4 = Report(
    address=ip_address("192.0.2.155"),
    when=When(at(20, 8, 45), at(20, 9, 30, 0, 250), "2026-11-20T08:45:00Z - 2026-11-20T09:30:00.250Z"),
    form="xarf4",
    port=40001,
    target=ip_address("203.0.113.100"),
    target_port=80,
    protocol=6,
    kind="ddos",
    packets=11250000,
    octets=3240000000,
    reporter="DDoS Watch",
    reference="9ac39cd1-85f3-4c31-ae87-a0a95f3ebc83",
    excerpt="SYN flood of 45 minutes",
)
OF_3 = Report(
    address=ip_address("192.0.2.55"),
    when=When(at(20, 14, 10), at(20, 14, 17, 10), "2026-11-20T14:10:00+00:00 - 2026-11-20T14:17:10Z"),
    form="xarf3",
    port=54321,
    target=ip_address("198.51.100.33"),
    target_port=80,
    protocol=6,
    kind="port_scan",
    packets=100,
    octets=20000,
    reporter="ExampleOrg",
    reference="case-7",
    excerpt="ReportClass=Activity ReportType=PortScan ReporterCaseID=case-7 Date=2026-11-20T14:17:10Z "
    "FirstSeen=2026-11-20T14:10:00+00:00 SourceIp=192.0.2.55 SourcePort=54321 DestinationIp=198.51.100.33 "
    "TransportProtocol=tcp ByteCount=20000 PacketCount=100",
)


def one(document: object) -> Report:
    """Return the only report of a document."""
    message = read(json.dumps(document).encode(), "x.json", NOW)
    assert message.unread == ()
    (report,) = message.reports
    return report


def refused(document: object) -> str:
    """Return why a document is unread."""
    message = read(json.dumps(document).encode(), "x.json", NOW)
    assert message.reports == ()
    (unread,) = message.unread
    return unread.why


def test_version_4_whole() -> None:
    assert one(XARF4) == OF_4


def test_version_3_whole() -> None:
    assert one(XARF3) == OF_3


def test_lists_and_documents_one_after_the_other_whose_faults_cost_only_themselves() -> None:
    broken = {**XARF4, "source_identifier": "evil.example"}
    message = read(json.dumps([XARF4, broken, XARF3]).encode(), "x", NOW)
    assert message.reports == (OF_4, OF_3)
    assert [unread.place for unread in message.unread] == ["x report 2"]
    lines = "\n".join(map(json.dumps, (XARF4, XARF3)))
    assert read(lines.encode(), "x.jsonl", NOW).reports == (OF_4, OF_3)


def test_in_a_mail_it_is_read_and_the_text_beside_it_is_not() -> None:
    octets = mailed(
        ("xarf.json", "application/json", json.dumps(XARF4).encode()), text="2026-11-20 10:00:00Z from 198.51.100.99"
    )
    message = read(octets, "1.eml", NOW)
    assert message.reports == (OF_4,)
    assert message.sender == "Jörg Müller <desk@cert.example>"
    assert message.subject == "[CERT #20261120] Überlast von Ihren Adressen"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, known(at(20, 9, 21, 23), "2026-11-20T09:21:23Z")),
        (
            {"first_seen": "2026-11-20T09:00:00Z"},
            When(at(20, 9), at(20, 9, 21, 23), "2026-11-20T09:00:00Z - 2026-11-20T09:21:23Z"),
        ),
        (
            {"first_seen": "2026-11-20T09:00:00Z", "duration_seconds": 2700},
            When(at(20, 9), at(20, 9, 45), "2026-11-20T09:00:00Z for 2700 s"),
        ),
        ({"first_seen": "2026-11-20T10:00:00Z"}, known(at(20, 10), "2026-11-20T10:00:00Z")),
        ({"timestamp": "2026-11-20T09:21:23"}, unsure(at(20, 9, 21, 23), "2026-11-20T09:21:23")),
    ],
)
def test_times_of_version_4(given: dict[str, object], expected: When) -> None:
    document = {name: value for name, value in XARF4.items() if name not in ("first_seen", "last_seen")}
    assert one(document | given).when == expected


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"xarf_version": "5.0.0"}, "XARF of version '5.0.0', where 4.x was expected"),
        ({"xarf_version": 4}, "XARF of version '4', where 4.x was expected"),
        (
            {"source_identifier": "evil.example"},
            "the source: 'evil.example' is not an IP address; only addresses can be looked up among flows",
        ),
        ({"source_identifier": None}, "no source address"),
        ({"first_seen": "soon"}, "'soon' is not a time; write it as 2026-11-20T14:03:11Z"),
        (
            {"last_seen": "2026-11-19T00:00:00Z"},
            "'2026-11-20T08:45:00Z - 2026-11-19T00:00:00Z' ends before it begins",
        ),
        (
            {"timestamp": 5, "first_seen": None, "last_seen": None},
            "no time: it has neither 'first_seen' nor 'timestamp'",
        ),
    ],
)
def test_what_version_4_lacks(given: dict[str, object], why: str) -> None:
    assert refused(XARF4 | given) == why


def test_what_is_optional_may_be_wrong() -> None:
    wrong = {
        "source_identifier": "[2001:db8::7]:4711", "source_port": "x", "destination_ip": 7, "destination_port": 70000,
        "protocol": "smtp", "type": "<script>", "packet_count": -1, "byte_count": True, "reporter": "me",
        "report_id": ["a"], "description": None,
    }  # fmt: skip
    report = one(XARF4 | wrong)
    assert report == Report(
        ip_address("2001:db8::7"), OF_4.when, "xarf4", 4711, reporter="Relay", excerpt=report.excerpt
    )
    assert "secret" not in report.excerpt
    assert "_internal" not in report.excerpt


def test_a_type_that_is_newer_than_the_list_is_kept() -> None:
    assert one(XARF4 | {"type": "quantum_attack"}).kind == "quantum_attack"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("LoginAttack", "login_attack"), ("Login-Attack", "login_attack"), ("DOS", "ddos"), ("ddos", "ddos"),
     ("OpenService", "open_service"), ("Trademark", "brand_infringement"), ("WebCrawler", "scraping"), ("Exploit", "")],
)  # fmt: skip
def test_types_of_version_3_are_called_as_in_version_4(name: str, kind: str) -> None:
    assert one(XARF3 | {"Report": XARF3["Report"] | {"ReportType": name}}).kind == kind


def test_the_dialect_of_version_3_with_a_source_object() -> None:
    document = {
        "Version": "3.0.0",
        "ReporterInfo": {"ReporterOrgEmail": "noc@example.com"},
        "Report": {
            "ReportClass": "Connection",
            "ReportType": "ddos",
            "Date": "2026-11-20T11:00:00Z",
            "Source": {"IP": "203.0.113.50", "Port": 12345},
            "DestinationIp": "198.51.100.10",
            "DestinationPort": [80, 443],
            "AdditionalInfo": {"Protocol": "udp", "PacketCount": 1500000},
            "ReporterNotes": "reflection",
        },
    }
    assert one(document) == Report(
        ip_address("203.0.113.50"), known(at(20, 11), "2026-11-20T11:00:00Z"), "xarf3", 12345,
        ip_address("198.51.100.10"), None, 17, "ddos", 1500000, None, "noc@example.com", "", "reflection",
    )  # fmt: skip


@pytest.mark.parametrize("document", [{"ip": "192.0.2.7"}, {"Report": []}, 7, "x", None, ["a"]])
def test_other_json_is_no_report(document: object) -> None:
    octets = json.dumps(document if isinstance(document, dict | list) else [document]).encode()
    (unread,) = read(octets, "x.json", NOW).unread
    assert unread.why == "JSON, but no XARF report: it has neither 'xarf_version' nor 'Report'"


def test_broken_json_says_where() -> None:
    (unread,) = read(b'{"xarf_version": "4.0.0",\n "type": ddos}', "x", NOW).unread
    assert unread.why == "not valid JSON: Expecting value, line 2"


def test_a_text_that_begins_with_a_bracket_is_no_json() -> None:
    (report,) = read(b"[20/Nov/2026:14:03:11 +0000] 192.0.2.7 GET /", "access.log", NOW).reports
    assert report.when == known(datetime(2026, 11, 20, 14, 3, 11, tzinfo=UTC), "20/Nov/2026:14:03:11 +0000")
