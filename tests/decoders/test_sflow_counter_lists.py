"""sFlow counter samples: hosts and their adaptors, lanes of modules, queues and names of ports."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from decoders import Limits
from decoders.block import Name, Naming
from tests.decoders.counter_wire import (
    datagram,
    decoded,
    distinct,
    host_adapters,
    host_descr,
    lane,
    only,
    port_buffers,
    record,
    rows,
    sample,
    sfp,
    string,
    structure,
    told,
)
from tests.decoders.wire import NOW

ID = bytes(range(16))


def test_a_host_is_told_from_its_virtual_machines() -> None:
    host = record((0, 2000), host_descr(b"metal", ID, 3, 2, b"6.1.0"))
    guest = record((0, 2000), host_descr(b"guest", bytes(15) + b"\1", 10, 8, b""))
    cpu, node = distinct((0, 2003)), distinct((0, 2100))
    parent, memory = distinct((0, 2002)), distinct((0, 2102))
    result = decoded(
        datagram(
            sample(host, record((0, 2003), structure((0, 2003), cpu)), record((0, 2100), structure((0, 2100), node))),
            sample(guest, record((0, 2002), structure((0, 2002), parent)),
                   record((0, 2102), structure((0, 2102), memory)), record((0, 2001), host_adapters((4, [5])))),
            sample(guest),
        )
    )  # fmt: skip
    hosts, machines = rows(result, "counters_host"), rows(result, "counters_virtual")
    text = ("name", "uuid", "machine_type", "os_name", "os_release")
    metal = ("metal", str(UUID(bytes=ID)), "x86_64", "linux", "6.1.0")
    within = ("guest", "00000000-0000-0000-0000-000000000001", "arm", "freebsd", "")
    assert [tuple(row[name] for name in text) for row in hosts] == [metal, within]
    assert [tuple(row[name] for name in text) for row in machines] == [metal, within]
    assert told(hosts[0], cpu) == cpu
    assert told(hosts[1], cpu) == dict.fromkeys(cpu)
    assert told(machines[0], node) == node
    assert told(machines[1], parent | memory) == parent | memory
    [adaptor] = rows(result, "counters_adaptor")
    assert (adaptor["name"], adaptor["uuid"], adaptor["if_index"], adaptor["mac"]) == (*within[:2], 4, 5)
    assert set(result.counters) == {"counters_host", "counters_virtual", "counters_adaptor"}


@pytest.mark.parametrize(
    ("machine", "system", "expected"),
    [(0, 0, ("unknown", "unknown")), (12, 12, ("s390", "solaris")), (77, 2**32 - 2, ("77", "4294967294")),
     (2**32 - 1, 2**32 - 1, ("", ""))],
)  # fmt: skip
def test_kinds_of_hosts_have_names(machine: int, system: int, expected: tuple[str, str]) -> None:
    row = only(
        decoded(datagram(sample(record((0, 2000), host_descr(b"", ID, machine, system, b"r"))))), "counters_host"
    )
    assert (row["machine_type"], row["os_name"]) == expected


@pytest.mark.parametrize("none", [bytes(16), b"\xff" * 16])
def test_a_host_without_uuid(none: bytes) -> None:
    row = only(decoded(datagram(sample(record((0, 2000), host_descr(b"h", none, 3, 2, b"r"))))), "counters_host")
    assert (row["uuid"], row["name"], row["os_release"]) == ("", "h", "r")


def test_a_host_description_cut_anywhere_tells_what_is_whole() -> None:
    whole = host_descr(b"metal", ID, 3, 2, b"6.1.0")
    text = ("name", "uuid", "machine_type", "os_name", "os_release")
    known = ("metal", str(UUID(bytes=ID)), "x86_64", "linux", "6.1.0")
    ends = (9, 28, 32, 36, 45)
    for length in range(len(whole) + 1):
        result = decoded(datagram(sample(record((0, 2000), whole[:length]), sequence=5)))
        row = only(result, "counters_host")
        assert tuple(row[name] for name in text) == tuple(
            value if length >= end else "" for value, end in zip(known, ends, strict=True)
        )


def test_adaptors_are_a_row_for_each_address() -> None:
    one = record((0, 2001), host_adapters((1, [0xA, 0xB]), (0, [None]), (3, []), (4, [0xFFFFFFFFFFFE])))
    two = record((0, 2001), host_adapters((9, [0xC])))
    for copies in (1, 40):
        result = decoded(*[datagram(sample(one, sequence=1), sample(two, sequence=2))] * copies)
        expected = [
            (1, 1, 0xA), (1, 1, 0xB), (1, None, None), (1, 3, None), (1, 4, 0xFFFFFFFFFFFE), (2, 9, 0xC)
        ]  # fmt: skip
        found = [(row["sequence"], row["if_index"], row["mac"]) for row in rows(result, "counters_adaptor")]
        assert found == expected * copies
        assert list(result.counters) == ["counters_adaptor"]


def test_adaptors_cut_anywhere_are_those_before() -> None:
    adapters: list[tuple[int, list[int | None]]] = [(1, [0xA, 0xB]), (2, [0xC])]
    whole = host_adapters(*adapters)
    behind = sample(record((0, 5), structure((0, 5), distinct((0, 5)))))
    for length in range(len(whole)):
        result = decoded(datagram(sample(record((0, 2001), whole[:length])), behind))
        found = [(row["if_index"], row["mac"]) for row in rows(result, "counters_adaptor")]
        first = [(1, None)] if 12 <= length < 20 else [(1, mac) for mac, end in ((0xA, 20), (0xB, 28)) if length >= end]
        assert found == first + ([(2, None)] if 36 <= length < 44 else [])
        assert len(rows(result, "counters_vlan")) == 1


def test_adaptors_are_bounded() -> None:
    many = host_adapters(*((index, [index]) for index in range(1, 100)))
    addresses: list[int | None] = list(range(1, 40))
    crowded = host_adapters((1, addresses), (2, [7]))
    found = rows(decoded(datagram(sample(record((0, 2001), many)))), "counters_adaptor")
    assert [row["if_index"] for row in found] == list(range(1, 65))
    found = rows(decoded(datagram(sample(record((0, 2001), crowded)))), "counters_adaptor")
    assert [(row["if_index"], row["mac"]) for row in found] == [*((1, mac) for mac in range(1, 17)), (2, 7)]


def test_lanes_are_a_row_each() -> None:
    module = distinct((0, 10))
    octets = record((0, 10), sfp(module, [lane(1), lane(2), lane(3) | {"tx_power": None}]))
    named = sample(octets, record((0, 1005), string(b"swp1")), sequence=1)
    single = sample(record((0, 10), sfp(module, [lane(4)])), sequence=2)
    result = decoded(datagram(named, sample(record((0, 10), sfp(module, []))), single))
    found = rows(result, "counters_lane")
    expected = [(1, "swp1", lane(1)), (1, "swp1", lane(2)), (1, "swp1", lane(3) | {"tx_power": None}), (2, "", lane(4))]
    assert [(row["sequence"], row["name"], told(row, lane(1))) for row in found] == expected
    assert [told(row, module) for row in rows(result, "counters_interface")] == [module] * 3


def test_lanes_cut_anywhere_lack_what_is_behind() -> None:
    whole = sfp(distinct((0, 10)), [lane(1), lane(2)])
    for length in range(16, len(whole)):
        result = decoded(datagram(sample(record((0, 10), whole[:length]))))
        found = rows(result, "counters_lane")
        left = max(length - 20, 0)
        assert len(found) == -(-left // 40)
        seen = [value for row in found for value in told(row, lane(1)).values()]
        known = [*lane(1).values(), *lane(2).values()][: left // 4]
        assert seen == known + [None] * (len(seen) - len(known))


def test_lanes_are_bounded() -> None:
    result = decoded(datagram(sample(record((0, 10), sfp(distinct((0, 10)), [lane(at) for at in range(70)])))))
    assert [row["lane_index"] for row in rows(result, "counters_lane")] == [100 * at for at in range(64)]


@pytest.mark.parametrize(("unicast", "multicast"), [(8, 8), (0, 3), (5, 0), (11, 9)])
def test_queues_of_a_port(unicast: int, multicast: int) -> None:
    values = distinct((4413, 2))
    lists = [[*range(base, base + count)] for base, count in ((10, unicast), (50, multicast))]
    octets = port_buffers(values, list[int | None](lists[0]), list[int | None](lists[1]))
    row = only(decoded(datagram(sample(record((4413, 2), octets)))), "counters_interface")
    assert told(row, values) == values
    for kind, queues in zip(("uc", "mc"), lists, strict=True):
        expected = [*queues, *[None] * 8][:8]
        assert [row[f"bst_egress_queue_{kind}_pc_{queue}"] for queue in range(8)] == expected


def test_queues_cut_anywhere_lack_what_is_behind() -> None:
    whole = port_buffers(distinct((4413, 2)), [1, 2, None, 4], [5, 6])
    words = [1, 2, None, 4, 5, 6]
    ends = [24, 28, 32, 36, 44, 48]
    for length in range(16, len(whole)):
        row = only(decoded(datagram(sample(record((4413, 2), whole[:length])))), "counters_interface")
        seen = [row[f"bst_egress_queue_{kind}_pc_{queue}"] for kind in ("uc", "mc") for queue in range(8)]
        expected = [word if length >= end else None for word, end in zip(words, ends, strict=True)]
        assert seen == [*expected[:4], *[None] * 4, *expected[4:], *[None] * 6]


def test_names_of_interfaces() -> None:
    def port(name: bytes, *more: bytes, **source: Any) -> bytes:
        return sample(record((0, 1005), string(name)), *more, **source)

    counters = record((0, 1), structure((0, 1), distinct((0, 1))))
    result = decoded(
        datagram(port(b"eth3", counters), port(b"eth3", counters, expanded=True), port(b"br0", source=(1, 3)), agent=1),
        datagram(port(b"eth3"), port(b"eth4", source=(0, 4)), port(b"", source=(0, 5)), agent=2, sub_agent=6),
        datagram(port(b"eth9"), port(b"eth3"), agent=1),
    )
    one, two = (bytes(10) + b"\xff\xff" + bytes((198, 51, 100, last)) for last in (1, 2))
    assert result.names == [
        Name(two, 6, Naming.INTERFACE, 3, "eth3", "", NOW), Name(two, 6, Naming.INTERFACE, 4, "eth4", "", NOW),
        Name(one, 0, Naming.INTERFACE, 3, "eth9", "", NOW), Name(one, 0, Naming.INTERFACE, 3, "eth3", "", NOW),
    ]  # fmt: skip
    assert [row["name"] for row in rows(result, "counters_interface")] == ["eth3", "eth3"]
    assert not result.passed_over


def test_names_are_cleaned_and_cut() -> None:
    dirty = sample(record((0, 1005), string(b"et\x1bh\xff" + b"x" * 300)), record((0, 5), bytes(28)))
    result = decoded(datagram(dirty), limits=Limits(name_length=8))
    assert [name.name for name in result.names] == ["et\N{REPLACEMENT CHARACTER}h\N{REPLACEMENT CHARACTER}xxx"]
    assert rows(result, "counters_vlan")[0]["name"] == result.names[0].name
