"""What strangers can send: bombs, endless lines, deep nesting, broken encodings. Each ends soon, and says why."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from intake.limits import Limits
from intake.read import read
from intake.report import Message
from tests.intake.samples import CSV, FAIL2BAN, NOW, XARF4, at, known, zipped

LINE = b"2026-11-20T14:03:11Z from 192.0.2.7"
WHEN = known(at(20, 14, 3, 11), "2026-11-20T14:03:11Z")


def check(message: Message) -> Message:
    """Assert that all texts are safe to print and bounded."""
    told = [message.sender, message.subject, *message.problems]
    told += [text for unread in message.unread for text in (unread.place, unread.why, unread.excerpt)]
    for report in message.reports:
        told += [report.kind, report.reporter, report.reference, report.excerpt, report.when.text]
    assert all(text.isprintable() and len(text) <= 4096 for text in told)
    return message


def multipart(depth: int) -> bytes:
    """Return a mail whose multiparts are in each other."""
    octets = b"From: a@b.example\nSubject: x\n"
    for level in range(depth):
        octets += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level)
    return octets + b"\n" + LINE


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """Return a gzip file of 1 GiB of zeros, in 64 pieces."""
    return gzip.compress(bytes(1 << 24), mtime=0) * 64


def test_a_bomb_stops_at_the_bound_and_costs_no_other_part(bomb: bytes) -> None:
    limits = Limits(unpacked=1 << 20)
    message = check(read(bomb, "zeros.gz", NOW, limits=limits))
    assert message.problems == ("zeros.gz unpacks to more than the 1 MiB that are read",)
    nested = zipped({"one.zip": zipped({"two.gz": bomb}), "list.csv": CSV.encode()})
    message = check(read(nested, "a.zip", NOW, limits=limits))
    assert message.problems[0] == "a.zip one.zip two.gz unpacks to more than the 1 MiB that are read"
    full = check(read(bomb, "zeros.gz", NOW))
    assert full.problems == ("zeros.gz unpacks to more than the 64 MiB that are read",)


def test_an_archive_that_holds_itself_over_and_over() -> None:
    octets = LINE
    for _ in range(30):
        octets = gzip.compress(octets)
    assert check(read(octets, "a.gz", NOW)).problems == ("a.gz is inside 10 others, and is not looked at",)


def test_archives_of_too_many_files() -> None:
    many = zipped({f"{number}.txt": b"x" for number in range(300)})
    assert check(read(many, "a.zip", NOW)).problems == ("only the first 200 parts of the message are looked at",)
    crowd = zipped({})[:4].replace(b"PK\x05\x06", b"PK\x03\x04") + b"PK\x01\x02" * 10_001
    (unread,) = check(read(crowd, "a.zip", NOW)).unread
    assert unread.why == "a zip archive of more than 10,000 files"
    (unread,) = check(read(gzip.compress(b"") * 10_001, "a.gz", NOW)).unread
    assert unread.why == "a gzip file of more than 10,000 files, one behind the other"


@pytest.mark.parametrize(
    "octets",
    [
        b"From: a@b.example\nSubject: x\n" + b"X-A: b\n" * 100_000 + b"\n" + LINE,
        b"From: a@b.example\nSubject: " + b"a" * 10_000_000 + b"\n\n" + LINE,
        b"From: a@b.example\nSubject:" + b"\n " * 1_000_000 + b"\n\n" + LINE,
    ],
    ids=["many", "long", "folded"],
)
def test_headers_beyond_reason_do_not_hide_the_text(octets: bytes) -> None:
    message = check(read(octets, "1.eml", NOW))
    assert message.problems == ("1.eml: its header is longer than is read",)
    assert [(str(report.address), report.when) for report in message.reports] == [("192.0.2.7", WHEN)]


def test_multiparts_a_thousand_deep_and_mails_in_mails() -> None:
    assert check(read(multipart(1000), "1.eml", NOW)).problems == ("1.eml is inside 10 others, and is not looked at",)
    mail = LINE
    for _ in range(1000):
        mail = b"From: a@b.example\nSubject: x\nContent-Type: message/rfc822\n\n" + mail
    assert "is inside 10 others" in check(read(mail, "1.eml", NOW)).problems[0]
    flat = b"From: a@b.example\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 100_000
    assert check(read(flat, "1.eml", NOW)).problems == ("only the first 200 parts of the message are looked at",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "JSON that is nested too deep"),
        ('{"a":' * 100_000, "JSON that is nested too deep"),
        ('{"xarf_version": "4.0.0", "source_port": ' + "9" * 100_000 + "}", "no source address"),
        ('{"xarf_version": NaN, "a": Infinity, "b": 1e999}', "XARF of version 'None', where 4.x was expected"),
        ('{"xarf_version": "\\ud800\\u202e\\u001b[31m"}',
         "XARF of version '\\ud800\\u202e\\x1b[31m', where 4.x was expected"),
        ('{"a": 1', "not valid JSON: Expecting ',' delimiter, line 1"),
    ],
)  # fmt: skip
def test_json(text: str, why: str) -> None:
    assert check(read(text.encode(), "a.json", NOW)).unread[0].why == why


def test_json_with_huge_numbers_is_read_without_them() -> None:
    text = json.dumps(XARF4).replace("40001", "9" * 5000).replace("11250000", "NaN").replace("3240000000", "1e999")
    (report,) = check(read(text.encode(), "a.json", NOW)).reports
    assert (report.port, report.packets, report.octets) == (None, None, None)


def test_a_cell_of_ten_million_characters_costs_its_row_only() -> None:
    text = b"ip,time\n192.0.2.1," + b"x" * 10_000_000 + b"\n192.0.2.2,2026-11-20T14:00:00Z\n"
    message = check(read(text, "a.csv", NOW))
    assert [str(report.address) for report in message.reports] == ["192.0.2.2"]
    assert [unread.why for unread in message.unread] == [
        "a row that cannot be read, or is longer than 65,536 characters"
    ]


PIECES = (
    b"1.", b"from ", b"1234567890", b" ", b":", b"a1:", b"http://", b"your ip ", b"times are ", b"Fri, 1 Jan ",
    b"192.0.2.7 ", b"2026-11-20 14:03:11 ", b"to x ", b"[.]", b"\x1b[", b"=?a?q?", b"<!--", b"<a ", b"&#1", b"\xff",
    b"\xe2\x80\xae", b'",', b"\n", b"PK\x01\x02", b"{}", b"|", b"-14:00", b"port 1 ", b"wrote ",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_no_piece_repeated_takes_long(piece: bytes) -> None:
    octets = piece * (12_000 // len(piece))
    lines = b"\n".join(octets[start : start + 4000] for start in range(0, len(octets), 4000))
    for before in (b"", b"<html>", b"ip,time\n", b"From: a@b.example\nSubject: "):
        check(read(before + lines, "a", NOW))
    check(read(octets * 4, "a", NOW))


def test_a_line_of_a_megabyte() -> None:
    for piece in (b"1.", b"from ", b" "):
        message = check(read(piece * (1_000_000 // len(piece)) + b"\n" + LINE, "a.txt", NOW))
        assert [str(report.address) for report in message.reports] == ["192.0.2.7"]
        assert message.problems == ("a.txt: lines of more than 4,096 characters are not read",)


@pytest.mark.parametrize(
    "text",
    [
        b"2026-11-20T14:03:11Z \x1b[31mfrom\x1b[0m 192.0.2.7",
        b"2026-11-20T14:03:11Z from\x00192.0.2.7\x00\x08",
        "2026-11-20T14:03:11Z \u202efrom\u2066 \u200b192.0.2.7".encode(),
        b"\xef\xbb\xbf2026-11-20T14:03:11Z from 192.0.2.7 \xff\xfe",
        b"2026-11-20T14:03:11Z from 192.0.2.7 \xed\xa0\x80",
        "2026-11-20T14:03:11Z\u2028from 192.0.2.7\x85".encode(),
    ],
)
def test_what_is_unseen_or_moves_a_cursor_is_taken_out(text: bytes) -> None:
    (report,) = check(read(text, "\x1b[31mname\u202e", NOW)).reports
    assert (str(report.address), report.when) == ("192.0.2.7", WHEN)


def test_base64_that_is_cut_or_garbage() -> None:
    head = b"From: a@b.example\nSubject: x\nContent-Transfer-Encoding: base64\n\n"
    encoded = base64.encodebytes(FAIL2BAN)
    for end in range(0, len(encoded), 37):
        check(read(head + encoded[:end], "1.eml", NOW))
    check(read(head + b"====" * 100 + b"\xff" * 100, "1.eml", NOW))


def test_fields_that_the_standard_library_fails_on() -> None:
    fields = [
        b"Content-Type: text/plain; charset*=utf-8'en'%zz; charset*0*=x; name*1=y",
        b"Content-Type: text/plain; charset*=\x00''a; name*=no-such''%ff%fe",
        b"Content-Disposition: attachment; filename*0*=utf-8''a%; filename*10000000000=b",
        b"From: " + b"(" * 4000,
        b"From: =?utf-8?b?A?= =?x\x00?q?=ff?=",
        b"Subject: =?unicode_escape?q?=5Cx?= =?punycode?q?" + b"a-" * 1000 + b"?=",
        b"Date: Fri, 99 Nov 2026 99:99:99 +9999",
        b"Content-Type: multipart/mixed; boundary=\"" + b"\\" * 3000,
    ]  # fmt: skip
    for field in fields:
        check(read(field + b"\nMIME-Version: 1.0\nTo: x\n\n" + LINE, "1.eml", NOW))


def test_a_message_beyond_the_bound_is_not_begun() -> None:
    message = read(bytes((32 << 20) + 1), "a", NOW)
    assert message.problems == ("32 MiB, of which nothing is read: at most 32 MiB are; split it",)
