"""Names of interfaces by SNMP (IF-MIB, RFC 2863), for exporters that tell none in options data or counter samples."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pysnmp.hlapi.v3arch import asyncio as snmp
from pysnmp.smi.error import SmiError

_IF_NAME, _IF_ALIAS, _IF_DESCR = "1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.2.1.31.1.1.1.18", "1.3.6.1.2.1.2.2.1.2"
_AT_ONCE = 25
"""Rows asked for in one datagram."""
_MOST = 100_000
_TIMEOUT, _RETRIES = 2.0, 2
_AUTHENTICATION = {
    "md5": snmp.usmHMACMD5AuthProtocol,
    "sha": snmp.usmHMACSHAAuthProtocol,
    "sha256": snmp.usmHMAC192SHA256AuthProtocol,
    "sha512": snmp.usmHMAC384SHA512AuthProtocol,
}


class SnmpError(Exception):
    """An agent that does not answer, or refuses; the message says why."""


@dataclass(frozen=True, slots=True)
class Agent:
    """Where an agent is, and as whom it is asked: with a `community` (version 2c), or as `user` (version 3).

    Keys may be empty: then nothing is authenticated, or encrypted (AES-128).
    """

    address: str
    port: int = 161
    community: str = ""
    user: str = ""
    authentication: str = "sha"
    authentication_key: str = ""
    privacy_key: str = ""


def interfaces(agent: Agent) -> dict[int, tuple[str, str]]:
    """Return what an agent calls its interfaces, by index: ifName, or ifDescr where it is empty, and ifAlias.

    SnmpError where it does not answer within some seconds, or not to us.
    """
    return asyncio.run(_interfaces(agent))


async def _interfaces(agent: Agent) -> dict[int, tuple[str, str]]:
    engine = snmp.SnmpEngine()
    try:
        kind = snmp.Udp6TransportTarget if ":" in agent.address else snmp.UdpTransportTarget
        target = await kind.create((agent.address, agent.port), timeout=_TIMEOUT, retries=_RETRIES)
        names, aliases, descriptions = [
            await _walk(engine, _credentials(agent), target, column) for column in (_IF_NAME, _IF_ALIAS, _IF_DESCR)
        ]
    except (SmiError, OSError) as error:
        raise SnmpError(str(error)) from None
    finally:
        engine.close_dispatcher()
    return {
        index: (names.get(index) or descriptions[index], aliases.get(index, ""))
        for index in sorted({*names, *descriptions})
        if names.get(index) or descriptions.get(index)
    }


async def _walk(engine: Any, credentials: Any, target: Any, column: str) -> Mapping[int, str]:
    """Return a column of a table with one index."""
    found: dict[int, str] = {}
    rows = snmp.bulk_walk_cmd(
        engine, credentials, target, snmp.ContextData(), 0, _AT_ONCE, snmp.ObjectType(snmp.ObjectIdentity(column)),
        lexicographicMode=False, lookupMib=False,
    )  # fmt: skip
    async for problem, status, _, bound in rows:
        if problem or status:
            raise SnmpError(str(problem or status.prettyPrint()))
        for name, value in bound:
            index = str(name).removeprefix(f"{column}.")
            if index.isdecimal() and value.__class__.__name__ == "OctetString":
                found[int(index)] = bytes(value).decode("utf-8", "replace").replace("\0", "").strip()
        if len(found) > _MOST:
            raise SnmpError(f"it has more than {_MOST:,} interfaces")
    return found


def _credentials(agent: Agent) -> Any:
    if not agent.user:
        return snmp.CommunityData(agent.community, mpModel=1)  # noqa: S508 - what many a switch has is no better
    return snmp.UsmUserData(
        agent.user,
        authKey=agent.authentication_key or None,
        privKey=agent.privacy_key or None,
        authProtocol=_AUTHENTICATION[agent.authentication] if agent.authentication_key else snmp.usmNoAuthProtocol,
        privProtocol=snmp.usmAesCfb128Protocol if agent.privacy_key else snmp.usmNoPrivProtocol,
    )
