"""Whatever the octets are, `read` returns, and what it returns holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from intake.addresses import is_host
from intake.limits import LIMITS
from intake.read import read
from intake.report import Message, Report
from intake.times import AHEAD
from tests.intake.samples import ALL, NOW

FORMS = {"xarf4", "xarf3", "arf", "shadowserver", "csv", "text"}
PIECES = [
    b"\x00", b"\n\n", b'"', b",", b"--part_x", b"192.0.2.7", b"2026-11-20", b"14:03:11", b"\x1b[31m", b"\xff\xfe",
    b"From: ", b"{", b"]", b"=?utf-8?q?=1b?=", b"PK\x03\x04", b"\x1f\x8b\x08", "\u202e".encode(), b"<script>", b"&#",
    b"99999999999999999999", b"0000-00-00", b":::::", b"Content-Type: multipart/mixed; boundary=", b"base64",
]  # fmt: skip


def check(message: Message) -> None:
    """Assert what holds of every message."""
    assert len(message.unread) <= LIMITS.unread + 1
    assert len(message.problems) <= LIMITS.problems
    told = [(message.sender, LIMITS.field), (message.subject, LIMITS.field)]
    told += [(problem, 400) for problem in message.problems]
    for unread in message.unread:
        told += [(unread.place, 200), (unread.why, 400), (unread.excerpt, LIMITS.excerpt)]
        assert unread.place
        assert unread.why
    for report in message.reports:
        check_report(report)
        told += [(report.kind, 64), (report.reporter, 256), (report.reference, LIMITS.field), (report.when.text, 250)]
        told += [(report.excerpt, LIMITS.excerpt)]
    for text, most in told:
        assert text.isprintable()
        assert len(text) <= most
    assert len({report.digest for report in message.reports}) == len(message.reports)


def check_report(report: Report) -> None:
    """Assert what holds of every report."""
    when = report.when
    assert when.earliest <= when.latest
    assert when.earliest.tzinfo is UTC
    assert when.latest.tzinfo is UTC
    assert datetime(1999, 12, 30, tzinfo=UTC) <= when.earliest <= NOW + AHEAD
    assert when.local is None or abs(when.local.replace(tzinfo=UTC) - when.earliest) < timedelta(days=400_000)
    assert is_host(report.address)
    assert all(port is None or 0 < port <= 65535 for port in (report.port, report.target_port))
    assert report.protocol is None or 0 <= report.protocol <= 255
    assert all(count is None or count >= 0 for count in (report.packets, report.octets))
    assert report.form in FORMS


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a sample with octets flipped, deleted, doubled, and pieces or parts of other samples put in."""
    octets = bytearray(ALL[draw(st.sampled_from(sorted(ALL)))])
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(len(octets) - 1, 0)))
        end = place + draw(st.integers(1, 80))
        match draw(st.sampled_from(("flip", "delete", "double", "piece", "splice", "cut"))):
            case "flip" if octets:
                octets[place] ^= 1 << draw(st.integers(0, 7))
            case "delete":
                del octets[place:end]
            case "double":
                octets[place:place] = octets[place:end] * draw(st.integers(1, 3))
            case "piece":
                octets[place:place] = draw(st.sampled_from(PIECES))
            case "splice":
                other = ALL[draw(st.sampled_from(sorted(ALL)))]
                start = draw(st.integers(0, len(other)))
                octets[place:end] = other[start : start + draw(st.integers(1, 400))]
            case _:
                del octets[max(place, 1) :]
    return bytes(octets)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600), st.text(max_size=30))
def test_any_octets(octets: bytes, name: str) -> None:
    check(read(octets, name, NOW))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(PIECES) | st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace")), max_size=40
    )
)
def test_any_mixture_of_what_reports_are_made_of(pieces: list[bytes]) -> None:
    check(read(b" ".join(pieces), "a", NOW))


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_broken_samples(octets: bytes) -> None:
    check(read(octets, "a.eml", NOW))


def test_whole_samples() -> None:
    for name, octets in ALL.items():
        message = read(octets, name, NOW)
        check(message)
        assert message.reports, name
        assert not message.unread, name
        assert not message.problems, name
