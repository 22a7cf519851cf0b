"""Tables: Shadowserver's reports and anyone's CSV, with a header or without."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from intake.limits import Limits
from intake.read import read
from intake.report import Report, When
from tests.intake.samples import CSV, NOW, SHADOWSERVER, at, known, mailed, read_text, unsure


def shadowserver(name: str) -> list[str]:
    """Return the kinds of the sample's rows in a file of that name."""
    return [report.kind for report in read_text(SHADOWSERVER, name).reports]


def test_shadowserver_whole() -> None:
    first = Report(
        address=ip_address("192.0.2.7"),
        when=known(at(20, 0, 0, 2), "2026-11-20 00:00:02"),
        form="shadowserver",
        port=4717,
        target=ip_address("198.51.100.9"),
        target_port=23,
        protocol=6,
        kind="port_scan",
        reporter="Shadowserver",
        reference="e-1",
        excerpt='"2026-11-20 00:00:02","high","tcp","192.0.2.7",4717,64500,"ZZ","198.51.100.9",23,"mirai","mirai;iot",'
        '"e-1"',
    )
    second = Report(
        address=ip_address("2001:db8::7"),
        when=known(at(20, 0, 0, 3), "2026-11-20 00:00:03"),
        form="shadowserver",
        port=53,
        target_port=5555,
        protocol=17,
        kind="port_scan",
        reporter="Shadowserver",
        excerpt='"2026-11-20 00:00:03","high","udp","2001:db8::7",53,64500,"ZZ",,5555,"mirai",,',
    )
    message = read_text(SHADOWSERVER, "2026-11-20-event4_honeypot_darknet-isp-asn.csv")
    assert (message.reports, message.unread) == ((first, second), ())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("2026-11-20-event4_honeypot_brute_force-isp.csv", "login_attack"),
        ("2026-11-20-event4_ddos_participant-isp.csv", "ddos"),
        ("2026-11-20-event4_honeypot_ddos_amp-isp.csv", ""),
        ("2026-11-20-event4_sinkhole_http-isp.csv", "botnet"),
        ("2026-11-20-scan_adb-isp.csv", "open_service"),
        ("2026-11-20-scan6_rdp-isp.csv", "open_service"),
        ("2026-11-20-compromised_website-isp.csv", "compromised_server"),
        ("2026-11-20-blocklist-isp.csv", "blocklist"),
        ("report.csv", ""),
    ],
)
def test_shadowserver_kinds_by_the_name_of_the_report(name: str, kind: str) -> None:
    assert shadowserver(name) == [kind, kind]


def test_shadowserver_kinds_by_tags() -> None:
    text = SHADOWSERVER.replace('"mirai",,', '"ddos-participant",,').replace("mirai;iot", "ssh-brute-force")
    assert [report.kind for report in read_text(text).reports] == ["login_attack", "ddos"]


def test_an_older_report_without_event_columns_and_with_an_end() -> None:
    text = (
        "timestamp,ip,protocol,port,hostname,tag,asn,geo,end_time\n"
        "2026-11-20 02:07:16,192.0.2.9,tcp,5555,x.example,adb,64500,ZZ\n"
        "2026-11-20 02:07:17,192.0.2.9,tcp,5555,x.example,adb,64500,ZZ,2026-11-20 02:08:00\n"
    )
    reports = read_text(text, "2026-11-20-scan_adb.csv").reports
    assert [report.when for report in reports] == [
        known(at(20, 2, 7, 16), "2026-11-20 02:07:16"),
        When(at(20, 2, 7, 17), at(20, 2, 8), "2026-11-20 02:07:17 - 2026-11-20 02:08:00"),
    ]
    assert {(report.port, report.protocol, report.kind) for report in reports} == {(5555, 6, "open_service")}


def test_timestamp_and_ip_alone_do_not_make_a_report_of_shadowserver() -> None:
    text = "timestamp,ip\n2026-11-20 02:07:16,192.0.2.9\n"
    (report,) = read_text(text).reports
    assert (report.form, report.when.is_sure) == ("csv", False)
    sent = mailed(("a.csv", "text/csv", text.encode())).replace(b"desk@cert.example", b"autoreports@shadowserver.org")
    (report,) = read(sent, "1.eml", NOW).reports
    assert (report.form, report.when.is_sure) == ("shadowserver", True)


