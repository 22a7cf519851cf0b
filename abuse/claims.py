"""A report's claim as what can be looked up: an address, perhaps ports and a far end, and the times to search. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from abuse.holders import Address, milliseconds
from intake.report import Report

TOLERANCE = timedelta(minutes=5)
"""By how much a reporter's clock may be wrong before flows stop being the reported ones."""
AROUND = timedelta(hours=1)
"""How far before and after it is looked for flows that would fit but for their time."""

STRUCTURE = (
    "id UInt32, address IPv6, port UInt16, target IPv6, target_port UInt16, proto UInt8, first Int64, last Int64, "
    "near_first Int64, near_last Int64"
)
"""The columns of claims as a table that is sent beside a query; zero is what was not told."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a report says, to be searched from `first` to `last`, both inclusive; `packets` None where not told.

    `local` is the time that was written where it had no zone.
    """

    address: Address
    first: datetime
    last: datetime
    port: int | None = None
    target: Address | None = None
    target_port: int | None = None
    protocol: int | None = None
    kind: str = ""
    packets: int | None = None
    local: datetime | None = None

    @property
    def address_mapped(self) -> str:
        """The address as the columns hold it, IPv4 mapped."""
        return _mapped(self.address)

    @property
    def target_mapped(self) -> str:
        """The same of the far end, `::` where the report names none."""
        return _mapped(self.target)

    @property
    def near(self) -> tuple[datetime, datetime]:
        """From when to when flows are looked at that would fit but for their time."""
        return self.first - AROUND, self.last + AROUND


def claim_of(report: Report, tolerance: timedelta = TOLERANCE) -> Claim:
    """Return what to search for a report, with the tolerance before and after the time that it tells."""
    return Claim(
        report.address, report.when.earliest - tolerance, report.when.latest + tolerance, report.port, report.target,
        report.target_port, report.protocol, report.kind, report.packets, report.when.local,
    )  # fmt: skip


def table(claims: Iterable[Claim]) -> bytes:
    """Return claims as tab-separated rows of `STRUCTURE`, numbered from 0 in their order."""
    return "".join(
        "\t".join(
            map(
                str,
                (
                    number, claim.address_mapped, claim.port or 0, claim.target_mapped, claim.target_port or 0,
                    claim.protocol or 0, milliseconds(claim.first), milliseconds(claim.last),
                    *map(milliseconds, claim.near),
                ),
            )
        )
        + "\n"
        for number, claim in enumerate(claims)
    ).encode()  # fmt: skip


def _mapped(address: Address | None) -> str:
    if address is None:
        return "::"
    return f"::ffff:{address}" if address.version == 4 else str(address)
