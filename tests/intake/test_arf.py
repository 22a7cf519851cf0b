"""Feedback reports (RFC 5965)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from intake.read import read
from intake.report import Report
from tests.intake.samples import ARF, NOW, at, known

EXPECTED = Report(
    address=ip_address("192.0.2.1"),
    when=known(at(20, 13), "Fri, 20 Nov 2026 14:00:00 +0100"),
    form="arf",
    port=25123,
    kind="spam",
    reporter="fbl@mailbox.example",
    reference="fbl-1@mailbox.example",
    excerpt="feedback-type: abuse user-agent: SomeGenerator/1.0 version: 1 source-ip: 192.0.2.1 source-port: 25123 "
    "arrival-date: Fri, 20 Nov 2026 14:00:00 +0100 reported-domain: example.net",
)


def test_the_report_is_read_and_neither_its_greeting_nor_the_mail_it_is_about() -> None:
    message = read(ARF, "1.eml", NOW)
    assert message.reports == (EXPECTED,)
    assert message.unread == ()


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_received_date_and_the_top_received_serve_as_well(line_end: bytes) -> None:
    arrival = b"Arrival-Date: Fri, 20 Nov 2026 14:00:00 +0100\n"
    renamed = ARF.replace(b"Arrival-Date", b"Received-Date").replace(b"\n", line_end)
    assert read(renamed, "1.eml", NOW).reports[0].when == EXPECTED.when
    without = ARF.replace(arrival, b"").replace(b"\n", line_end)
    assert read(without, "1.eml", NOW).reports[0].when == known(at(20, 12, 59, 58), "Fri, 20 Nov 2026 13:59:58 +0100")


@pytest.mark.parametrize(
    ("said", "kind"), [("fraud", "phishing"), ("virus", "malware"), ("Abuse", "spam"), ("other", ""), ("opt-out", "")]
)
def test_kinds(said: str, kind: str) -> None:
    octets = ARF.replace(b"Feedback-Type: abuse", f"Feedback-Type: {said}".encode())
    assert read(octets, "1.eml", NOW).reports[0].kind == kind


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"Type: abuse", b"Type: not-spam", "the recipient says that the mail is no spam: nothing is claimed"),
        (b"Source-IP: 192.0.2.1\n", b"", "no address"),
        (b"Source-IP: 192.0.2.1", b"Source-IP: mx.example", "'mx.example' is not an IP address"),
        (b"Fri, 20 Nov 2026 14", b"Fri, 20 Nov 1826 14", "'20 Nov 1826 14:00:00 +0100' is long past"),
    ],
)
def test_what_a_report_can_lack(old: bytes, new: bytes, why: str) -> None:
    message = read(ARF.replace(old, new), "1.eml", NOW)
    assert message.reports == ()
    assert [unread.why.replace("Fri, ", "") for unread in message.unread] == [why]


def test_without_any_time_of_arrival_the_date_of_the_complaint_is_not_taken_for_it() -> None:
    start = ARF.index(b"--part_x\nContent-Type: message/rfc822")
    without = ARF[:start].replace(b"Arrival-Date", b"X-Date") + b"--part_x--\n"
    (unread,) = read(without, "1.eml", NOW).unread
    assert unread.why == "no time: it has no Arrival-Date, and the mail it is about has no Received"
