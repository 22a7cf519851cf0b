"""Reports of XARF 3 (github.com/abusix/xarf, schemas 1 to 3), and of its dialect with a `Source` object."""

from __future__ import annotations

from collections.abc import Mapping

from intake import addresses, kinds, protocols
from intake.errors import UnreadError
from intake.found import Known
from intake.report import Report, When
from intake.text import printable
from intake.times import Calendar, span
from intake.xarf4 import count, scalars, source, target, text


def report(whole: Mapping[str, object], item: Mapping[str, object], known: Known) -> Report:
    """Return the claim of `item`, the Report of a document; an UnreadError says what it lacks."""
    inner = _object(item, "Source")
    address, port = source(item.get("SourceIp") or inner.get("IP"))
    more = _object(item, "AdditionalInfo")
    limits = known.limits
    return Report(
        address=address,
        when=_when(item, Calendar(known.now, known.zone)),
        form="xarf3",
        port=addresses.port(item.get("SourcePort") or inner.get("Port")) or port,
        target=target(item.get("DestinationIp")),
        target_port=_single_port(item.get("DestinationPort")),
        protocol=_protocol(item, more),
        kind=kinds.of_xarf3(item.get("ReportType")),
        packets=count(item, "PacketCount") or count(more, "PacketCount"),
        octets=count(item, "ByteCount") or count(more, "ByteCount"),
        reporter=_reporter(whole) or known.reporter,
        reference=text(item, "ReporterCaseID", limits.field) or known.reference,
        excerpt=text(item, "ReporterNotes", limits.excerpt) or printable(scalars(item), limits.excerpt),
    )


def _object(item: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = item.get(name)
    return value if isinstance(value, Mapping) else {}


def _single_port(value: object) -> int | None:
    """Return the port, which the schema lets be a list; None where the list has several."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    return addresses.port(value)


def _protocol(item: Mapping[str, object], more: Mapping[str, object]) -> int | None:
    tried = (item.get("TransportProtocol"), item.get("Protocol"), more.get("Protocol"))
    return next((number for value in tried if (number := protocols.number(value)) is not None), None)


def _reporter(whole: Mapping[str, object]) -> str:
    told = _object(whole, "ReporterInfo")
    names = ("ReporterOrg", "ReporterOrgEmail", "ReporterContactEmail", "ReporterOrgDomain")
    return next((said for name in names if (said := text(told, name, 200))), "")


def _when(item: Mapping[str, object], calendar: Calendar) -> When:
    """Return the time: `Date` is when it was seen last, `FirstSeen` when it was seen first."""
    if not isinstance(item.get("Date"), str):
        raise UnreadError("no time: its Report has no 'Date'")
    last = calendar.when(str(item["Date"])[:100])
    first = item.get("FirstSeen")
    return span(calendar.when(first[:100]), last) if isinstance(first, str) else last
