"""Reports of XARF v4 (github.com/xarf/xarf-spec, schemas/v4). Evidence is not read, and `_internal` is nobody's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from intake import addresses, kinds, protocols
from intake.errors import UnreadError
from intake.found import Known
from intake.report import Address, Report, When
from intake.text import printable
from intake.times import Calendar, span

_LONGEST = timedelta(days=366)
_UNSHOWN = ("evidence", "_internal", "xarf_version")


def report(item: Mapping[str, object], known: Known) -> Report:
    """Return the claim; an UnreadError says what it lacks."""
    version = item.get("xarf_version")
    if not (isinstance(version, str) and version.startswith("4.")):
        raise UnreadError(f"XARF of version {str(version)[:20]!r}, where 4.x was expected")
    address, port = source(item.get("source_identifier"))
    limits = known.limits
    return Report(
        address=address,
        when=_when(item, Calendar(known.now, known.zone)),
        form="xarf4",
        port=addresses.port(item.get("source_port")) or port,
        target=target(item.get("destination_ip")),
        target_port=addresses.port(item.get("destination_port")),
        protocol=protocols.number(item.get("protocol")),
        kind=kinds.of_xarf4(item.get("type")),
        packets=count(item, "packet_count", "total_packets"),
        octets=count(item, "byte_count", "total_bytes"),
        reporter=_contact(item.get("reporter")) or _contact(item.get("sender")) or known.reporter,
        reference=text(item, "report_id", limits.field) or known.reference,
        excerpt=text(item, "description", limits.excerpt) or printable(scalars(item), limits.excerpt),
    )


def source(value: object) -> tuple[Address, int | None]:
    """Return the address, and port, of a source; an UnreadError where it is a name, which no flow can be found by."""
    if not isinstance(value, str):
        raise UnreadError("no source address")
    try:
        return addresses.source(value[:200])
    except UnreadError as fault:
        raise UnreadError(f"the source: {fault}; only addresses can be looked up among flows") from None


def target(value: object) -> Address | None:
    """Return the address of a target; None where there is none."""
    try:
        return addresses.endpoint(value[:200])[0] if isinstance(value, str) else None
    except UnreadError:
        return None


def count(item: Mapping[str, object], *names: str) -> int | None:
    """Return the first of these counts that is a number; None where none is."""
    for name in names:
        value = item.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1 << 63:
            return int(value)
    return None


def text(item: Mapping[str, object], name: str, most: int) -> str:
    """Return the text of that name, safe to print; "" where there is none."""
    value = item.get(name)
    return printable(value, most) if isinstance(value, str) else ""


def scalars(item: Mapping[str, object]) -> str:
    """Return the plain values of an object, each with its name: what a person would want to see of it."""
    plain = (f"{name}={str(value)[:200]}" for name, value in item.items() if _is_plain(name, value))
    return " ".join(plain)


def _is_plain(name: object, value: object) -> bool:
    return name not in _UNSHOWN and isinstance(value, str | int | float)


def _contact(value: object) -> str:
    """Return the organisation, or the mail address where it names none."""
    if not isinstance(value, Mapping):
        return ""
    return next((said for name in ("org", "contact", "domain") if (said := text(value, name, 200))), "")


def _when(item: Mapping[str, object], calendar: Calendar) -> When:
    """Return from when to when: without `last_seen`, up to the end of the duration, or to the timestamp if later."""
    told = {name: item[name] for name in ("timestamp", "first_seen", "last_seen") if isinstance(item.get(name), str)}
    times = {name: calendar.when(str(value)[:100]) for name, value in told.items()}
    first, last = times.get("first_seen") or times.get("timestamp"), times.get("last_seen")
    if first is None:
        raise UnreadError("no time: it has neither 'first_seen' nor 'timestamp'")
    if last:
        return span(first, last)
    seconds = count(item, "duration_seconds", "duration")
    if seconds and "first_seen" in times:
        latest = first.latest + min(timedelta(seconds=min(seconds, 10**9)), _LONGEST)
        return When(first.earliest, latest, f"{first.text} for {seconds} s", first.local)
    end = times.get("timestamp", first)
    return span(first, end) if end.earliest > first.earliest else first
