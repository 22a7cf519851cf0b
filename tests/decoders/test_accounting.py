"""Every octet of every datagram is counted, once, under what became of it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import Datagrams, Limits, Octets, State, decode
from tests.decoders.test_blocks import BASES, exports
from tests.decoders.wire import EXPORTER, NOW, a_set, ipfix, options_template9, record5, template, v5, v9

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures"


def octets(payload: bytes, state: State | None = None) -> dict[Octets, int]:
    return dict(decode(Datagrams.of([payload], EXPORTER, NOW), state or State(), Limits()).octets)


H, T, F, P, X, W, OPT = (
    Octets.HEADERS, Octets.TEMPLATES, Octets.FLOWS, Octets.PADDING, Octets.FAULTY, Octets.WAITING, Octets.OPTIONS
)  # fmt: skip
ONE = a_set(0, template(256, [(1, 8)]))
OPTIONS = a_set(1, options_template9(300, [(1, 4)], [(34, 2)]))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", {}),
        (b"\x00\x09", {X: 2}),
        (b"\x00\x63\x00\x00\x00", {X: 5}),
        (v5(record5(), record5()) + b"\x00" * 3, {H: 24, F: 96, P: 3}),
        (v5(record5()) + b"\x00\x01", {H: 24, F: 48, X: 2}),
        (struct.pack(">HH", 5, 40) + bytes(60), {X: 64}),
        (v9(ONE, a_set(256, bytes(16))), {H: 28, T: 8, F: 16}),
        (v9(ONE, a_set(256, bytes(18))), {H: 28, T: 8, F: 16, P: 2}),
        (v9(ONE, a_set(256, bytes(7))), {H: 28, T: 8, X: 7}),
        (v9(ONE) + bytes(900), {H: 24, T: 8, P: 900}),
        (v9(ONE) + struct.pack(">HH", 256, 3) + bytes(9), {H: 24, T: 8, X: 13}),
        (v9(a_set(256, bytes(9))), {H: 24, W: 9}),
        (v9(a_set(77, bytes(9))), {H: 24, X: 9}),
        (v9(a_set(0, template(256, [(1, 8)]) + template(3, [(1, 4)]) + b"\0\0")), {H: 24, T: 8, X: 8, P: 2}),
        (v9(a_set(0, template(256, [(1, 8)]) + template(257, [(1, 4)])[:-2])), {H: 24, T: 8, X: 6}),
        (v9(OPTIONS, a_set(300, bytes(14))), {H: 28, T: 14, OPT: 12, P: 2}),
        (ipfix(a_set(2, template(256, [(1, 2), (82, 65535)])), a_set(256, b"\0\1\2ab\0\2\x09a")),
         {H: 24, T: 12, F: 5, X: 4}),
        (ipfix(a_set(2, struct.pack(">HH", 256, 0))), {H: 20, T: 4}),
    ],
)  # fmt: skip
def test_each_octet_has_its_account(payload: bytes, expected: dict[Octets, int]) -> None:
    assert octets(payload) == expected
    assert sum(expected.values()) == len(payload)


def test_the_accounts_of_real_exports_add_up() -> None:
    for names in json.loads((CAPTURES / "groups.json").read_text()).values():
        state = State()
        for name in names:
            payload = (CAPTURES / "vendor" / name).read_bytes()
            assert sum(octets(payload, state).values()) == len(payload), name


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_accounts_of_mutated_datagrams_add_up(data: st.DataObject) -> None:
    state = State()
    for payload in data.draw(st.lists(st.sampled_from(BASES), min_size=1, max_size=6)):
        mutated = bytearray(payload)
        for _ in range(data.draw(st.integers(0, 6))):
            mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.sampled_from((0, 1, 2, 4, 127, 255)))
        cut = bytes(mutated[: data.draw(st.integers(0, len(mutated)))])
        assert sum(octets(cut, state).values()) == len(cut)


def test_a_block_is_the_sum_of_its_datagrams() -> None:
    payloads, state = exports(), State()
    whole = decode(Datagrams.of(payloads, EXPORTER, NOW), State(), Limits()).octets
    parts = [octets(payload, state) for payload in payloads]
    assert dict(whole) == {kind: sum(part.get(kind, 0) for part in parts) for kind in whole}
    assert sum(whole.values()) == sum(map(len, payloads))
