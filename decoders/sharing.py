"""Decoders' saved states parted anew, where exporters are parted among another number of workers than before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from decoders.connections import Connections
from decoders.state import FORMAT, State

_BY_EXPORTER = ("templates", "late", "started", "broken", "waiting", "restarts", "sequences", "sources")
_ADDRESS = 32
"""Hexadecimal digits with which each row of these begins: the exporter's address."""


def part(states: Sequence[dict[str, Any]], count: int, owner: Callable[[bytes], int]) -> list[dict[str, Any]]:
    """Return `count` states as `State.dump` gives them; each exporter's part of `states` goes to its `owner`.

    Exporters, 16 octets, are in one of the `states` each. Those of another format count for nothing.
    """
    current = [state for state in states if state.get("format") == FORMAT]
    parted = [State().dump() for _ in range(count)]
    for name in _BY_EXPORTER:
        for row in (row for state in current for row in state[name]):
            parted[_owner(row, owner)][name].append(row)
    for by in parted[0]["samplers"]:
        for row in (row for state in current for row in state["samplers"][by]):
            parted[_owner(row, owner)]["samplers"][by].append(row)
    connections = [Connections() for _ in range(count)]
    for state in current:
        before = Connections()
        before.load(state["connections"])
        for number, into in enumerate(connections):
            into.absorb(before, {stream for stream in before.numbers if owner(stream.exporter) == number})
    for state, into in zip(parted, connections, strict=True):
        state["connections"] = into.dump()
    return parted


def _owner(row: Sequence[Any], owner: Callable[[bytes], int]) -> int:
    return owner(bytes.fromhex(row[0][:_ADDRESS]))
