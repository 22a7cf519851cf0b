"""Free text: fail2ban's mails, log lines of many programs, forms, and prose."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest

from intake.limits import Limits
from intake.read import read
from intake.report import Message, Report, When
from tests.intake.samples import FAIL2BAN, FORM, NOW, at, known, read_text, unsure

MINUTE = timedelta(seconds=59, milliseconds=999)


def mail(text: str, subject: str = "Abuse", date: str = "Fri, 20 Nov 2026 14:05:00 +0100") -> Message:
    """Read a mail of that text."""
    header = f"From: admin@example.net\nSubject: {subject}\nDate: {date}\nMessage-ID: <a@example.net>\n\n"
    return read((header + text).encode(), "1.eml", NOW)


def only(text: str) -> Report:
    """Return the only claim of a text file."""
    message = read_text(text)
    assert message.unread == ()
    (report,) = message.reports
    return report


def test_fail2ban_whole() -> None:
    message = read(FAIL2BAN, "1.eml", NOW)
    assert message.reports == (
        Report(
            address=ip_address("192.0.2.7"),
            when=When(
                at(20, 0, 3, 11),
                at(21, 2, 4, 1),
                "Nov 20 14:03:11 - Nov 20 14:04:01",
                datetime(2026, 11, 20, 14, 3, 11),
            ),
            form="text",
            kind="login_attack",
            reporter="fail2ban@mail.example.net",
            reference="20261120.abc@mail.example.net",
            excerpt="3 lines: Nov 20 14:03:11 mail sshd[1]: Failed password for root from 192.0.2.7 port 51000 ssh2 / "
            "Nov 20 14:03:15 mail sshd[1]: Failed password for root from 192.0.2.7 port 51002 ssh2 / "
            "Nov 20 14:04:01 mail sshd[1]: Failed password for root from 192.0.2.7 port 51004 ssh2",
        ),
    )
    assert message.unread == ()
    assert message.sender == "fail2ban <fail2ban@mail.example.net>"
    assert message.subject == "[Fail2Ban] sshd: banned 192.0.2.7 from mail"


def test_fail2ban_without_log_lines_is_dated_by_the_mail_not_by_the_registry() -> None:
    start, end = FAIL2BAN.index(b"Lines containing"), FAIL2BAN.index(b"Regards")
    (report,) = read(FAIL2BAN[:start] + FAIL2BAN[end:], "1.eml", NOW).reports
    text = "no time; the mail is of 2026-11-20 13:05:00 UTC"
    assert report.when == When(at(19, 13, 5), at(20, 13, 5), text)
    assert report.address == ip_address("192.0.2.7")
    assert report.kind == "login_attack"


def test_a_form_whole() -> None:
    assert only(FORM) == Report(
        address=ip_address("192.0.2.7"),
        when=When(at(20, 13, 3), at(20, 13, 3) + MINUTE, "20.11.2026 14:03"),
        form="text",
        port=51000,
        target=ip_address("198.51.100.1"),
        target_port=22,
        protocol=6,
        excerpt="6 lines: Source IP: 192[.]0[.]2[.]7 / Source port: 51000 / Destination IP: 198.51.100.1 / "
        "Destination port: 22 / Protocol: TCP / Time: 20.11.2026 14:03",
    )


@pytest.mark.parametrize(
    ("line", "port", "target", "target_port", "protocol", "kind"),
    [
        (
            "2026-11-20T14:03:11Z fw kernel: IN=eth0 MAC=00:11:22:33:44:55:66:77:88:99:aa:bb:08:00 SRC=192.0.2.7 "
            "DST=198.51.100.1 LEN=40 PROTO=TCP SPT=51000 DPT=23 SYN", 51000, "198.51.100.1", 23, 6, "port_scan",
        ),
        ("2026-11-20 14:03:11Z IP 192.0.2.7.51000 > 198.51.100.1.22: Flags [S]", 51000, "198.51.100.1", 22, None, ""),
        ("2026-11-20 14:03:11Z TCP 192.0.2.7:51000 -> 198.51.100.1:22", 51000, "198.51.100.1", 22, 6, ""),
        (
            "Nov 20 2026 14:03:11 UTC: %ASA-4-106023: Deny tcp src outside:192.0.2.7/51000 dst inside:198.51.100.1/22",
            51000, "198.51.100.1", 22, 6, "",
        ),
        (
            "Fri Nov 20 14:03:11 UTC 2026 TCP       192.0.2.7 51000 =>    198.51.100.1    22",
            51000, "198.51.100.1", 22, 6, "",
        ),
        ('192.0.2.7 - - [20/Nov/2026:15:03:11 +0100] "POST /wp-login.php" 200 "http://198.51.100.9/"', None, None, None,
         None, "login_attack"),
        (
            "2026-11-20 14:03:11Z sshd: Connection from 192.0.2.7 port 51000 on 198.51.100.1 port 22",
            51000, "198.51.100.1", 22, None, "login_attack",
        ),
        ("2026-11-20 14:03:11Z unknown[192.0.2.7]: SASL LOGIN authentication failed", None, None, None, None,
         "login_attack"),
        ("2026-11-20 14:03:11Z 198.51.100.1 dovecot: auth failed rip: x, client=192.0.2.7", None, None, None, None,
         "login_attack"),
        ("2026-11-20 14:03:11Z attack against 198.51.100.1 from 192.0.2.7 (UDP flood)", None, "198.51.100.1", None, 17,
         "ddos"),
        ("2026-11-20 14:03:11Z our server 198.51.100.1 was scanned by 192.0.2.7", None, "198.51.100.1", None, None,
         "port_scan"),
        ("2026-11-20 14:03:11Z 192.0.2.7 sent us unsolicited mail", None, None, None, None, "spam"),
        ("1795183391.000 from [192.0.2.7]:51000 to port 3389 rdp", 51000, None, 3389, None, "login_attack"),
    ],
)  # fmt: skip
def test_lines_of_logs(
    line: str, port: int | None, target: str | None, target_port: int | None, protocol: int | None, kind: str
) -> None:
    report = only(line)
    assert (report.when.earliest, report.when.latest) == (at(20, 14, 3, 11), at(20, 14, 3, 11))
    assert report == Report(
        ip_address("192.0.2.7"),
        report.when,
        "text",
        port,
        ip_address(target) if target else None,
        target_port,
        protocol,
        kind,
        excerpt=" ".join(line.split()),
    )


def test_five_hundred_lines_about_one_address_are_one_claim() -> None:
    lines = [
        f"2026-11-20T14:{n // 60:02}:{n % 60:02}Z sshd[7]: Failed password from 192.0.2.7 port {40000 + n}"
        for n in range(500)
    ]
    report = only("\n".join(lines))
    assert report.when == When(at(20, 14), at(20, 14, 8, 19), "2026-11-20T14:00:00Z - 2026-11-20T14:08:19Z")
    assert report.port is None
    assert report.excerpt == f"500 lines: {lines[0]} ... {lines[-1]}"


def test_claims_differ_by_target_and_kind_and_keep_a_port_that_all_lines_share() -> None:
    text = (
        "2026-11-20T14:00:00Z SRC=192.0.2.7 DST=198.51.100.1 SPT=4000 DPT=22 PROTO=TCP SYN\n"
        "2026-11-20T14:00:01Z SRC=192.0.2.7 DST=198.51.100.2 SPT=4000 DPT=22 PROTO=TCP SYN\n"
        "2026-11-20T14:00:02Z SRC=192.0.2.7 DST=198.51.100.2 SPT=4000 DPT=23 PROTO=UDP SYN\n"
        "2026-11-20T14:00:03Z SRC=192.0.2.7 DST=198.51.100.2 SPT=4001 DPT=80 brute force\n"
    )
    told = [
        (str(report.target), report.port, report.target_port, report.protocol, report.kind)
        for report in read_text(text).reports
    ]
    assert told == [
        ("198.51.100.1", 4000, 22, 6, "port_scan"),
        ("198.51.100.2", 4000, None, None, "port_scan"),
        ("198.51.100.2", 4001, 80, None, "login_attack"),
    ]


def test_the_subject_says_who_it_is_about() -> None:
    message = mail(
        "Nov 20 14:03:11 198.51.100.1 app: 192.0.2.7 was here\nNov 20 14:03:12 198.51.100.1 app: stopped\n",
        "SSH attack from your IP 192.0.2.7",
    )
    (report,) = message.reports
    assert (report.address, report.kind) == (ip_address("192.0.2.7"), "login_attack")
    assert [unread.why for unread in message.unread] == ["it is not said that 198.51.100.1 did it, as it is of others"]


def test_an_address_in_the_subject_and_times_in_the_text() -> None:
    (report,) = mail("Nov 20 13:03:11 sshd: Failed password for root\nall times are UTC", "abuse: 192.0.2.7").reports
    assert report.when == known(at(20, 13, 3, 11), "Nov 20 13:03:11")


@pytest.mark.parametrize(
    ("text", "whens"),
    [
        ("from 192.0.2.7\n2026-11-20T14:00:00Z\n2026-11-20T15:00:00Z\n", {"192.0.2.7": (at(20, 14), at(20, 15))}),
        (
            "IP: 192.0.2.7\nTime: 2026-11-20T14:00:00Z\n\nIP: 192.0.2.8\nTime: 2026-11-20T15:00:00Z\n",
            {"192.0.2.7": (at(20, 14), at(20, 14)), "192.0.2.8": (at(20, 15), at(20, 15))},
        ),
        (
            "IP: 192.0.2.7\nTime: 2026-11-20T14:00:00Z\nIP: 192.0.2.8\nTime: 2026-11-20T15:00:00Z\n",
            {"192.0.2.7": (at(20, 14), at(20, 14)), "192.0.2.8": (at(20, 15), at(20, 15))},
        ),
        (
            "Time: 2026-11-20T14:00:00Z\nIP: 192.0.2.7\nTime: 2026-11-20T15:00:00Z\nIP: 192.0.2.8\n",
            {"192.0.2.7": (at(20, 14), at(20, 14)), "192.0.2.8": (at(20, 15), at(20, 15))},
        ),
        (
            "At 2026-11-20T14:00:00Z we saw:\n\n192.0.2.7\n\n192.0.2.8\n",
            {"192.0.2.7": (at(20, 14), at(20, 14)), "192.0.2.8": (at(20, 14), at(20, 14))},
        ),
        ("192.0.2.7 between 2026-11-20T14:00:00Z and 2026-11-20T15:00:00Z", {"192.0.2.7": (at(20, 14), at(20, 15))}),
        ("on Fri 20 Nov 2026 14:00:00 UTC 192.0.2.7", {"192.0.2.7": (at(20, 14), at(20, 14))}),
        ("2026-11-20T14:00:00Z fw kernel: 192.0.2.7 hit", {"192.0.2.7": (at(20, 14), at(20, 14))}),
        ("192.0.2.7 on 2026-11-20 UTC", {"192.0.2.7": (at(19, 10), at(21, 11, 59, 59, 999))}),
    ],
)
def test_addresses_and_times_that_stand_apart(text: str, whens: dict[str, tuple[object, object]]) -> None:
    message = read_text(text)
    assert message.unread == ()
    assert {str(report.address): (report.when.earliest, report.when.latest) for report in message.reports} == whens


def test_it_is_not_guessed_which_of_several_times_is_whose() -> None:
    message = read_text("192.0.2.7\n\n192.0.2.8\n\n2026-11-20T14:00:00Z\n\n2026-11-20T15:00:00Z\n")
    assert message.reports == ()
    assert [unread.why for unread in message.unread] == [
        "no time is told for 192.0.2.7, or several, and not which is its own",
        "no time is told for 192.0.2.8, or several, and not which is its own",
    ]


def test_without_any_time_a_mail_dates_what_it_says_and_a_file_does_not() -> None:
    (report,) = mail("192.0.2.7 attacks us with a brute force attack").reports
    assert report.when == When(at(19, 13, 5), at(20, 13, 5), "no time; the mail is of 2026-11-20 13:05:00 UTC")
    (unread,) = read_text("192.0.2.7 attacks us").unread
    assert unread.why == "no time is told for 192.0.2.7, or several, and not which is its own"
    (unread,) = mail("192.0.2.7 attacks us", date="some day").unread
    assert unread.why == "no time is told for 192.0.2.7, or several, and not which is its own"


@pytest.mark.parametrize("written", ["Dec 24 2026 10:00:00", "2026-02-30 10:00:00", "03/04/2026 10:00"])
def test_a_line_whose_time_is_refused_is_not_dated_by_the_mail(written: str) -> None:
    message = mail(f"{written} attack from 192.0.2.7")
    assert message.reports == ()
    (unread,) = message.unread
    assert unread.place == "1.eml line 1"
    assert written in unread.why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("14:03:11 attack from 192.0.2.7", "a time without a date, or in a form that is not read"),
        (
            "11/20-14:03:11.123456 [**] scan [**] {TCP} 192.0.2.7:51000 -> 198.51.100.1:22",
            "a time without a date, or in a form that is not read",
        ),
        (
            "-- Forwarded message --\nFrom: CERT <c@cert.example>\nDate: Tue, 17 Nov 2026 10:00:00 +0000\n"
            "Subject: attack\nTo: noc@isp.example\n\nfrom 192.0.2.7\n",
            "no time is told for 192.0.2.7, or several, and not which is its own",
        ),
        (
            "On Tue, 17 Nov 2026 at 10:00:00 CERT wrote:\n> attack from 192.0.2.7\n",
            "no time is told for 192.0.2.7, or several, and not which is its own",
        ),
    ],
)
def test_a_mail_does_not_date_what_has_a_time_that_is_not_read_or_what_it_quotes(text: str, why: str) -> None:
    message = mail(text)
    assert message.reports == ()
    assert [unread.why for unread in message.unread] == [why]


def test_a_complaint_about_copies_has_its_port_in_xml() -> None:
    text = (
        "<Source>\n<TimeStamp>2026-11-20T14:03:11Z</TimeStamp>\n<IP_Address>192.0.2.7</IP_Address>\n"
        "<Port>51413</Port>\n</Source>\n\nInfringement of copyright\n"
    )
    report = only(text)
    assert (str(report.address), report.port, report.kind) == ("192.0.2.7", 51413, "copyright")
    assert report.when == known(at(20, 14, 3, 11), "2026-11-20T14:03:11Z")


def test_quoted_mails_and_registries_claim_nothing() -> None:
    text = (
        "On Thu, 19 Nov 2026 at 10:00, 198.51.100.9 wrote:\n"
        "> Report generated: 2026-11-20T23:00:00Z\n"
        "route: 198.51.100.0\n"
        "2026-11-20T14:00:00Z 192.0.2.7 login failed\n"
    )
    report = only(text)
    assert (report.address, report.when) == (ip_address("192.0.2.7"), known(at(20, 14), "2026-11-20T14:00:00Z"))


def test_our_hosts_and_those_in_the_trace_of_a_mail_did_not_do_it() -> None:
    message = mail(
        "Logs from our webserver www.example.org (198.51.100.1):\n\n192.0.2.7 - - [20/Nov/2026:14:03:11 +0000] GET /\n"
    )
    assert [str(report.address) for report in message.reports] == ["192.0.2.7"]
    message = mail(
        "Mail from 192.0.2.7 / Fri, 20 Nov 2026 14:03:11 +0000\n\n"
        "Received: from mail.y.example (mail.y.example [192.0.2.7])\n\tby mx.example.net (198.51.100.1);\n"
        "\tFri, 20 Nov 2026 14:03:12 +0000\n"
        "Received: from [10.0.0.5] by mail.y.example; Fri, 20 Nov 2026 14:00:00 +0000\n",
        "spam",
    )
    assert [(str(report.address), report.when) for report in message.reports] == [
        ("192.0.2.7", known(at(20, 14, 3, 11), "Fri, 20 Nov 2026 14:03:11 +0000"))
    ]


@pytest.mark.parametrize(
    "text",
    ["Hello, please help.", "OpenSSH 8.9.1.2 and localhost 127.0.0.1 at 2026-11-20T14:00:00Z",
     "see hxxp://192[.]0[.]2[.]7/evil at 2026-11-20T14:00:00Z", "to 198.51.100.1 at 2026-11-20T14:00:00Z"],
)  # fmt: skip
def test_a_text_without_a_source_says_so(text: str) -> None:
    (unread,) = read_text(text, "a.txt").unread
    assert (unread.place, unread.why) == ("a.txt", "no IP address of a source is in it")
    assert unread.excerpt == text


def test_a_zone_that_a_text_states_is_that_of_its_lines_and_a_zone_can_be_assumed() -> None:
    line = "Nov 20 14:03:11 host sshd[1]: Failed password from 192.0.2.7 port 51000"
    assert only(line).when == unsure(at(20, 14, 3, 11), "Nov 20 14:03:11")
    assert only(f"All times are GMT+1.\n\n{line}").when == known(at(20, 13, 3, 11), "Nov 20 14:03:11")
    (report,) = read(line.encode(), "x", NOW, NOW.tzinfo).reports
    assert report.when == known(at(20, 14, 3, 11), "Nov 20 14:03:11")


@pytest.mark.parametrize(
    ("subject", "reference"),
    [
        ("Abuse report [CERT#4711] for 192.0.2.7", "CERT#4711"),
        ("Ticket: 20261120-17", "20261120-17"),
        ("complaint #99017", "99017"),
        ("Incident 192.0.2.7", "a@example.net"),
        ("[Fail2Ban] 2026-11-20", "a@example.net"),
    ],
)
def test_the_reference_is_a_ticket_of_the_subject_or_the_message_id(subject: str, reference: str) -> None:
    (report,) = mail("2026-11-20T14:00:00Z from 192.0.2.7", subject).reports
    assert report.reference == reference


def test_lines_and_addresses_are_bounded() -> None:
    limits = Limits(lines=3, line=80, text_claims=2)
    text = "x" * 81 + "192.0.2.1\n" + "".join(f"2026-11-20T14:00:00Z from 192.0.2.{n}\n" for n in range(2, 9))
    message = read(text.encode(), "a.txt", NOW, limits=limits)
    assert [str(report.address) for report in message.reports] == ["192.0.2.2", "192.0.2.3"]
    assert message.problems == (
        "a.txt: lines of more than 80 characters are not read",
        "a.txt: only its first 3 lines are read: split it",
    )
    message = read(text.encode(), "a.txt", NOW, limits=Limits(text=200))
    assert [str(report.address) for report in message.reports] == ["192.0.2.2", "192.0.2.3", "192.0.2.4"]
    assert message.problems == ("a.txt: only 200 characters of free text are read: split it",)
    message = read(text.encode(), "a.txt", NOW, limits=Limits(text_claims=2))
    assert len(message.reports) == 2
    assert message.problems == ("a.txt: only its first 2 claims are read: split it",)
