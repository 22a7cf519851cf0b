"""Allocations from NetBox, by pynetbox over HTTP, from a server that speaks its REST API as documented."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from settings.errors import RefusalError, UnreachableError
from settings.tenant_source import NetBoxSource
from sources.netbox import fetch
from tenants.cells import FOREVER, parse_time
from tenants.present import Present, merge
from tenants.spans import Holding
from tests.sources.netbox_server import TOKEN, NetBox
from tests.sources.serving import Answer, serving

NOV = parse_time("2026-11-01")


@pytest.fixture
def netbox() -> NetBox:
    return NetBox()


@pytest.fixture
def url(netbox: NetBox) -> Iterator[str]:
    with serving(netbox) as address:
        yield address


def source(url: str, **values: Any) -> NetBoxSource:
    return NetBoxSource(kind="netbox", **{"url": url, "token": TOKEN, **values})


def told(url: str, **values: Any) -> dict[str, str]:
    """Tenants by prefix."""
    return {str(one.prefix): one.holding.tenant for one in fetch(source(url, **values))}


def refused(url: str, **values: Any) -> str:
    with pytest.raises(RefusalError) as caught:
        fetch(source(url, **values))
    return str(caught.value)


def test_prefixes_addresses_and_ranges_with_a_tenant_are_allocations(netbox: NetBox, url: str) -> None:
    number = netbox.add("prefixes", "acme", prefix="192.0.2.0/24")
    netbox.add("prefixes", None, prefix="198.51.100.0/24")
    netbox.add("ip-addresses", "globex", address="192.0.2.7/24")
    netbox.add("ip-addresses", "globex", address="2001:db8::7/64")
    netbox.add("ip-addresses", None, address="192.0.2.8/24")
    netbox.add("ip-ranges", "initech", start_address="192.0.2.10/24", end_address="192.0.2.16/24")
    assert told(url) == {
        "192.0.2.7/32": "globex",
        "2001:db8::7/128": "globex",
        "192.0.2.10/31": "initech",
        "192.0.2.12/30": "initech",
        "192.0.2.16/32": "initech",
        "192.0.2.0/24": "acme",
    }
    untold = frozenset({"resource", "service", "region", "retention_class"})
    first, *_, last = fetch(source(f"{url}/api/"))
    assert last == Present(ip_network("192.0.2.0/24"), Holding("acme"), None, None, f"prefix {number}", untold)
    assert first.untold == untold - {"resource"}


def test_of_equal_prefixes_the_address_says_more_than_the_range_and_that_more_than_the_prefix(
    netbox: NetBox, url: str
) -> None:
    netbox.add("prefixes", "outer", prefix="192.0.2.8/29")
    netbox.add("prefixes", "outer", prefix="192.0.2.1/32")
    netbox.add("ip-ranges", "middle", start_address="192.0.2.8/24", end_address="192.0.2.15/24")
    netbox.add("ip-ranges", "middle", start_address="192.0.2.1/24", end_address="192.0.2.1/24")
    netbox.add("ip-addresses", "inner", address="192.0.2.1/24")
    assert told(url) == {"192.0.2.1/32": "inner", "192.0.2.8/29": "middle"}


def test_statuses_that_count_are_configured(netbox: NetBox, url: str) -> None:
    for number, status in enumerate(("container", "active", "reserved", "deprecated")):
        netbox.add("prefixes", status, prefix=f"10.0.{number}.0/24", status=status)
    assert [*told(url).values()] == ["active"]
    assert [*told(url, statuses=["active", "reserved"]).values()] == ["active", "reserved"]


def test_the_global_table_alone_unless_vrfs_are_named(netbox: NetBox, url: str) -> None:
    one, other, twin = netbox.add_vrf("Internet", "65000:1"), netbox.add_vrf("lab"), netbox.add_vrf("lab", "65000:2")
    netbox.add("prefixes", "a", prefix="192.0.2.0/24")
    netbox.add("prefixes", "b", vrf=one, prefix="198.51.100.0/24")
    netbox.add("prefixes", "c", vrf=other, prefix="192.0.2.0/24")
    netbox.add("prefixes", "d", vrf=twin, prefix="192.0.2.0/24")
    assert told(url) == {"192.0.2.0/24": "a"}
    assert told(url, vrfs=["global", "65000:1"]) == {"192.0.2.0/24": "a", "198.51.100.0/24": "b"}
    assert told(url, vrfs=["65000:2"]) == {"192.0.2.0/24": "d"}
    assert refused(url, vrfs=["internet"]) == "NetBox has no VRF 'internet'; did you mean 'Internet'?"
    assert refused(url, vrfs=["lab"]).startswith("NetBox has several VRFs 'lab'")
    netbox.ignores_filters = True
    assert told(url) == {"192.0.2.0/24": "a"}


def test_custom_fields_hold_the_other_columns(netbox: NetBox, url: str) -> None:
    given: dict[str, object] = {
        "svc": "vps",
        "site": {"id": 4, "url": "http://netbox/api/dcim/sites/4/", "name": "Site 4", "slug": "site-4"},
        "days": "",
        "from": "2026-11-01",
        "until": None,
    }
    netbox.add("prefixes", "acme", prefix="192.0.2.0/24", custom_fields=given)
    names = {"service": "svc", "region": "site", "class": "days", "valid_from": "from"}
    (found,) = fetch(source(url, fields=names))
    assert found.holding == Holding("acme", None, "vps", "site-4", None)
    assert (found.valid_from, found.valid_to, found.untold) == (NOV, None, frozenset({"resource"}))
    assert fetch(source(url, fields={"valid_to": "until"}))[0].valid_to == FOREVER
    assert "has no custom field 'form' on prefixes" in refused(url, fields={"valid_from": "form"})
    netbox.add("prefixes", "acme", prefix="192.0.2.0/25", custom_fields={"from": "soon", "svc": ["a"]})
    first, *faults = refused(url, fields={"valid_from": "from", "service": "svc"}).splitlines()
    assert "cannot be used" in first
    assert faults == [
        "prefix 2: 'service' must be text",
        "prefix 2: 'soon' is not a time, such as 2026-11-01 or 2026-11-01T12:00:00Z",
    ]


def test_the_resource_of_an_address_is_its_machine(netbox: NetBox, url: str) -> None:
    def interface(kind: str, name: str) -> dict[str, object]:
        return {
            "id": 1,
            "url": "http://netbox/api/dcim/interfaces/1/",
            "name": "eth0",
            kind: {"id": 2, "url": f"http://netbox/api/dcim/{kind}s/2/", "name": name},
        }

    netbox.add("ip-addresses", "a", address="192.0.2.1/24", assigned_object=interface("virtual_machine", "vm-7"))
    netbox.add("ip-addresses", "a", address="192.0.2.2/24", assigned_object=interface("device", "router-1"))
    netbox.add("ip-addresses", "a", address="192.0.2.3/24", assigned_object={"id": 1, "name": "group 4"})
    netbox.add("ip-addresses", "a", address="192.0.2.9/24", assigned_object=interface("device", "router-1"))
    netbox.add("ip-addresses", "a", address="192.0.2.9/24", assigned_object=interface("device", "router-2"))
    found = {str(one.prefix): one.holding.resource for one in fetch(source(url))}
    assert found == {"192.0.2.1/32": "vm-7", "192.0.2.2/32": "router-1", "192.0.2.3/32": None, "192.0.2.9/32": None}


def test_two_tenants_of_one_address_are_a_contradiction_with_both_numbers(netbox: NetBox, url: str) -> None:
    one = netbox.add("ip-addresses", "a", address="192.0.2.9/24")
    other = netbox.add("ip-addresses", "b", address="192.0.2.9/25")
    with pytest.raises(
        RefusalError, match=rf"'a' \(IP address {one}\) and 'b' \(IP address {other}\) at the same time"
    ):
        merge([], fetch(source(url)), NOV)


def test_pages_miss_nothing_while_objects_are_deleted(netbox: NetBox, url: str) -> None:
    numbers = [netbox.add("prefixes", "a", prefix=f"10.0.{number}.0/24") for number in range(25)]
    netbox.most = 10
    assert len(told(url)) == 25
    assert netbox.asked.count("/api/ipam/prefixes/") == 3
    netbox.deleted_after = ("prefixes", numbers[0])
    assert len(told(url)) == 25
    assert len(told(url)) == 24
    netbox.ignores_filters = True
    assert "does not list objects by their numbers" in refused(url)


def test_a_token_that_may_not_read_is_told(netbox: NetBox, url: str) -> None:
    words = refused(url, token="wrong")
    assert "/api/status/ answers 403 Forbidden" in words
    assert "Invalid token" in words
    assert "tenants_source.token" in words
    netbox.forbidden = "/api/ipam/ip-ranges/"
    assert "/api/ipam/ip-ranges/" in refused(url)
    assert "You do not have permission" in refused(url)


def test_what_is_no_netbox_is_told(url: str) -> None:
    assert "/dcim/api/status/ answers 404" in refused(f"{url}/dcim")
    for body in (b"<html>hello</html>", {"version": 7}, ["a"]):
        with serving(lambda _, body=body: Answer(body)) as other:  # type: ignore[misc]
            words = refused(other)
            assert "does not answer as NetBox does" in words or "is no NetBox" in words
    page = {"netbox-version": "4.4.2", "results": [{"id": 1}], "count": 1, "next": None}
    with serving(lambda _: Answer(page)) as other:
        assert "does not answer as NetBox does (KeyError('vrf'))" in refused(other)


def test_a_netbox_that_fails_or_is_away_is_unreachable(netbox: NetBox, url: str) -> None:
    netbox.broken = "/api/ipam/prefixes/"
    with pytest.raises(
        UnreachableError, match=r"/api/ipam/prefixes/.* answers 500 .*OperationalError.*try again later"
    ):
        fetch(source(url))
    with pytest.raises(UnreachableError, match="does not answer: Connection refused"):
        fetch(source("http://127.0.0.1:9"))
