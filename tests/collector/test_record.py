"""What the collector puts on the ledger, and what it does when it cannot."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from collector import record as records
from collector.clock import Clock
from collector.record import Record
from ledger.book import Ledger
from ledger.entry import LedgerError
from ledger.folder import snapshot
from ledger.verify import verify
from tests.collector.site import Site, wait_for

OLD, NEW = (hashlib.sha256(text).hexdigest() for text in (b"old", b"new"))


def on_record(directory: Path) -> list[tuple[str, object]]:
    """Actions of the collector, and the policy that each speaks of."""
    entries = [entry for entry in Ledger(directory).newest() if entry.actor == "collector"]
    return [(entry.action, entry.details.get("policy")) for entry in reversed(entries)]


def test_start_stop_and_each_change_of_policy_are_on_record(tmp_path: Path) -> None:
    first = Record(tmp_path / "ledger", Clock(), "one")
    first.started(b"old")
    first.changed(b"old")
    first.changed(b"new")
    first.refused(b"old")
    first.stopped()
    Record(tmp_path / "ledger", Clock(), "two").started(b"old")
    Record(tmp_path / "ledger", Clock(), "three").started(b"new")
    assert on_record(tmp_path / "ledger") == [
        ("start", OLD), ("policy_change", NEW), ("refusal", OLD), ("stop", None),
        ("start", OLD), ("policy_change", NEW), ("start", NEW),
    ]  # fmt: skip


def test_what_cannot_be_written_waits_but_a_policy_is_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(records, "_AGAIN", 0.0)
    directory = tmp_path / "ledger"
    directory.symlink_to(tmp_path)
    record = Record(directory, Clock(), "one")
    record.started(b"old")
    record.catch_up()
    assert caplog.text.count("not on record, to be tried again") == 1
    with pytest.raises(LedgerError, match="symbolic link"):
        record.changed(b"new")
    directory.unlink()
    record.catch_up()
    record.changed(b"new")
    assert on_record(directory) == [("start", OLD), ("policy_change", NEW)]


def test_a_collector_puts_its_policy_on_record_before_it_enforces_it(site: Site) -> None:
    policy, directory = site.directory / "retention.yaml", site.directory / "data" / "ledger"
    before = hashlib.sha256(policy.read_bytes()).hexdigest()
    with site.collector():
        policy.write_text(policy.read_text().replace("keep_for: 30d", "keep_for: 45d"))
        after = hashlib.sha256(policy.read_bytes()).hexdigest()
        wait_for(lambda: "tenants and policy are reloaded" in site.log.read_text())
        assert on_record(directory) == [("start", before), ("policy_change", after)]
    assert on_record(directory)[-1] == ("stop", None)
    assert verify(snapshot(directory)).findings == []
