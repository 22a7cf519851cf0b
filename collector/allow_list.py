"""Which of the configured exporters a sender is, by the longest prefix. Standard library only: the receiver uses it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from schema.addresses import packed

NOT_LISTED = 0xFFFF
"""Entry of a sender that only `allow_unlisted_exporters` lets in."""

_KNOWN_SENDERS = 65536


class AllowList:
    """Says of a sender's address whether it may send, and under which entry: the index of its prefix in the list."""

    def __init__(self, prefixes: Sequence[str], unlisted: bool) -> None:
        self._networks = [ip_network(prefix) for prefix in prefixes]
        self._unlisted = unlisted
        self._known: dict[str, tuple[bytes, int] | None] = {}

    def find(self, sender: str) -> tuple[bytes, int] | None:
        """Return the sender's 16 octets (IPv4 mapped) and its entry, by the address as a socket tells it.

        None if it may not send.
        """
        try:
            return self._known[sender]
        except KeyError:
            if len(self._known) >= _KNOWN_SENDERS:
                self._known.clear()
            octets = packed(ip_address(sender.partition("%")[0]))
            entry = self.entry(octets)
            answer = self._known[sender] = None if entry is None else (octets, entry)
            return answer

    def entry(self, sender: bytes) -> int | None:
        """Return the entry of a sender by its 16 octets (IPv4 mapped); None if it may not send."""
        six = IPv6Address(sender)
        address = six.ipv4_mapped or six
        matches = [(network.prefixlen, -entry) for entry, network in enumerate(self._networks) if address in network]
        if matches:
            return -max(matches)[1]
        return NOT_LISTED if self._unlisted else None
