"""Addresses: in fields and in lines, with ports, defanged; and what looks like one and is none."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from intake import addresses
from intake.errors import UnreadError
from intake.text import armed


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.7", "192.0.2.7", None),
        (" 192[.]0[.]2[.]7 ", "192.0.2.7", None),
        ("192.0.2.7:51000", "192.0.2.7", 51000),
        ("192.0.2.7[:]22", "192.0.2.7", 22),
        ("192.0.2.7/32", "192.0.2.7", None),
        ("192.0.2.7:0", "192.0.2.7", None),
        ("192.0.2.7:99999", "192.0.2.7", None),
        ("2001:db8::7", "2001:db8::7", None),
        ("[2001:db8::7]:51000", "2001:db8::7", 51000),
        ("[2001:db8::7]", "2001:db8::7", None),
        ("fe80::1%eth0", "fe80::1", None),
        ("::ffff:192.0.2.7", "192.0.2.7", None),
        ("10.0.0.1", "10.0.0.1", None),
    ],
)
def test_fields(text: str, address: str, port: int | None) -> None:
    assert addresses.source(text) == (ip_address(address), port)


@pytest.mark.parametrize(
    "text",
    ["", "evil.example", "192.0.2", "192.0.2.256", "192.0.2.007", "192.0.2.0/24", "1.2.3.4.5", "0.0.0.0", "127.0.0.1",
     "::", "::1", "224.0.0.1", "255.255.255.255", "ff02::1", "3221225991", "192.0.2.7 x", "١٩٢.٠.٢.٧"],
)  # fmt: skip
def test_fields_that_are_no_host(text: str) -> None:
    with pytest.raises(UnreadError):
        addresses.source(text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("from 192.0.2.7 port 51000 ssh2", [("192.0.2.7", 51000)]),
        ("192.0.2.7:51000 -> 198.51.100.1:22", [("192.0.2.7", 51000), ("198.51.100.1", 22)]),
        ("192[.]0[.]2[.]7, port 51000", [("192.0.2.7", 51000)]),
        ("client 192.0.2.7#51000 (x)", [("192.0.2.7", 51000)]),
        ("[2001:db8::7]:51000 and 2001:db8::8.", [("2001:db8::7", 51000), ("2001:db8::8", None)]),
        ("ip 2001:db8::7: failed", [("2001:db8::7", None)]),
        ("host 192.0.2.7.", [("192.0.2.7", None)]),
        ("IP 192.0.2.7.51000 > 198.51.100.1.22: Flags", [("192.0.2.7", 51000), ("198.51.100.1", 22)]),
        ("%ASA-4-1: Deny tcp src outside:192.0.2.7/443", [("192.0.2.7", 443)]),
        ("net 192.0.2.0/24 has 192.0.2.7/32", [("192.0.2.7", None)]),
        ("192.0.2.7 14:03:11", [("192.0.2.7", None)]),
        ("192.0.2.7:14:03:11", [("192.0.2.7", None)]),
        ("tcp/192.0.2.7:80", [("192.0.2.7", 80)]),
        ("OpenSSH 8.9.1.2 and Apache/2.4.1.2, version 1.2.3.4, v1.2.3.4", []),
        ("OpenSSH_8.9.1.2 Chrome/120.0.6099.71", []),
        ("1.2.3.4.5 1.2.3 1.2.3.4.example.com 999.1.2.3 192.0.2.7-static", []),
        ("0.0.0.0 127.0.0.1 :: ::1 255.255.255.0 224.0.0.1", []),
        ("14:03:11 00:11:22:33:44:55 Foo::Bar std::string Bad::Cafe", []),
        ("http://192.0.2.7/a hxxp://192[.]0[.]2[.]8/b", []),
    ],
)  # fmt: skip
def test_lines(line: str, expected: list[tuple[str, int | None]]) -> None:
    found = [(str(mention.address), mention.port) for mention in addresses.found(armed(line))]
    assert found == expected
