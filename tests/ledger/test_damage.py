"""Whatever is done to the files of a ledger is found, by our verifier and by the stand-alone one alike."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import writing
from ledger.book import Ledger
from ledger.expiry import expire
from ledger.folder import snapshot
from tests.ledger.books import DAY, START, found, found_standalone, small, written

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a small ledger that nobody touched."""
    directory = tmp_path_factory.mktemp("small") / "ledger"
    return snapshot(small(directory).directory)


def test_one_bit_in_each_octet_of_each_file_is_found(whole: dict[str, bytes]) -> None:
    assert found(whole) == set()
    assert {name.partition(".")[2] or name for name in whole} >= {"jsonl", "checkpoint", "pem", "json"}
    for name, octets in whole.items():
        for at in range(len(octets)):
            changed = octets[:at] + bytes([octets[at] ^ 1 << at % 8]) + octets[at + 1 :]
            assert found({**whole, name: changed}), f"{name}: octet {at}"


@FEW
@given(data=st.data())
def test_the_stand_alone_verifier_finds_the_same(whole: dict[str, bytes], tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(whole)))
    octets = whole[name]
    at = data.draw(st.integers(0, len(octets) - 1))
    changed = {
        "changed": octets[:at] + bytes([data.draw(st.integers(0, 255))]) + octets[at + 1 :],
        "taken out": octets[:at] + octets[at + 1 :],
        "put in": octets[:at] + b"\n" + octets[at:],
        "cut off": octets[:at],
        "line taken out": b"".join(octets.splitlines(keepends=True)[1:]),
    }[data.draw(st.sampled_from(["changed", "taken out", "put in", "cut off", "line taken out"]))]
    files = {**whole, name: changed}
    shutil.rmtree(tmp_path / "ledger", ignore_errors=True)
    ours, theirs = found(files), found_standalone(written(tmp_path / "ledger", files))
    assert ours == theirs


@pytest.mark.parametrize(
    "missing",
    ["000000000001.jsonl", "000000000001.checkpoint", "000000000004.jsonl", "000000000004.checkpoint", "signing.pem"],
)
def test_a_file_that_is_gone_is_found(whole: dict[str, bytes], missing: str, tmp_path: Path) -> None:
    files = {name: octets for name, octets in whole.items() if name != missing}
    assert missing in whole
    ours = found(files)
    assert ours == found_standalone(written(tmp_path / "ledger", files))
    # the private key is not needed to verify, and copies for others come without
    assert bool(ours) is (missing != "signing.pem")


def test_only_an_anchor_shows_that_the_end_is_gone_or_all_was_made_anew(tmp_path: Path) -> None:
    ledger = small(tmp_path / "ledger")
    anchor = ledger.checkpoint(actor="ada", now=START + 41 * DAY).line()
    (tmp_path / "anchor").write_bytes(anchor + b"\n")
    ledger.append("plan", {}, actor="ada", now=START + 42 * DAY)
    files = snapshot(ledger.directory)
    assert found(files, [anchor]) == found_standalone(ledger.directory, tmp_path / "anchor") == set()

    last = max(name for name in files if name.endswith(".jsonl"))
    shortened = {**files, last: b"".join(files[last].splitlines(keepends=True)[:-2])}
    assert found(shortened) == set()
    cut = written(tmp_path / "cut", shortened)
    assert found(shortened, [anchor]) == {("anchor", "anchor 1")}
    assert {kind for kind, _ in found_standalone(cut, tmp_path / "anchor")} == {"anchor"}
    # whoever has the key goes on from there: the ledger is whole again, but the anchor knows better
    anew = Ledger(cut)
    for _ in range(3):
        anew.append("plan", {"forged": True}, actor="eve", now=START + 43 * DAY)
    assert found(snapshot(cut)) == set()
    assert found(snapshot(cut), [anchor]) == {("anchor", "anchor 1")}
    assert {kind for kind, _ in found_standalone(cut, tmp_path / "anchor")} == {"anchor"}
    # and a ledger made anew from the start has other keys
    other = small(tmp_path / "other")
    assert found(snapshot(other.directory), [anchor]) == {("signature", "anchor 1")}


STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "append", "append", "checkpoint", "expire", "rotate"]), st.integers(0, 20)),
    min_size=3, max_size=14,
)  # fmt: skip


@MANY
@given(steps=STEPS, data=st.data())
def test_no_sequence_breaks_the_chain_and_damage_after_it_is_found(
    steps: list[tuple[str, int]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(writing, "SEGMENT_SIZE", 900)
    ledger, now = Ledger(tmp_path_factory.mktemp("steps") / "ledger"), START
    numbers, anchors, gone = [], [], 0
    for step, days in steps:
        now += timedelta(days=days)
        if step == "append":
            numbers.append(ledger.append("plan", {"x": "y" * days}, actor="ada", now=now).seq)
        elif step == "checkpoint":
            anchors.append(ledger.checkpoint(actor="ada", now=now).line())
        elif step == "rotate":
            ledger.rotate(actor="ada", now=now)
        else:
            done = expire(ledger, now - 20 * DAY, actor="ada", now=now)
            gone = done.last if done else gone
    if not numbers:
        return
    files = snapshot(ledger.directory)
    assert found(files, anchors) == set()
    kept = {entry.seq: entry for entry in ledger.newest()}
    assert set(kept) == set(range(gone + 1, max(kept) + 1))
    assert all(number in kept for number in numbers if number > gone)
    # Keys are random, and so are names and lengths of files: what is drawn must not go by them.
    name = sorted(files)[data.draw(st.integers(0, 999)) % len(files)]
    at = data.draw(st.integers(0, 2**20)) % len(files[name])
    bit = 1 << data.draw(st.integers(0, 7))
    changed = files[name][:at] + bytes([files[name][at] ^ bit]) + files[name][at + 1 :]
    assert found({**files, name: changed}), f"{name}: octet {at}"
