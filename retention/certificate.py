"""The certificate of a purge: what was destroyed, how, how that was checked, and until when what may still lie about.

Terms are those of NIST SP 800-88 (clear, verify) and ISO/IEC 27555. It is signed by the ledger's key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from retention.apply import Hands, Purged
from retention.owned_file import replace_file

_INACTIVE = timedelta(minutes=10)
"""How long ClickHouse keeps the files of dropped parts: `old_parts_lifetime`, 8 minutes, and a look every minute."""
_LEFT = """
    SELECT countIf(active AND rows > 0), countIf(NOT active AND rows > 0) FROM system.parts
    WHERE database = {database:String} AND table = {table:String} AND partition_id = {id:String}"""
_DETACHED = """
    SELECT count() FROM system.detached_parts
    WHERE database = {database:String} AND table = {table:String} AND partition_id = {id:String}"""
METHOD = (
    "DROP PARTITION in ClickHouse: the partition's files are taken out of use at once and deleted from the file system "
    "within the time named. The sectors are not overwritten (NIST SP 800-88: clear by deletion)."
)
BACKUPS = (
    "Flowkeep makes no backups of flows. Copies that file-system snapshots or backups of the data directory hold are "
    "outside of this certificate: their rotation says until when they last."
)


class Signer(Protocol):
    """A private key."""

    @property
    def name(self) -> str:
        """The key's name."""

    def sign(self, data: bytes) -> bytes:
        """Return the signature of octets."""


def certificate(run: str, policy: str, purged: Iterable[Purged], hands: Hands) -> dict[str, Any]:
    """Return the certificate of a run, unsigned, from what the database says of each partition afterwards."""
    now = hands.clock()
    scope = [_of(done, hands) for done in purged]
    lingering = any(one["files_to_be_deleted"] or one["detached_parts"] for one in scope)
    return {
        "type": "flowkeep certificate of destruction",
        "certificate": run,
        "issued": now.astimezone(UTC).isoformat(timespec="seconds"),
        "policy": policy,
        "scope": scope,
        "partitions": len(scope),
        "rows": sum(one["rows"] for one in scope),
        "octets": sum(one["octets"] for one in scope),
        "method": METHOD,
        "verified": all(one["active_parts"] == 0 and one["detached_parts"] == 0 for one in scope),
        "residual_until": _residual(now, lingering),
        "backups": BACKUPS,
    }


def _residual(now: datetime, lingering: bool) -> str | None:
    return (now + _INACTIVE).astimezone(UTC).isoformat(timespec="seconds") if lingering else None


def _of(done: Purged, hands: Hands) -> dict[str, Any]:
    partition, step = done.step.partition, done.step
    names = {"database": hands.client.database, "table": partition.table, "id": partition.partition_id}
    ((active, inactive),) = hands.client.query(_LEFT, names).rows
    ((detached,),) = hands.client.query(_DETACHED, names).rows
    return {
        "table": partition.table, "class": partition.retention_class, "day": partition.day.isoformat(),
        "rows": done.rows, "octets": done.bytes, "dropped": done.time.astimezone(UTC).isoformat(timespec="seconds"),
        "reason": step.reason, "rows_kept_under_holds": step.held, "holds": list(step.holds),
        "active_parts": active, "files_to_be_deleted": inactive, "detached_parts": detached,
    }  # fmt: skip


def signed(text: Mapping[str, Any], key: Signer) -> dict[str, Any]:
    """Return a certificate with its signature: Ed25519 over the canonical JSON of all the rest."""
    whole = {**text, "key": key.name}
    return {**whole, "signature": key.sign(canonical(whole)).hex()}


def canonical(text: Mapping[str, Any]) -> bytes:
    """Return the octets that are signed: JSON of all but the signature, keys sorted, no spaces, UTF-8."""
    plain = {name: value for name, value in text.items() if name != "signature"}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def keep(directory: Path, text: Mapping[str, Any]) -> Path:
    """Write a certificate into a directory and return its file."""
    path = directory / f"{text['certificate']}.json"
    replace_file(path, json.dumps(text, indent=2, ensure_ascii=False) + "\n")
    return path
