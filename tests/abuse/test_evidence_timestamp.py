"""Time stamps of a real authority: what it stamped is what was signed, and what is not sound is never kept."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from abuse import timestamp
from abuse.standalone_evidence import verify
from abuse.timestamp import Authority
from ledger.book import Ledger
from settings.errors import ConfigError, RefusalError, UnreachableError
from tests.abuse.evidence_authority import Answer, Office, send, serving
from tests.abuse.evidence_bags import (
    copied,
    files_of,
    findings,
    packed,
    remembered,
    run,
    sign_again,
    verdicts,
    verifier,
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """An authority's files."""
    return Office(tmp_path_factory.mktemp("office") / "a")


@pytest.fixture(scope="module")
def address(office: Office) -> Iterator[str]:
    """Where the authority answers."""
    with serving(office.answer) as url:
        yield url


@pytest.fixture(scope="module")
def stamped(office: Office, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bag with a time stamp."""
    with remembered():
        yield packed(tmp_path_factory.mktemp("stamped"), Authority(address, office.trusted).stamp).path


def test_a_stamped_bag_is_whole_and_says_who_stamped_it(stamped: Path, office: Office, tmp_path: Path) -> None:
    trusting = run(verifier(tmp_path), stamped, "--tsa-ca", office.trusted)
    assert (trusting.status, trusting.errors) == (0, "")
    assert any(
        line.startswith("OK   timestamp: timestamp.tsr: an authority that you trust says") for line in trusting.lines
    )
    alone = run(verifier(tmp_path), stamped)
    assert (alone.status, alone.errors) == (0, "")
    assert any(line.startswith("NOTE timestamp: timestamp.tsr: it says 2") for line in alone.lines)
    assert any("by whose clock is only shown with --tsa-ca" in line for line in alone.lines)


def test_the_stamp_is_over_the_tag_manifest_and_the_signature(stamped: Path, office: Office, tmp_path: Path) -> None:
    files = files_of(stamped)
    signature = bytes.fromhex(files["signature.txt"].split(b"signature: ")[1][:128].decode())
    (tmp_path / "data").write_bytes(files["tagmanifest-sha256.txt"] + signature)
    command = ["openssl", "ts", "-verify", "-data", tmp_path / "data", "-in", stamped / "timestamp.tsr"]
    done = subprocess.run([*command, "-CAfile", office.trusted], capture_output=True, timeout=60)
    assert b"Verification: OK" in done.stdout + done.stderr


def test_one_changed_octet_of_the_stamp_is_found(stamped: Path, office: Office, tmp_path: Path) -> None:
    bag = copied(stamped, tmp_path / "bag")
    token = (bag / "timestamp.tsr").read_bytes()
    for at in range(0, len(token), 25):
        (bag / "timestamp.tsr").write_bytes(token[:at] + bytes([token[at] ^ 1]) + token[at + 1 :])
        assert findings(bag) == {("timestamp", "timestamp.tsr")}, at
    for octets in (token + b"\0", token[:-1], b""):
        (bag / "timestamp.tsr").write_bytes(octets)
        assert findings(bag, tsa_ca=str(office.trusted)) == {("timestamp", "timestamp.tsr")}
    (bag / "timestamp.tsr").unlink()
    assert findings(bag) == {("timestamp", "timestamp.tsr")}


def test_a_stamp_of_another_bag_is_found_even_when_sealed(stamped: Path, office: Office, tmp_path: Path) -> None:
    bag = copied(stamped, tmp_path / "bag")
    with serving(office.answer) as url:
        other = Authority(url, office.trusted).stamp(b"something else")
    (bag / "timestamp.tsr").write_bytes(other)
    sign_again(bag, Ledger(stamped.parent / "ledger").key())
    for options in ({}, {"tsa_ca": str(office.trusted)}):
        assert findings(bag, **options) == {("timestamp", "timestamp.tsr")}
    assert any("imprint mismatch" in check.words for check in verify(str(bag)))


def test_a_stamp_of_an_authority_that_is_not_trusted_is_found(stamped: Path, tmp_path: Path) -> None:
    stranger = Office(tmp_path / "stranger")
    assert findings(stamped, tsa_ca=str(stranger.trusted)) == {("timestamp", "timestamp.tsr")}


def test_an_authority_trusted_by_its_own_certificate_will_do(stamped: Path, office: Office) -> None:
    assert verdicts(stamped, "timestamp", tsa_ca=str(office.place / "signer.pem")) == ["OK"]


def test_a_stamp_outlives_its_authoritys_certificate(tmp_path: Path) -> None:
    office = Office(tmp_path / "office", until=timedelta(seconds=2))
    with serving(office.answer) as url:
        bag = packed(tmp_path, Authority(url, office.trusted).stamp).path
    time.sleep(2)
    assert verdicts(bag, "timestamp", tsa_ca=str(office.trusted)) == ["OK"]


def test_the_time_is_the_signed_one_whatever_the_status_around_it_says(
    office: Office, address: str, tmp_path: Path
) -> None:
    """The status text of an answer is signed by nobody; one who seals his own bag can write a time into it."""

    def told(data: bytes) -> bytes:
        answer = Authority(address, office.trusted).stamp(data)
        text = b"x\nTime stamp: Jan  1 00:00:00 2001 GMT"
        token = answer[answer.index(b"\x30\x03\x02\x01\x00") + 5 :]
        words = b"\x0c" + bytes([len(text)]) + text
        status = b"\x02\x01\x00" + b"\x30" + bytes([len(words)]) + words
        inner = b"\x30" + bytes([len(status)]) + status + token
        return b"\x30\x82" + len(inner).to_bytes(2, "big") + inner

    bag = packed(tmp_path, told).path
    for options in ({}, {"tsa_ca": str(office.trusted)}):
        (check,) = (check for check in verify(str(bag), **options) if check.kind == "timestamp")
        assert check.verdict != "BAD"
        assert "2001" not in check.words


def test_a_stamp_by_a_certificate_that_had_expired_is_refused(tmp_path: Path) -> None:
    office = Office(tmp_path / "office", until=timedelta(hours=-1))
    with serving(office.answer) as url, pytest.raises(RefusalError, match="certificate has expired"):
        Authority(url, office.trusted).stamp(b"x")


def test_a_stamp_by_one_whom_the_operator_does_not_trust_is_refused(address: str, tmp_path: Path) -> None:
    stranger = Office(tmp_path / "stranger")
    with pytest.raises(RefusalError, match="certificate verify error"):
        Authority(address, stranger.trusted).stamp(b"x")


def test_without_trust_of_ours_an_answer_has_at_least_to_be_sound(office: Office, address: str) -> None:
    assert Authority(address).stamp(b"x")

    def of_other_octets(handler: BaseHTTPRequestHandler, query: bytes) -> None:
        octets = bytearray(office.reply(query))
        octets[-9] ^= 1
        send(handler, bytes(octets))

    with serving(of_other_octets) as url, pytest.raises(RefusalError, match="no sound time stamp"):
        Authority(url).stamp(b"x")


def test_an_answer_to_another_request_is_refused(office: Office) -> None:
    kept: list[bytes] = []

    def replay(handler: BaseHTTPRequestHandler, query: bytes) -> None:
        kept.append(office.reply(query))
        send(handler, kept[0])

    with serving(replay) as url:
        authority = Authority(url, office.trusted)
        assert authority.stamp(b"x") == kept[0]
        with pytest.raises(RefusalError, match="nonce mismatch"):
            authority.stamp(b"x")
        with pytest.raises(RefusalError, match="imprint mismatch"):
            authority.stamp(b"y")


def test_a_refusal_of_the_authority_is_refused(office: Office) -> None:
    def refuse(handler: BaseHTTPRequestHandler, query: bytes) -> None:
        send(handler, office.reply(query[:-3] + b"\0\0\0"))

    with serving(refuse) as url, pytest.raises(RefusalError, match="no sound time stamp"):
        Authority(url, office.trusted).stamp(b"x")


def moved(handler: BaseHTTPRequestHandler, query: bytes) -> None:
    """Send the client elsewhere."""
    handler.send_response(302)
    handler.send_header("Location", "http://127.0.0.1:9/")
    handler.end_headers()


def failing(handler: BaseHTTPRequestHandler, query: bytes) -> None:
    """Fail with words that a terminal would obey."""
    handler.send_response_only(500, "\x1b[2J")
    handler.end_headers()


def endless(handler: BaseHTTPRequestHandler, query: bytes) -> None:
    """Send more than any answer has."""
    send(handler, b"0" * (timestamp.LARGEST + 1))


def of_another_kind(handler: BaseHTTPRequestHandler, query: bytes) -> None:
    """Send a page, as a web server would."""
    send(handler, b"<html>", "text/html")


def junk(handler: BaseHTTPRequestHandler, query: bytes) -> None:
    """Send octets that are nothing."""
    send(handler, b"\x30\x80junk")


def no_http(handler: BaseHTTPRequestHandler, query: bytes) -> None:
    """Send what is not even HTTP."""
    handler.wfile.write(b"220 mail.example.net ESMTP\r\n")


def slow(handler: BaseHTTPRequestHandler, query: bytes) -> None:
    """Send an octet now and then, each before a timeout of sockets."""
    for octet in b"HTTP/1.1 200 OK\r\n" * 9:
        handler.wfile.write(bytes([octet]))
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (moved, UnreachableError, "answers with HTTP status 302"), (failing, UnreachableError, "HTTP status 500$"),
        (endless, RefusalError, "is no time stamp authority"), (of_another_kind, RefusalError, "is no time stamp"),
        (junk, RefusalError, "no sound time stamp"), (no_http, UnreachableError, "does not answer"),
        (slow, UnreachableError, "does not answer within 1 s"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_said_in_words(answer: Answer, error: type[Exception], words: str) -> None:
    start = time.monotonic()
    with serving(answer) as url, pytest.raises(error, match=words):
        Authority(url, patience=1).stamp(b"x")
    assert time.monotonic() - start < 5


def test_nobody_there_is_said_in_words() -> None:
    with serving(junk) as url:
        pass
    with pytest.raises(UnreachableError, match=f"{url}: does not answer"):
        Authority(url).stamp(b"x")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://x/",
        "http://",
        "//x",
        "",
        "http://me:secret@x/",
        "http://x/a b",
        "http://[",
        "http://x/\n",
    ],
)
def test_only_addresses_of_the_web_are_taken(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Authority(url)
    assert "secret" not in str(caught.value)


def test_without_openssl_no_time_is_stamped(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefusalError, match="need the program openssl"):
        Authority(address).stamp(b"x")