FIRST = Report(
    address=ip_address("192.0.2.7"),
    when=known(at(20, 13, 3, 11), "2026-11-20T14:03:11+01:00"),
    form="csv",
    port=51000,
    target=ip_address("198.51.100.1"),
    target_port=22,
    protocol=6,
    kind="login_attack",
    packets=12,
    octets=3400,
    excerpt="192.0.2.7,51000,198.51.100.1,22,2026-11-20T14:03:11+01:00,tcp,ssh brute force,12,3400",
)
SECOND = Report(
    address=ip_address("192.0.2.8"),
    when=unsure(at(20, 14, 4), "2026-11-20 14:04:00"),
    form="csv",
    protocol=17,
    kind="port_scan",
    excerpt="192.0.2.8,,,,2026-11-20 14:04:00,udp,port scan,,",
)


def test_csv_whole() -> None:
    message = read_text(CSV)
    assert (message.reports, message.unread, message.problems) == ((FIRST, SECOND), (), ())


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters(delimiter: str) -> None:
    reports = read_text(CSV.replace(",", delimiter)).reports
    assert [(report.address, report.when) for report in reports] == [
        (FIRST.address, FIRST.when), (SECOND.address, SECOND.when),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "header",
    ["Source IP,Source Port,Time,Destination", "src-ip;src port;Timestamp (UTC);dst", "# attacker\tsport\tseen\ttarget",
     "\ufeffIP Address,Port,Date/Time,Victim IP"],
)  # fmt: skip
def test_names_of_columns_are_taken_tolerantly(header: str) -> None:
    delimiter = next(character for character in ";\t," if character in header)
    row = delimiter.join(("192.0.2.7", "51000", "2026-11-20T14:03:11Z", "198.51.100.1"))
    (report,) = read_text(f"{header}\r\n{row}\r\n").reports
    assert (report.address, report.port, report.target) == (
        ip_address("192.0.2.7"), 51000, ip_address("198.51.100.1"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("ip,time,tz", "2026-11-20 14:03:11,+02:00", known(at(20, 12, 3, 11), "2026-11-20 14:03:11")),
        ("ip,time,tz", "2026-11-20 15:03:11,Europe/Berlin", known(at(20, 14, 3, 11), "2026-11-20 15:03:11")),
        ("ip,time,tz", "2026-11-20 14:03:11,IST", unsure(at(20, 14, 3, 11), "2026-11-20 14:03:11")),
        ("ip,time_utc", "2026-11-20 14:03:11", known(at(20, 14, 3, 11), "2026-11-20 14:03:11")),
        ("ip,date,time", "2026-11-20,14:03:11", unsure(at(20, 14, 3, 11), "2026-11-20 14:03:11")),
        ("ip,date,timestamp", "2026-11-20,1795183391", known(at(20, 14, 3, 11), "1795183391")),
        ("ip,epoch", "1795183391", known(at(20, 14, 3, 11), "1795183391")),
        (
            "ip,first_seen,last_seen",
            "2026-11-20T14:00:00Z,2026-11-20T15:00:00Z",
            When(at(20, 14), at(20, 15), "2026-11-20T14:00:00Z - 2026-11-20T15:00:00Z"),
        ),
        (
            "ip,time,last_seen",
            "2026-11-20T14:00:00Z,2026-11-20T15:00:00Z",
            When(at(20, 14), at(20, 15), "2026-11-20T14:00:00Z - 2026-11-20T15:00:00Z"),
        ),
        ("ip,first_seen,last_seen", "2026-11-20T14:00:00Z,", known(at(20, 14), "2026-11-20T14:00:00Z")),
    ],
)
def test_times_and_zones_of_columns(header: str, cells: str, expected: When) -> None:
    (report,) = read_text(f"{header}\n192.0.2.7,{cells}\n").reports
    assert report.when == expected


@pytest.mark.parametrize(
    ("header", "ports"),
    [("src,dst,note,port", (None, None)), ("src,port,dst,note", (22, None)), ("src,note,dst,port", (None, 22))],
)
def test_beside_two_addresses_a_port_is_that_of_the_one_it_follows(header: str, ports: tuple[int, int]) -> None:
    cells = {"src": "192.0.2.7", "dst": "198.51.100.1", "note": "x", "port": "22"}
    row = ",".join(cells[name] for name in header.split(","))
    (report,) = read_text(f"{header},time\n{row},2026-11-20T14:00:00Z\n").reports
    assert (report.port, report.target_port) == ports


