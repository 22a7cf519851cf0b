"""Whose numbering, templates and samplers they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

TCP_SESSIONS = 1 << 16
"""Scopes from here on are TCP connections; below are UDP source ports, 0 where the port is no part of the scope."""


class Stream(NamedTuple):
    """One numbering of one exporter: sender's address (16 octets), protocol version, observation domain or source id.

    `scope` is the transport session (see TCP_SESSIONS): 0 where the address alone tells exporters apart.
    For sFlow, version 105, it is the agent's address as a number, and `domain` the sub-agent.
    """

    exporter: bytes
    scope: int
    version: int
    domain: int

    @property
    def saved(self) -> tuple[str, int, int, int]:
        """The stream as JSON-ready values; `load` gives it back."""
        return self.exporter.hex(), self.scope, self.version, self.domain

    @classmethod
    def load(cls, saved: Sequence[Any]) -> Stream:
        """Return the stream whose four `saved` values these are."""
        exporter, scope, version, domain = saved
        return cls(bytes.fromhex(exporter), scope, version, domain)

    @property
    def is_tcp(self) -> bool:
        """Whether it is of a TCP session: its templates last as long as that, and may be withdrawn."""
        return self.scope >= TCP_SESSIONS and self.version == 10
