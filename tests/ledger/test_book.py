"""The ledger on disk: what a crash or a full disk leaves, who may read it, what expires, and what is never followed."""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from ledger import folder as folders
from ledger import writing
from ledger.book import Ledger
from ledger.entry import LedgerError
from ledger.expiry import Expired, expire
from ledger.folder import snapshot
from ledger.keys import SigningKey, is_signed
from ledger.verify import verify
from tests.ledger.books import DAY, START, found, found_standalone, is_whole, small


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Not made yet."""
    return Ledger(tmp_path / "data" / "ledger")


@contextmanager
def no_room_beyond(octets: int) -> Iterator[None]:
    """Let no file of this process grow larger, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def actions(ledger: Ledger) -> list[str]:
    return [entry.action for entry in ledger.newest()][::-1]


def test_it_begins_with_its_key_and_nobody_else_may_read_it(ledger: Ledger) -> None:
    before = os.umask(0)
    try:
        entry = ledger.append("start", {}, now=START)
    finally:
        os.umask(before)
    assert (entry.seq, actions(ledger)) == (2, ["configuration", "start"])
    first = list(ledger.newest())[-1]
    assert first.details == {"what": "ledger begun", "key": ledger.key().name}
    assert ledger.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in ledger.directory.iterdir()} == {0o600}


@pytest.mark.parametrize("left", [1, 40, 400, -1])
def test_a_torn_line_is_cut_off_and_put_on_record(ledger: Ledger, left: int) -> None:
    for day in range(3):
        ledger.append("plan", {"day": day, "why": "x" * 200}, actor="ada", now=START + day * DAY)
    (segment,) = ledger.directory.glob("*.jsonl")
    whole = segment.read_bytes()
    torn = whole.splitlines(keepends=True)[-1][:left]
    segment.write_bytes(whole + torn)
    assert found(snapshot(ledger.directory)) == {("torn", segment.name)}
    after = ledger.append("plan", {}, actor="ada", now=START + 40 * DAY)  # another month: it is repaired first
    assert is_whole(ledger)
    assert segment.read_bytes().startswith(whole)
    assert actions(ledger)[-2:] == ["ledger_repair", "plan"]
    repair = list(ledger.newest())[1]
    assert (repair.seq, repair.details["octets"]) == (after.seq - 1, len(torn))


