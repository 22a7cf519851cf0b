"""Attribution: tenants, direction and class of flows, as of the flow's time."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

import numpy as np

from schema.batch import Flows
from schema.columns import DIRECTIONS
from schema.disclosure import CATEGORIES
from tenants.allocations import Allocation, Allocations, load_allocations
from tenants.attribute import Attributor

NOON = 1_793_534_400_000  # 2026-11-01T12:00:00Z
Allocate = Callable[..., Allocations]
DAYS = {"basic": 14, "standard": 30, "extended": 90}


class ThreeClasses:
    """Tenants are standard unless their allocation says otherwise; flows between two keep the shorter age."""

    unassigned_class = "basic"
    disclosed = frozenset(CATEGORIES)

    def class_of(self, tenant: str, service: str | None, region: str | None, allocation_class: str | None) -> str:
        return allocation_class or "standard"

    def between(self, one: str, other: str) -> str:
        return min(one, other, key=DAYS.__getitem__)


def octets(address: str) -> bytes:
    parsed = ip_address(address)
    return bytes(10) + b"\xff\xff" + parsed.packed if isinstance(parsed, IPv4Address) else parsed.packed


def flows_of(rows: Sequence[tuple[str, str, int]], time_received: int = 0) -> Flows:
    """A batch of (source, destination, flow_start in ms)."""
    addresses = [
        np.frombuffer(b"".join(octets(row[side]) for row in rows), np.uint8).reshape(-1, 16) for side in (0, 1)
    ]
    return Flows(
        len(rows),
        {
            "src_addr": addresses[0],
            "dst_addr": addresses[1],
            "flow_start": np.array([row[2] for row in rows], np.int64),
            "time_received": np.full(len(rows), time_received, np.int64),
        },
    )


def rows(flows: Flows) -> list[tuple[str, str, str, str]]:
    names = [
        [flows.symbols[name].names[code] for code in flows.symbols[name].codes]
        for name in ("src_tenant", "dst_tenant", "retention_class")
    ]
    directions = [DIRECTIONS[code] for code in flows.arrays["direction"]]
    return list(zip(names[0], names[1], directions, names[2], strict=True))


def test_direction_and_class_follow_from_both_ends(allocate: Allocate) -> None:
    attributor = Attributor(allocate("192.0.2.0/24,acme,extended,,", "2001:db8::/32,umbrella,,,"), ThreeClasses())
    flows = flows_of(
        [
            ("198.51.100.1", "192.0.2.1", NOON),
            ("192.0.2.1", "198.51.100.1", NOON),
            ("192.0.2.1", "2001:db8::1", NOON),
            ("192.0.2.1", "192.0.2.2", NOON),
            ("198.51.100.1", "203.0.113.1", NOON),
        ]
    )
    assert rows(attributor.attribute(flows)) == [
        ("unassigned", "acme", "ingress", "extended"),
        ("acme", "unassigned", "egress", "extended"),
        ("acme", "umbrella", "internal", "standard"),
        ("acme", "acme", "internal", "extended"),
        ("unassigned", "unassigned", "transit", "basic"),
    ]


def test_reallocated_address_changes_hands_within_a_batch(allocate: Allocate) -> None:
    attributor = Attributor(
        allocate("192.0.2.0/28,acme,,,2026-11-01T12:00:00Z", "192.0.2.0/28,umbrella,,2026-11-01T12:00:00Z,"),
        ThreeClasses(),
    )
    flows = flows_of([("192.0.2.1", "198.51.100.1", NOON + late) for late in (-1, 0, -1, 1)])
    assert [row[0] for row in rows(attributor.attribute(flows))] == ["acme", "umbrella", "acme", "umbrella"]


def test_flow_without_start_goes_by_the_time_received(allocate: Allocate) -> None:
    attributor = Attributor(allocate("192.0.2.0/28,acme,,2026-11-01T12:00:00Z,"), ThreeClasses())
    pairs = [("192.0.2.1", "198.51.100.1", 0), ("192.0.2.1", "198.51.100.1", NOON - 1)]
    assert [row[0] for row in rows(attributor.attribute(flows_of(pairs, NOON)))] == ["acme", "unassigned"]


def test_other_columns_and_their_order_are_kept_and_the_input_is_untouched(allocate: Allocate) -> None:
    attributor = Attributor(allocate("192.0.2.0/24,acme,,,"), ThreeClasses())
    flows = flows_of([("192.0.2.1", "198.51.100.1", NOON)])
    flows.arrays["bytes"] = np.array([77], np.uint64)
    attributed = attributor.attribute(flows)
    assert attributed.arrays["bytes"].tolist() == [77]
    assert "direction" not in flows.arrays
    assert not flows.symbols


def test_empty_batches_and_empty_allocations_are_fine(allocate: Allocate) -> None:
    attributor = Attributor(allocate(), ThreeClasses())
    assert attributor.attribute(Flows(0)).rows == 0
    assert rows(attributor.attribute(flows_of([("192.0.2.1", "::", NOON)]))) == [
        ("unassigned", "unassigned", "transit", "basic")
    ]


def test_lookup_gives_the_whole_allocation_or_none(allocate: Allocate) -> None:
    allocations = allocate("192.0.2.0/24,acme,,,2026-11-01T12:00:00Z")
    attributor = Attributor(allocations, ThreeClasses())
    assert attributor.lookup(octets("192.0.2.9"), NOON - 1) == allocations[0]
    assert attributor.lookup(octets("192.0.2.9"), NOON) is None
    assert attributor.lookup(octets("2001:db8::9"), NOON - 1) is None


def test_fingerprint_changes_with_allocations_and_with_classes(allocate: Allocate) -> None:
    class Longest(ThreeClasses):
        def between(self, one: str, other: str) -> str:
            return max(one, other)

    lines = ("192.0.2.0/24,acme,basic,,", "2001:db8::/32,umbrella,,,")
    same = {Attributor(allocate(*lines), ThreeClasses()).fingerprint for _ in range(2)}
    assert len(same) == 1
    assert Attributor(allocate(*lines[:1]), ThreeClasses()).fingerprint not in same
    assert Attributor(allocate(*lines), Longest()).fingerprint not in same


def test_the_policy_is_asked_by_service_region_and_class_of_the_allocation(tmp_path: Path) -> None:
    class ByAll(ThreeClasses):
        def class_of(self, tenant: str, service: str | None, region: str | None, allocation_class: str | None) -> str:
            asked.append((tenant, service, region, allocation_class))
            return "extended" if (service, region) == ("vps", "eu") else "standard"

    asked: list[tuple[str | None, ...]] = []
    path = tmp_path / "allocations.yaml"
    path.write_text("""allocations:
- {prefix: 192.0.2.0/26, tenant: acme, service: vps, region: eu}
- {prefix: 192.0.2.64/26, tenant: acme, service: vps, region: eu}
- {prefix: 192.0.2.128/26, tenant: acme, service: vps, region: us, class: basic}
- {prefix: 192.0.2.192/26, tenant: acme, region: eu}
- {prefix: 198.51.100.0/24, tenant: umbrella, service: vps, region: eu}
""")
    attributor = Attributor(load_allocations(path), ByAll())
    assert sorted(asked, key=str) == [
        ("acme", "vps", "eu", None), ("acme", "vps", "us", "basic"), ("acme", None, "eu", None),
        ("umbrella", "vps", "eu", None),
    ]  # fmt: skip
    pairs = [(source, "9.9.9.9", NOON) for source in ("192.0.2.1", "192.0.2.65", "192.0.2.129", "192.0.2.193")]
    assert [row[3] for row in rows(attributor.attribute(flows_of(pairs)))] == [
        "extended", "extended", "standard", "standard"
    ]  # fmt: skip
    assert attributor.lookup(octets("192.0.2.130"), NOON) == Allocation(
        ip_network("192.0.2.128/26"), "acme", None, "basic", None, None, 4, "vps", "us"
    )
