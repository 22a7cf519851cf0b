"""Every vendor capture decodes; how many flows each gives is printed, and fixed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from decoders import Datagrams, Limits, State, decode, finish
from tests.decoders.wire import EXPORTER, NOW

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures"
if not CAPTURES.is_dir():
    pytest.skip(f"{CAPTURES} is not here: it lies beside the checkout, as in CI", allow_module_level=True)
GROUPS: dict[str, list[str]] = json.loads((CAPTURES / "groups.json").read_text())
FLOWS: dict[str, int] = json.loads((Path(__file__).parent / "vendor_flows.json").read_text())
FAULTS = {
    "netflow5_invalid01": {"bad_count": 1},
    "netflow5_invalid02": {"bad_count": 1},
    "netflow9_iptnetflow_reduced_size_encoding": {"template_missing": 6},
    "ipfix_netscaler": {"template_missing": 1},
}


@pytest.mark.parametrize("group", GROUPS)
def test_group_decodes(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    state, flows, faults = State(), 0, dict[str, int]()
    for name in GROUPS[group]:
        payload = (CAPTURES / "vendor" / name).read_bytes()
        result = decode(Datagrams.of([payload], EXPORTER, NOW), state, Limits())
        flows += result.flows.rows
        faults |= {fault.value: count for fault, count in result.faults.items()}
    faults |= {fault.value: count for fault, count in finish(state).faults.items()}
    with capsys.disabled():
        print(f"\n{group}: {flows} flows", end="")
    assert flows == FLOWS[group]
    assert faults == FAULTS.get(group, {})


def test_every_file_belongs_to_a_group() -> None:
    named = {name for names in GROUPS.values() for name in names}
    assert named == {path.name for path in (CAPTURES / "vendor").iterdir()}


def test_state_survives_its_saved_form() -> None:
    for names in GROUPS.values():
        state = State()
        for name in names:
            decode(Datagrams.of([(CAPTURES / "vendor" / name).read_bytes()], EXPORTER, NOW), state, Limits())
        saved = json.loads(json.dumps(state.dump()))
        assert State.load(saved).dump() == state.dump()
