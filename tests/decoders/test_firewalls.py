"""Firewall and NAT events (protocols.md 1.6): each octet once, whatever events repeat it, and what was translated."""

from __future__ import annotations

import json
import struct
from ipaddress import ip_address

import pytest

from decoders import Datagrams, Limits, State, decode
from tests.decoders.wire import EXPORTER, NOW, SECONDS, a_set, decoded, flows, ipfix, template, v9

FIELDS = [(148, 4), (8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (233, 1), (33002, 2), (231, 4), (232, 4), (40000, 20)]
NSEL = a_set(0, template(263, FIELDS))
CREATE, DELETE, DENIED, UPDATE = 1, 2, 3, 5


def event(kind: int, connection: int = 7, sent: int = 0, received: int = 0, user: bytes = b"") -> bytes:
    here, there = ip_address("192.0.2.9").packed, ip_address("198.51.100.7").packed
    return struct.pack(">I4s4sHHBBHII20s", connection, here, there, 5000, 443, 6, kind, 2032, sent, received, user)


def sums(*records: bytes, state: State | None = None) -> list[tuple[str, int]]:
    rows = flows(v9(NSEL, a_set(263, b"".join(records))), state=state)
    return [(str(row["src_addr"]), int(str(row["bytes"]))) for row in rows if row["bytes"]]


def test_a_delete_event_keeps_what_no_update_has_told() -> None:
    assert sums(event(CREATE), event(UPDATE, sent=80), event(UPDATE, sent=30), event(DELETE, sent=125)) == [
        ("192.0.2.9", 80), ("192.0.2.9", 30), ("192.0.2.9", 15),
    ]  # fmt: skip


def test_a_delete_event_alone_keeps_all() -> None:
    assert sums(event(DELETE, sent=125)) == [("192.0.2.9", 125)]


def test_updates_and_deletes_meet_across_blocks_and_restarts_of_ours() -> None:
    state = State()
    assert sums(event(UPDATE, sent=80), event(UPDATE, 8, sent=5), state=state) == [("192.0.2.9", 80), ("192.0.2.9", 5)]
    state = State.load(json.loads(json.dumps(state.dump())))
    assert sums(event(DELETE, sent=100), state=state) == [("192.0.2.9", 20)]
    assert sums(event(DELETE, 8, sent=5), state=state) == []


def test_an_update_that_comes_after_the_delete_adds_nothing() -> None:
    state = State()
    assert sums(event(DELETE, sent=100), event(UPDATE, sent=40), state=state) == [("192.0.2.9", 100)]
    assert sums(event(UPDATE, sent=7), state=state) == []


def test_what_the_responder_sent_is_the_reverse_flow_and_events_count_once() -> None:
    rows = flows(
        v9(NSEL, a_set(263, event(UPDATE, sent=80, received=900, user=b"ALICE") + event(DELETE, sent=80, received=950)))
    )
    seen = {(row["src_addr"], row["src_port"], row["bytes"], row["firewall_event"]) for row in rows}
    assert seen == {
        ("192.0.2.9", 5000, 80, UPDATE), ("192.0.2.9", 5000, 0, DELETE),
        ("198.51.100.7", 443, 900, 0), ("198.51.100.7", 443, 50, 0),
    }  # fmt: skip
    assert {row["user_name"] for row in rows if row["firewall_event"] == UPDATE} == {"ALICE"}
    assert {row["firewall_event_code"] for row in rows if row["firewall_event"]} == {2032}


def test_denied_connections_are_events_without_octets() -> None:
    (row,) = flows(v9(NSEL, a_set(263, event(DENIED))))
    assert (row["firewall_event"], row["bytes"]) == (DENIED, 0)


def test_other_firewalls_counters_stay_as_they_are() -> None:
    sets = a_set(2, template(263, [(148, 4), (233, 1), (1, 4)]))
    rows = flows(ipfix(sets, a_set(263, struct.pack(">IBIIBI", 7, UPDATE, 80, 7, DELETE, 20))))
    assert [row["bytes"] for row in rows] == [80, 20]


def test_addresses_and_ports_after_translation() -> None:
    fields = [(230, 1), (225, 4), (227, 2), (361, 2), (364, 2)]
    body = struct.pack(">B4sHHH", 4, ip_address("203.0.113.5").packed, 1024, 2048, 512)
    (row,) = flows(ipfix(a_set(2, template(300, fields)), a_set(300, body)))
    assert (row["nat_event"], row["post_nat_src_addr"], row["post_nat_src_port"]) == (4, "203.0.113.5", 1024)
    assert (row["nat_port_start"], row["nat_port_end"]) == (2048, 2559)
    six = ip_address("2001:db8::5").packed
    (row,) = flows(ipfix(a_set(2, template(300, [(281, 16), (282, 16)])), a_set(300, six + six)))
    assert row["post_nat_src_addr"] == row["post_nat_dst_addr"] == "2001:db8::5"


@pytest.mark.parametrize("name", [b"=1+1\0junk", b"\xff\xfe" + b"a" * 18])
def test_user_names_are_valid_text(name: bytes) -> None:
    (row,) = flows(v9(NSEL, a_set(263, event(UPDATE, sent=1, user=name))))
    assert str(row["user_name"]).isprintable()
    assert "\0" not in str(row["user_name"])


def test_user_names_of_many_layouts_in_one_block() -> None:
    variable = a_set(2, template(300, [(1, 4), (371, 65535)]))
    body = struct.pack(">IB3sIB", 1, 3, b"bob", 2, 0)
    result = decoded(ipfix(variable, a_set(300, body)), v9(NSEL, a_set(263, event(UPDATE, sent=3, user=b"alice"))))
    names = result.flows.symbols["user_name"]
    told = {
        int(octets): names.names[code] for octets, code in zip(result.flows.column("bytes"), names.codes, strict=True)
    }
    assert told == {1: "bob", 2: "", 3: "alice"}


def test_a_firewall_that_begins_anew_numbers_other_connections() -> None:
    state = State()
    assert sums(event(UPDATE, sent=1000), state=state) == [("192.0.2.9", 1000)]
    again = v9(NSEL, a_set(263, event(DELETE, sent=500)), uptime=2000, sequence=0, seconds=SECONDS + 9)
    assert [row["bytes"] for row in flows(again, state=state)] == [500]


def test_a_number_that_serves_again_long_after_its_delete_is_another_connection() -> None:
    state = State()
    one = v9(NSEL, a_set(263, event(DELETE, sent=500)))
    for time in (NOW, NOW + 3_600_000):
        assert decode(Datagrams.of([one], EXPORTER, time), state, Limits()).flows.column("bytes").tolist() == [500]


def test_counters_of_both_directions_are_kept_apart() -> None:
    fields = [(148, 4), (233, 1), (85, 4), (85, 4, 29305)]
    sets = a_set(2, template(263, fields)), a_set(263, struct.pack(">IBII", 7, DELETE, 500, 900))
    assert sorted(row["bytes"] for row in flows(ipfix(*sets))) == [500, 900]  # type: ignore[type-var]
