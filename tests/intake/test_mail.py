"""Mails: their parts, encodings and archives."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from intake.limits import Limits
from intake.read import read
from intake.report import Message
from tests.intake.samples import ARF, CSV, FAIL2BAN, FORM, NOW, SHADOWSERVER, XARF4, at, known, mailed, zipped

LINE = "2026-11-20T14:03:11Z from 192.0.2.7"
WHEN = known(at(20, 14, 3, 11), "2026-11-20T14:03:11Z")


def addresses(message: Message) -> list[str]:
    """Return the addresses of the claims."""
    return [str(report.address) for report in message.reports]


def raw(body: bytes, *fields: str) -> bytes:
    """Return a mail with these fields and that body."""
    head = "\r\n".join(("From: a@b.example", "Subject: x", *fields))
    return head.encode() + b"\r\n\r\n" + body


def test_attachments_of_every_form_are_read_and_the_text_beside_them_is_not() -> None:
    octets = mailed(
        ("a.csv", "text/csv", CSV.encode()),
        ("b.json", "application/json", json.dumps(XARF4).encode()),
        ("2026-11-20-scan_adb.csv", "application/octet-stream", SHADOWSERVER.encode()),
        ("c.gz", "application/gzip", gzip.compress(b"ip,time\n192.0.2.99,2026-11-20T14:00:00Z\n")),
        ("d.zip", "application/zip", zipped({"e.csv": b"ip,time\n192.0.2.98,2026-11-20T14:00:00Z\n"})),
        text=LINE,
    )
    message = read(octets, "1.eml", NOW)
    assert addresses(message) == [
        "192.0.2.7", "192.0.2.8", "192.0.2.155", "192.0.2.7", "2001:db8::7", "192.0.2.99", "192.0.2.98",
    ]  # fmt: skip
    assert [report.form for report in message.reports] == [
        "csv", "csv", "xarf4", "shadowserver", "shadowserver", "csv", "csv",
    ]  # fmt: skip
    assert {report.reference for report in message.reports} == {"20261120", XARF4["report_id"], "e-1"}
    assert message.reports[0].reporter == "desk@cert.example"
    assert (message.unread, message.problems) == ((), ())


def test_free_text_is_read_where_an_attachment_gives_nothing_and_the_attachment_is_named() -> None:
    octets = mailed(
        ("a.csv", "text/csv", b"ip,time\n192.0.2.9,\n"), ("scan.pdf", "application/pdf", b"%PDF-1.7 x"), text=LINE
    )
    message = read(octets, "1.eml", NOW)
    assert addresses(message) == ["192.0.2.7"]
    assert [(unread.place, unread.why) for unread in message.unread] == [
        ("1.eml a.csv line 2", "no time"),
        ("1.eml scan.pdf", "no text (application/pdf): ask for text, CSV or JSON"),
    ]


def test_a_mail_in_a_mail_has_its_own_sender_and_date() -> None:
    octets = mailed(("fwd.eml", "application/octet-stream", FAIL2BAN), text="please handle")
    (report,) = read(octets, "1.eml", NOW).reports
    assert report.reporter == "fail2ban@mail.example.net"
    inner = raw(
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + ARF + b"\r\n--b--",
        "Content-Type: multipart/digest; boundary=b",
    )
    assert [report.form for report in read(inner, "1.eml", NOW).reports] == ["arf"]


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("Content-Transfer-Encoding: base64", base64.encodebytes(LINE.encode())),
        ("Content-Transfer-Encoding: quoted-printable", LINE.replace("=", "=3D").replace("f", "=66").encode()),
        ("Content-Transfer-Encoding: 8bit", LINE.encode()),
        ("Content-Transfer-Encoding: nonsense", LINE.encode()),
        ("Content-Type: text/plain; charset=utf-16-le", LINE.encode("utf-16-le")),
        ("Content-Type: text/plain; charset=utf-7", LINE.encode("utf-7")),
        ("Content-Type: text/plain; charset=no-such-thing", LINE.encode()),
        ("Content-Type: text/plain; charset=rot13", LINE.encode()),
        ("Content-Type: text/plain; charset=\"\x00\"", LINE.encode()),
        ("Content-Type: text/plain", LINE.encode("utf-16")),
        ("Content-Type: text/html", f"<html><p>At <b>{LINE}</b><br>".encode()),
        ("Content-Type: ;;;=", LINE.encode()),
    ],
)  # fmt: skip
def test_encodings_and_charsets(field: str, body: bytes) -> None:
    message = read(raw(body, field), "1.eml", NOW)
    assert [(str(report.address), report.when) for report in message.reports] == [("192.0.2.7", WHEN)]


def test_a_multipart_without_a_boundary_holds_nothing() -> None:
    (unread,) = read(raw(LINE.encode(), "Content-Type: multipart/mixed"), "1.eml", NOW).unread
    assert unread.why == "no IP address of a source is in it"


def test_html_is_read_as_it_is_shown() -> None:
    page = (
        "<!DOCTYPE html><html><head><title>from 192.0.2.99</title><style>p {}</style></head><body>"
        "<script>var a = 'from 192.0.2.98 2026-11-20T14:00:00Z';</script><!-- from 192.0.2.97 -->"
        "<table><tr><td>from&nbsp;192&#46;0&period;2.7<td>2026-11-20T14:03:11Z</tr>"
        "<tr><td title='a>b'>1 &lt; 2<td>&#99999999999999; &amp;</table><img src='http://192.0.2.96/'>"
    )
    (report,) = read(page.encode(), "page.html", NOW).reports
    assert (str(report.address), report.when) == ("192.0.2.7", WHEN)
    assert report.excerpt == "from 192.0.2.7 2026-11-20T14:03:11Z"


def test_of_alternatives_the_plain_one_is_read() -> None:
    plain = f"--b\nContent-Type: text/plain\n\n{LINE}\n"
    page = f"--b\nContent-Type: text/html\n\n<p>{LINE} <a>198.51.100.1</a></p>\n--b--\n"
    body = plain + page
    message = read(raw(body.encode(), "Content-Type: multipart/alternative; boundary=b"), "1.eml", NOW)
    assert addresses(message) == ["192.0.2.7"]


def test_names_and_subjects_are_decoded_and_safe_to_print() -> None:
    octets = (
        b"From: =?utf-8?q?J=C3=B6rg=1B=5B31m?= <j@b.example>\nSubject: =?iso-8859-1?q?=DCber?=\n"
        b" =?broken?x?y?= \x1b]0;title\x07 \xe2\x80\xae evil \xff\nMIME-Version: 1.0\n\n" + LINE.encode()
    )
    message = read(octets, "1.eml", NOW)
    assert message.sender == "Jörg <j@b.example>"
    assert message.subject.startswith("Über")
    assert message.subject.isprintable()


def test_a_part_that_ends_in_the_middle_loses_its_last_line_not_half_of_it() -> None:
    rows = b"ip,time\n192.0.2.1,2026-11-20T14:00:00Z\n192.0.2.22,2026-11-20T14:00:00Z\n"
    encoded = base64.b64encode(rows)
    cut = raw(encoded[:-6], "Content-Type: text/csv", "Content-Transfer-Encoding: base64")
    message = read(cut, "1.eml", NOW)
    assert addresses(message) == ["192.0.2.1"]
    assert message.problems == ("1.eml ends in the middle: its last line is not read",)
    stored = gzip.compress(rows, compresslevel=0)
    message = read(stored[:-30], "a.csv.gz", NOW)
    assert addresses(message) == ["192.0.2.1"]
    assert message.problems == ("a.csv.gz ends in the middle: its last line is not read",)
    open_end = raw(b"--b\nContent-Type: text/csv\n\n" + rows[:-25], "Content-Type: multipart/mixed; boundary=b")
    message = read(open_end, "1.eml", NOW)
    assert addresses(message) == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"PK\x03\x04 broken", "a broken zip archive (File is not a zip file): ask for it again"),
        (b"\x1f\x8b\x08 broken", "a broken gzip file (Error -3 while decompressing data: unknown header flags set): "
         "ask for it again"),
        (zipped({"[Content_Types].xml": b"x", "sheet.xml": b"y"}), "an Office document: ask for text or CSV"),
        (b"\x00\x01\x02" * 100, "no text: ask for text, CSV or JSON"),
    ],
)  # fmt: skip
def test_files_that_are_no_text(octets: bytes, why: str) -> None:
    (unread,) = read(octets, "a.bin", NOW).unread
    assert unread.why == why


def test_an_encrypted_archive_says_so() -> None:
    octets = bytearray(zipped({"a.csv": b"ip,time\n"}))
    octets[6] |= 1
    octets[octets.index(b"PK\x01\x02") + 8] |= 1
    (unread,) = read(bytes(octets), "a.zip", NOW).unread
    assert (unread.place, unread.why) == ("a.zip a.csv", "is encrypted: ask for it without a password")


def test_an_archive_without_text_and_an_empty_file() -> None:
    assert read(zipped({}), "a.zip", NOW).unread[0].why == "no IP address of a source is in it"
    assert read(b"", "a.txt", NOW).unread[0].why == "no IP address of a source is in it"
    assert read(b" \n \x00", "", NOW).unread[0].place == "the message"


def test_a_text_with_fields_like_a_mail_is_none() -> None:
    message = read(FORM.replace("Hello,", "From: 192.0.2.7").encode(), "form.txt", NOW)
    assert message.sender == ""
    assert addresses(message) == ["192.0.2.7"]


def test_images_and_signatures_are_passed_over() -> None:
    octets = mailed(
        ("logo.png", "image/png", b"\x89PNG\x00\x00\x00"), ("s.p7s", "application/pkcs7-signature", b"\x00"), text=LINE
    )
    message = read(octets, "1.eml", NOW)
    assert (addresses(message), message.unread) == (["192.0.2.7"], ())


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (Limits(parts=2), "only the first 2 parts of the message are looked at"),
        (Limits(nesting=1), "1.eml is inside 1 others, and is not looked at"),
        (Limits(unpacked=10), "1.eml a.gz unpacks to more than the 0 MiB that are read"),
        (Limits(header_lines=5), "1.eml: its header is longer than is read"),
        (Limits(message=1 << 8), "0 MiB, of which nothing is read: at most 0 MiB are; split it"),
    ],
)
def test_bounds_are_named(limits: Limits, problem: str) -> None:
    octets = mailed(("a.gz", "application/gzip", gzip.compress(CSV.encode())), ("b.csv", "text/csv", CSV.encode()))
    assert problem in read(octets, "1.eml", NOW, limits=limits).problems
