"""Who held an address: by allocations of every kind, as attribution says, and as we knew it at the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse.allocation_history import record
from abuse.holders import held, holdings, milliseconds, warnings
from abuse.who import who
from retention.policy import Policy, load_policy
from schema.addresses import packed
from storage.embedded import Node
from tenants.allocations import Allocation, load_allocations
from tenants.attribute import Attributor
from tests.abuse.story import Traffic, at, site
from tests.retention.conftest import EXAMPLE

T0 = datetime(2026, 11, 20, tzinfo=UTC)
ADDRESS = ip_address("192.0.2.7")
PREFIXES = ("192.0.2.0/24", "192.0.2.0/28", "192.0.2.7/32", "198.51.100.0/24", "2001:db8::/32")


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(("prefix,tenant,valid_from,valid_to", *rows)) + "\n")
    return path


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(EXAMPLE, {})


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_holdings_are_what_attribution_says(
    data: st.DataObject, policy: Policy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = []
    for prefix in PREFIXES:
        days = sorted(data.draw(st.lists(st.integers(0, 12), max_size=4, unique=True)))
        for number, (start, end) in enumerate(pairwise(days)):
            if data.draw(st.booleans()):
                first, last = ((T0 + timedelta(days=day)).isoformat() for day in (start, end))
                rows.append(f"{prefix},tenant-{number}-{prefix.partition('/')[2]},{first},{last}")
    allocations = load_allocations(write(tmp_path_factory.mktemp("a") / "t.csv", *rows))
    attributor = Attributor(allocations, policy)
    line = holdings(ADDRESS, [allocations[place] for place in range(len(allocations))])
    assert all(one.end == other.start for one, other in pairwise(line))
    for day in range(-1, 14):
        moment = T0 + timedelta(days=day)
        (during,) = held(line, moment, moment).during
        found = attributor.lookup(packed(ADDRESS), milliseconds(moment))
        assert during.tenant == (found.tenant if found else "unassigned")


def test_what_came_before_and_after_is_told() -> None:
    change = milliseconds(T0)
    line = holdings(
        ADDRESS,
        [
            Allocation(ip_network("192.0.2.7/32"), "a", None, None, None, change, 1),
            Allocation(ip_network("192.0.2.7/32"), "b", None, None, change, None, 2),
        ],
    )
    minute = timedelta(minutes=1)
    soon = held(line, T0 + 3 * minute, T0 + 3 * minute)
    assert (soon.tenants, soon.before and soon.before.tenant, soon.after) == (("b",), "a", None)
    assert list(warnings(soon, T0 + 3 * minute, T0 + 3 * minute)) == [
        "3 min earlier it was a's: a slow clock would make it theirs"
    ]
    around = held(line, T0 - minute, T0 + minute)
    assert around.tenants == ("a", "b")
    assert not around.is_clear
    assert next(iter(warnings(around, T0 - minute, T0 + minute))).startswith("the holder changed within the time")
    late = held(line, T0 + timedelta(days=2), T0 + timedelta(days=2))
    assert list(warnings(late, T0 + timedelta(days=2), T0 + timedelta(days=2))) == [
        "b had it for 2 d only; before, it was a's"
    ]


def test_the_history_says_what_was_known_and_when(database: Node, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    days = [T0 + timedelta(days=day) for day in range(4)]
    with database.connect("admin") as admin, database.connect("query") as query:
        assert record(admin, load_allocations(write(file, "192.0.2.0/24,isp,,", "192.0.2.7/32,a,,")), days[0]) == 2
        assert record(admin, load_allocations(file), days[1]) == 0, "nothing has changed"
        change = days[1].isoformat()
        write(file, "192.0.2.0/24,isp,,", f"192.0.2.7/32,a,,{change}", f"192.0.2.7/32,b,{change},")
        assert record(admin, load_allocations(file), days[2]) == 3, "learned a day late"
        moment = days[1] + timedelta(hours=1)
        now = who(query, ADDRESS, moment, moment)
        assert now.tenants == ("b",)
        assert now.then is not None
        assert now.then.tenants == ("a",)
        assert any("flows were stored for a, the record came later" in text for text in now.warnings)
        assert who(query, ADDRESS, moment, moment, known_at=days[1]).tenants == ("a",)
        write(file, "192.0.2.0/24,isp,,")
        assert record(admin, load_allocations(file), days[3]) == 2
        assert who(query, ADDRESS, moment, moment).tenants == ("b",), "a row that was cleared away still tells"
        later = days[3] + timedelta(hours=1)
        assert who(query, ADDRESS, later, later).tenants == ("isp",)
        assert who(query, ip_address("2001:db8::1"), moment, moment).tenants == ("unassigned",)


def test_behind_a_translator_the_port_and_the_time_tell(database: Node, tmp_path: Path) -> None:
    site(database, tmp_path)
    traffic = Traffic(tmp_path)
    outside = "198.51.100.77"
    traffic.add(at("14:00"), "192.0.2.70", "203.0.113.5", (1000, 443), nat=(outside, 40000))
    traffic.add(at("14:00"), "192.0.2.7", "203.0.113.5", (1001, 443), nat=(outside, 40001))
    traffic.store(database)
    with database.connect("ingest") as ingest:
        for event, moment in ((16, at("10:00")), (17, at("11:00"))):
            time = f"toDateTime64('{moment:%Y-%m-%d %H:%M:%S}', 3, 'UTC')"
            ingest.command(
                "INSERT INTO flows (time_received, flow_start, retention_class, src_addr, post_nat_src_addr, "
                f"nat_event, nat_port_start, nat_port_end, src_tenant) SELECT {time}, {time}, 'basic', "
                f"toIPv6('192.0.2.71'), toIPv6('{outside}'), {event}, 2048, 4095, 'tenant-c'"
            )
    address = ip_address(outside)
    with database.connect("query") as query:
        (found,) = who(query, address, at("14:00"), at("14:00:01"), port=40001).bindings
        assert (str(found.inside), found.tenant, found.by) == ("192.0.2.7", "tenant-b", "flows")
        assert who(query, address, at("14:00"), at("14:00:01"), port=40000).tenants == ("tenant-c",)
        (block,) = who(query, address, at("10:30"), at("10:30"), port=3000).bindings
        assert (str(block.inside), block.first_port, block.last_port, block.end) == (
            "192.0.2.71",
            2048,
            4095,
            at("11:00"),
        )
        assert who(query, address, at("11:30"), at("11:30"), port=3000).bindings == ()
        assert who(query, address, at("10:30"), at("10:30"), port=5000).bindings == ()