def test_months_and_sizes_close_segments(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in (0, 1, 40, 20, 41):  # a clock that goes back for a while opens no segment of its own
        ledger.append("plan", {}, actor="ada", now=START + day * DAY)
    assert sorted(path.name for path in ledger.directory.glob("*.jsonl")) == [
        "000000000001.jsonl",
        "000000000004.jsonl",
    ]
    monkeypatch.setattr(writing, "SEGMENT_SIZE", 10)
    ledger.append("plan", {}, actor="ada", now=START + 41 * DAY)
    assert actions(ledger)[-2:] == ["ledger_checkpoint", "plan"]
    report = verify(snapshot(ledger.directory))
    assert (report.findings, report.checkpoints) == ([], 2)
    assert [(warning.kind, warning.seq) for warning in report.warnings] == [("time", 6)]


def test_a_full_disk_is_said_and_leaves_nothing_half_written(ledger: Ledger) -> None:
    with no_room_beyond(50), pytest.raises(LedgerError, match="cannot be written: File too large; make room"):
        ledger.append("start", {}, now=START)
    assert list(ledger.directory.iterdir()) == []
    ledger.append("start", {}, now=START)
    (segment,) = ledger.directory.glob("*.jsonl")
    whole = segment.read_bytes()
    with no_room_beyond(len(whole) + 100), pytest.raises(LedgerError, match="make room on its disk"):
        ledger.append("plan", {"text": "x" * 500}, now=START)
    assert segment.read_bytes() == whole
    with no_room_beyond(len(whole)), pytest.raises(LedgerError, match="make room on its disk"):
        ledger.append("plan", {}, now=START + 40 * DAY)  # which closes the segment first
    assert is_whole(ledger)
    ledger.append("plan", {}, now=START + 40 * DAY)
    assert is_whole(ledger)
    assert actions(ledger).count("plan") == 1


def test_a_damaged_last_line_is_not_gone_on_from(ledger: Ledger) -> None:
    ledger.append("plan", {"rows": 1}, now=START)
    (segment,) = ledger.directory.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"rows":1', b'"rows":2'))
    with pytest.raises(LedgerError, match="was changed; `flowkeep ledger verify` says"):
        ledger.append("plan", {}, now=START)


def test_symbolic_links_are_never_followed(ledger: Ledger, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ledger.directory.parent.mkdir()
    ledger.directory.symlink_to(elsewhere)
    with pytest.raises(LedgerError, match="is a symbolic link"):
        ledger.append("start", {}, now=START)
    with pytest.raises(LedgerError, match="is a symbolic link"):
        snapshot(ledger.directory)
    assert list(elsewhere.iterdir()) == []
    ledger.directory.unlink()
    ledger.append("start", {}, now=START)
    (segment,) = ledger.directory.glob("*.jsonl")
    segment.rename(elsewhere / "segment")
    segment.symlink_to(elsewhere / "segment")
    before = (elsewhere / "segment").read_bytes()
    with pytest.raises(LedgerError, match="cannot be written: Too many levels of symbolic links"):
        ledger.append("plan", {}, now=START)
    assert (elsewhere / "segment").read_bytes() == before


def test_one_writes_at_a_time_and_nobody_waits_for_ever(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.append("start", {}, now=START)
    monkeypatch.setattr(folders, "PATIENCE", 0.0)
    with folders.opened(ledger.directory, write=False), pytest.raises(LedgerError, match="another process has held"):
        ledger.append("plan", {}, now=START)
    held = os.open(ledger.directory, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LedgerError, match="another process has held"):
            snapshot(ledger.directory)
    finally:
        os.close(held)
    assert ledger.append("plan", {}, now=START).seq == 3


def test_expiry_takes_whole_segments_and_the_chain_still_verifies(tmp_path: Path) -> None:
    ledger = small(tmp_path / "ledger")
    assert expire(ledger, START, actor="purge", now=START + 41 * DAY) is None
    checkpoint = (ledger.directory / "000000000001.checkpoint").read_bytes()
    now = START + 41 * DAY
    assert expire(ledger, START + 3 * DAY, actor="purge", now=now) == Expired(1, 1, 3)
    assert (ledger.directory / "000000000001.checkpoint").read_bytes() == checkpoint
    report = verify(snapshot(ledger.directory), [checkpoint])
    assert (report.findings, report.warnings, report.first) == ([], [], 4)
    assert found_standalone(ledger.directory, ledger.directory / "000000000001.checkpoint") == set()
    newest = next(ledger.newest())
    assert newest.action == "ledger_expiry"
    assert newest.details == {"before": "2026-09-01T12:00:00.000Z", "first": 1, "last": 3, "segments": 1}
    # the open segment's month is over: it is closed and goes too, and the one that says so is left
    later = expire(ledger, now + DAY, actor="purge", now=START + 90 * DAY)
    assert later == Expired(2, 4, newest.seq)
    report = verify(snapshot(ledger.directory))
    assert (report.findings, report.warnings, report.entries) == ([], [], 2)


def test_expiry_that_a_crash_broke_off_goes_on_and_damage_is_kept_as_evidence(tmp_path: Path) -> None:
    ledger = small(tmp_path / "ledger")
    first = ledger.directory / "000000000001.jsonl"
    octets = first.read_bytes()
    now = START + 41 * DAY
    first.write_bytes(octets.replace(b'"due":2', b'"due":3'))
    with pytest.raises(LedgerError, match="damaged at entry 3"):
        expire(ledger, START + 3 * DAY, now=now)
    assert first.exists()
    first.write_bytes(octets)
    assert expire(ledger, START + 3 * DAY, now=now)
    first.write_bytes(octets)  # as if the crash had come between the entry and the deletion
    report = verify(snapshot(ledger.directory))
    assert report.findings == []
    assert [(warning.kind, warning.file) for warning in report.warnings] == [("leftover", first.name)]
    assert expire(ledger, START + 3 * DAY, now=now + DAY) == Expired(1, 1, 3)
    assert not first.exists()
    assert is_whole(ledger)


def test_a_rotated_key_is_vouched_for_by_the_old_one(ledger: Ledger) -> None:
    old = SigningKey.load(ledger.directory)
    record = ledger.rotate(actor="ada", now=START)
    new = SigningKey.load(ledger.directory)
    assert (record.key, record.previous) == (new.name, old.name)
    assert is_signed(old.public, record.signed(), record.signature)
    assert is_signed(new.public, b"certificate", new.sign(b"certificate").hex())
    assert not is_signed(old.public, b"certificate", new.sign(b"certificate").hex())
    entry = next(ledger.newest())
    assert (entry.action, entry.details["signature"]) == ("configuration", record.signature)
    assert ledger.checkpoint(now=START).key == new.name
    assert is_whole(ledger)


def test_a_key_that_others_may_read_signs_nothing(ledger: Ledger) -> None:
    ledger.append("start", {}, now=START)
    (ledger.directory / "signing.pem").chmod(0o640)
    with pytest.raises(LedgerError, match=r"may be read by others \(mode 0640\); `chmod 600` it"):
        ledger.checkpoint(now=START)


def test_a_query_is_on_record_without_its_text(ledger: Ledger) -> None:
    text = "SELECT count() FROM flows WHERE src_addr = '192.0.2.77'"
    one, other = (ledger.append_query(text, {"role": "query"}, now=START) for _ in range(2))
    third = ledger.append_query(text + " ", {"role": "query"}, now=START)
    assert one.details["digest"] == other.details["digest"] != third.details["digest"]
    assert one.details["octets"] == len(text)
    assert b"192.0.2.77" not in b"".join(snapshot(ledger.directory).values())
    ledger.rotate(now=START)
    again = ledger.append_query(text, {"role": "query"}, now=START + timedelta(seconds=1))
    assert again.details["digest"] != one.details["digest"]