def test_tables_without_a_header_are_told_by_what_stands_in_them() -> None:
    message = read_text("192.0.2.7;x;20.11.2026 14:03:00\n2001:db8::7;y;20.11.2026 14:04:00\n")
    assert [(str(report.address), report.when) for report in message.reports] == [
        ("192.0.2.7", unsure(at(20, 14, 3), "20.11.2026 14:03:00")),
        ("2001:db8::7", unsure(at(20, 14, 4), "20.11.2026 14:04:00")),
    ]
    assert {report.form for report in message.reports} == {"csv"}


def test_every_row_that_cannot_be_read_is_named_with_a_reason_and_costs_no_other() -> None:
    text = (
        "ip,time,note\n"
        "192.0.2.1,,x\n"
        "evil.example,2026-11-20T14:00:00Z,x\n"
        "192.0.2.2,2026-11-20T14:00:00Z,a,b\n"
        "\n"
        "# a comment\n"
        "192.0.2.3,03/04/2026 10:00,x\n"
        '192.0.2.4,2026-11-20T14:00:00Z,"never closed\n'
        '192.0.2.5,2026-11-20T14:00:01Z,"two\nlines"\n'
        '192.0.2.6,2026-11-20T14:00:02Z,5" disk\n'
    )
    message = read_text(text, "list.csv")
    assert [str(report.address) for report in message.reports] == ["192.0.2.4", "192.0.2.5", "192.0.2.6"]
    assert [(unread.place, unread.why) for unread in message.unread] == [
        ("list.csv line 2", "no time"),
        ("list.csv line 3", "'evil.example' is not an IP address"),
        ("list.csv line 4", "4 cells, where the first row has 3"),
        (
            "list.csv line 7",
            "'03/04/2026 10:00' can be read as day/month or as month/day; write 2026-11-20",
        ),
    ]
    assert message.unread[0].excerpt == "192.0.2.1,,x"


def test_the_same_claim_twice_is_one_and_its_digest_is_the_same_in_another_form() -> None:
    row = "192.0.2.7,51000,2026-11-20T14:03:11Z\n"
    (report,) = read_text(f"ip,port,time\n{row}{row}").reports
    (other,) = read_text("2026-11-20T14:03:11Z from 192.0.2.7 port 51000").reports
    assert (report.form, other.form) == ("csv", "text")
    assert report.digest == other.digest
    (later,) = read_text("ip,port,time\n192.0.2.7,51000,2026-11-20T14:03:12Z\n").reports
    assert later.digest != report.digest


def test_rows_and_unread_places_are_bounded_and_counted() -> None:
    limits = Limits(rows=5, unread=2)
    text = "ip,time\n" + "".join(f"192.0.2.{number},2026-11-20T14:00:00Z\n" for number in range(1, 9))
    message = read(text.encode(), "a.csv", NOW, limits=limits)
    assert len(message.reports) == 5
    assert message.problems == ("a.csv: only its first 5 rows are read: split the file",)
    message = read(b"ip,time\n" + b"192.0.2.1,\n" * 5, "a.csv", NOW, limits=limits)
    assert [unread.why for unread in message.unread] == [
        "no time", "no time", "3 more places cannot be read, for such reasons",
    ]  # fmt: skip


def test_lines_are_counted_from_the_top_of_the_file() -> None:
    message = read_text("\n\n# made by x\nip,time\n\n192.0.2.1,\n")
    assert [(unread.place, unread.why) for unread in message.unread] == [("report.txt line 6", "no time")]


def test_a_table_without_rows() -> None:
    (unread,) = read_text("ip,time\n", "a.csv").unread
    assert (unread.place, unread.why) == ("a.csv", "a table without rows")


def test_thousands_of_rows() -> None:
    rows = (
        f"192.0.{n >> 8}.{n & 255},{n},2026-11-20 {n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}\n" for n in range(5_000)
    )
    message = read_text("ip,port,time\n" + "".join(rows))
    assert len(message.reports) == 5_000
    assert message.reports[-1].when == unsure(at(20, 1, 23, 19), "2026-11-20 01:23:19")
