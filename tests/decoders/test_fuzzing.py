"""A hundred thousand mutated datagrams, the same in every run; `make fuzz` runs millions. And that a campaign finds."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from decoders import Datagrams, Decoded, Limits, State, decode
from fuzzing import findings, worker
from fuzzing.campaign import run
from fuzzing.findings import Finding
from fuzzing.inputs import Source
from fuzzing.seeds import load
from fuzzing.worker import LASTING_OCTETS, Plan, Worker

INPUTS = 100_000
GROWTH = 64 * 2**20


def test_mutated_datagrams_break_nothing(tmp_path: Path) -> None:
    tally, died = run(Plan(24, INPUTS, 2, False, tmp_path))
    assert not died
    assert not tally.findings, [path.name for path in tmp_path.iterdir()]
    assert tally.inputs >= INPUTS
    assert not tally.unseen
    for memory in tally.memory:
        assert memory.lasting <= LASTING_OCTETS
        assert memory.end - memory.start <= GROWTH


def test_a_block_follows_from_its_seed_and_number() -> None:
    one, other = Source(3, load()), Source(3, load())
    assert one.block(7) == other.block(7)
    assert one.block(7).sendings != one.block(8).sendings != Source(4, load()).block(8).sendings


def found_with(monkeypatch: pytest.MonkeyPatch, folder: Path, wrong: object) -> dict[str, Finding]:
    """What a campaign of a few blocks finds with another `decode`: by reason, the smallest."""
    for module in (worker, findings):
        monkeypatch.setattr(module, "decode", wrong)
    one = Worker(Plan(1, 0, 1, False, folder), 0)
    for block in map(one.source.block, range(9)):
        if not block.lasting and not one.tally.findings:
            one.run_block(block, closely=True)
    found = sorted(one.tally.findings.values(), key=lambda found: -sum(map(len, found.datagrams)))
    return {finding.reason: finding for finding in found}


def holds_long_netflow5(block: Datagrams) -> bool:
    """Whether a block holds what the wrong decoders below stumble over: octets 0, 5 and then more than 98 others."""
    places = zip(block.offsets.tolist(), block.lengths.tolist(), strict=True)
    return any(length > 100 and block.data[at : at + 2].tobytes() == b"\0\5" for at, length in places)


def test_an_exception_is_found_and_its_input_made_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(block: Datagrams, state: State, limits: Limits) -> Decoded:
        if holds_long_netflow5(block):
            raise IndexError("a long one")
        return decode(block, state, limits)

    found = found_with(monkeypatch, tmp_path, raises)
    (reason,) = found
    assert reason.startswith("IndexError at ")
    assert [len(datagram) // 2 for datagram in found[reason].datagrams] == [101]
    kept = [findings.read(path) for path in tmp_path.iterdir()]
    assert {one.reason for one in kept} == {reason}
    assert all(findings.broken(one) == reason for one in kept)


def test_a_warning_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def warns(block: Datagrams, state: State, limits: Limits) -> Decoded:
        np.uint8(255) + np.uint8(holds_long_netflow5(block))
        return decode(block, state, limits)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (reason,) = found_with(monkeypatch, tmp_path, warns)
    assert reason.startswith("RuntimeWarning at ")


def test_a_row_too_few_in_a_column_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def loses(block: Datagrams, state: State, limits: Limits) -> Decoded:
        result = decode(block, state, limits)
        if holds_long_netflow5(block) and result.flows.rows:
            result.flows.arrays["proto"] = result.flows.column("proto")[1:]
        return result

    assert set(found_with(monkeypatch, tmp_path, loses)) == {"column proto has another shape than the rows"}


def test_what_depends_on_the_neighbours_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def depends(block: Datagrams, state: State, limits: Limits) -> Decoded:
        result = decode(block, state, limits)
        if len(np.unique(block.exporters, axis=0)) > 1:
            result.flows.arrays["src_port"] = np.zeros(result.flows.rows, np.uint16)
        return result

    found = found_with(monkeypatch, tmp_path, depends)
    (reason,) = found
    assert reason == "decoded together it gives other rows"
    assert not found[reason].alone


def test_a_state_that_does_not_survive_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets(saved: dict[str, object]) -> State:
        return State()

    monkeypatch.setattr(State, "load", forgets)
    found = found_with(monkeypatch, tmp_path, decode)
    assert "a state does not survive its saved form" in found
    assert json.loads(next(tmp_path.iterdir()).read_text())["datagrams"]
