"""Whose numbering, templates and samplers they are."""

from __future__ import annotations

from typing import NamedTuple


class Stream(NamedTuple):
    """One numbering of one exporter: sender's address (16 octets), protocol version, observation domain or source id.

    `scope` is the transport session (`decoders.block.TCP_SESSIONS`): 0 where the address alone tells exporters apart.
    For sFlow, version 105, it is the agent's address as a number, and `domain` the sub-agent.
    """

    exporter: bytes
    scope: int
    version: int
    domain: int
