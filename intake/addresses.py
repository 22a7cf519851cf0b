"""Addresses as people write them: with a port, in brackets, defanged, mapped; alone in a field or within a line."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice

from intake.errors import UnreadError
from intake.report import Address
from intake.text import armed, printable

_MOST_IN_LINE = 64
"""How much of a line that could be an address is looked at: times of day could be, by their form."""

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_IN_LINE = re.compile(
    rf"(?<![\w.])(?P<v4>{_V4})(?!\w|\.\w|-[A-Za-z])|"
    rf"(?<![\w.])(?P<dump>{_V4})\.(?P<dumped>[0-9]{{1,5}})(?=[ :,]|$)|"
    r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:)(?P<v6>[0-9A-Fa-f:.]{3,45})(?![\w:.])(?:%\w{1,16})?",
    re.ASCII,
)
_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+]{1,9}://\S{1,4000}", re.ASCII)
_VERSION = re.compile(
    r"(?i:\b(?:version|ver|release|rev|build|firmware)[ :_-]{1,2}|\b(?:v|openssh|openssl|dovecot|php)[ _-]|[A-Za-z]/)$"
)
_DIGIT = re.compile("[0-9]")
_VIA = re.compile(r"\b(?i:tcp|udp|icmp|ip|src|dst|from|to)/$")
_PORT = re.compile(
    r"\]?(?:[:#](?P<port>[0-9]{1,5})(?![0-9:/-]|\.[0-9])|[ ,(]{0,3}(?i:port)[ =:#]{0,3}(?P<said>[0-9]{1,5})(?!\w))",
    re.ASCII,
)
_SLASHED = re.compile(r"/(?P<number>[0-9]{1,5})(?![\w.])", re.ASCII)
_FIREWALL = re.compile(r"%(?:ASA|FTD|PIX)-")
_FIELDS = (
    re.compile(rf"(?P<address>{_V4})(?:[:#](?P<port>[0-9]{{1,5}})|/32)?", re.ASCII),
    re.compile(r"\[(?P<address>[0-9A-Fa-f:.]{2,45})(?:%\w{1,16})?\](?::(?P<port>[0-9]{1,5}))?", re.ASCII),
    re.compile(r"(?P<address>[0-9A-Fa-f:.]{2,45})(?:%\w{1,16})?(?:/128)?(?P<port>)", re.ASCII),
)


@dataclass(frozen=True, slots=True)
class Mention:
    """An address in a line: where it stands, and the port that was written at it."""

    start: int
    end: int
    address: Address
    port: int | None = None


def endpoint(text: str) -> tuple[Address, int | None]:
    """Return the address that a field is, and the port written at it; UnreadError where it is none."""
    text = armed(text.strip())
    for form in _FIELDS:
        match = form.fullmatch(text)
        found = _address(match["address"]) if match else None
        if match and found:
            return found, port(match["port"])
    raise UnreadError(f"'{printable(text, 60)}' is not an IP address" if text else "no address")


def source(text: str) -> tuple[Address, int | None]:
    """Return the address, and port, of a field that says who did it; UnreadError where no host can have that one."""
    found, its_port = endpoint(text)
    if not is_host(found):
        raise UnreadError(f"{found} is the address of no host")
    return found, its_port


def is_host(address: Address) -> bool:
    """Return whether a host can be known by the address: private ones count, 127.0.0.1, masks and multicast do not."""
    if isinstance(address, IPv4Address):
        first = int(address) >> 24
        return first not in (0, 127, 255) and first >> 4 != 14
    return not (address.is_unspecified or address.is_loopback or address.is_multicast)


def port(text: object) -> int | None:
    """Return the port that a field or a value is; None where it is none, and for 0, which says that it is not known."""
    digits = str(text) if isinstance(text, int) and not isinstance(text, bool) else text
    if isinstance(digits, str) and digits.isascii() and digits.strip().isdigit() and len(digits) <= 10:
        number = int(digits)
        return number if 0 < number <= 65535 else None
    return None


def found(line: str) -> list[Mention]:
    """Return the first addresses of hosts in a line that is `armed`, but for those in web addresses and versions."""
    if "://" in line:
        line = _URL.sub(lambda match: " " * len(match[0]), line)
    mentions = (_mention(match, line) for match in islice(_IN_LINE.finditer(line), _MOST_IN_LINE))
    return [mention for mention in mentions if mention and is_host(mention.address)]


def _mention(match: re.Match[str], line: str) -> Mention | None:
    before = line[max(0, match.start() - 24) : match.start()]
    if _VERSION.search(before) and not _VIA.search(before):
        return None
    if match["dump"]:
        its_port = port(match["dumped"]) if " > " in line else None
        address = _address(match["dump"]) if its_port else None
        return Mention(match.start(), match.end(), address, its_port) if address else None
    text = match["v4"] or match["v6"].rstrip(".")
    if text.endswith(":") and not text.endswith("::"):
        text = text[:-1]
    address = _address(text)
    if address is None:
        return None
    end = match.start() + len(text)
    slashed = _SLASHED.match(line, end)
    if slashed:
        number = int(slashed["number"])
        if number == address.max_prefixlen:
            return Mention(match.start(), slashed.end(), address)
        is_port = number > 128 or (match["v4"] and (number > 32 or _FIREWALL.search(line)))
        return Mention(match.start(), slashed.end(), address, port(str(number))) if is_port else None
    at = _PORT.match(line, end)
    return Mention(match.start(), at.end() if at else end, address, port(at["port"] or at["said"]) if at else None)


@functools.lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    """Return the address; None where it is none, or a word of hexadecimal letters such as `Bad::Cafe`."""
    if ":" in text and "::" not in text and text.count(":") not in (6, 7):
        return None  # a time of day or a hardware address, which are in every line of a log
    if not _DIGIT.search(text):
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
