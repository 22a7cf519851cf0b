"""`flowkeep who`: who held an address, and a port behind a translator, at a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated

import typer

from abuse.holders import Holding
from abuse.who import Answer, who
from cli.options import ConfigOption, JsonOption, client, print_json
from cli.tables import print_table
from intake.report import When
from intake.zones import EAST, WEST
from query.timespan import moment
from settings.errors import FINDING, ConfigError

_ENDED = re.compile(r"\[(?P<six>[^\]]+)\](?::(?P<port>\d{1,5}))?|(?P<four>[0-9.]+):(?P<four_port>\d{1,5})")

_ELSEWHERE = timezone(timedelta(hours=1))


def add_to(commands: typer.Typer) -> None:
    """Add the commands of this file."""
    commands.command(name="who")(who_held)


def who_held(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS[:PORT]", help="Such as 192.0.2.7, 192.0.2.7:51000 or [2001:db8::7]:443.")
    ],
    at: Annotated[
        str | None,
        typer.Option(help="When: 2026-11-20T14:03Z; without a zone all zones are searched; now if not given."),
    ] = None,
    known_at: Annotated[str | None, typer.Option(help="By what was known at this time, instead of now.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who held an address at a time, before and after, and what to beware of; exit 1 where nobody did."""
    host, port = _parse(address)
    span = _when(at)
    known = moment(known_at) if known_at else None
    with client(config, "query") as database:
        answer = who(database, host, span.earliest, span.latest, port=port, known_at=known)
    if as_json:
        print_json(answer.as_json() | {"zone_known": span.is_sure})
    else:
        _print(answer, span)
    if all(one.allocation is None for one in answer.now.during) and not answer.bindings:
        raise typer.Exit(FINDING)


def _parse(text: str) -> tuple[IPv4Address | IPv6Address, int | None]:
    match = _ENDED.fullmatch(text)
    host, port = text, None
    if match:
        host, port = match["six"] or match["four"], match["port"] or match["four_port"]
    try:
        number = int(port) if port else None
        if number is not None and number > 65535:
            raise ValueError
        return ip_address(host), number
    except ValueError:
        raise ConfigError(f"'{text}' is no address, nor one with a port, such as [2001:db8::7]:443") from None


def _when(text: str | None) -> When:
    """Return the time that is asked about: an instant, or, without a zone, all that any zone makes of it."""
    if text is None:
        now = datetime.now(UTC)
        return When(now, now, "now")
    found = moment(text, UTC).astimezone(UTC)
    if moment(text, _ELSEWHERE) == found:  # it names its zone
        return When(found, found, text)
    return When(found - EAST, found + WEST, text, found.replace(tzinfo=None))


def _print(answer: Answer, span: When) -> None:
    if not span.is_sure:
        print(f"{span.text} has no zone: searched from {_minute(span.earliest)} to {_minute(span.latest)}, all zones")
    around = [("before", answer.now.before), *(("", one) for one in answer.now.during), ("after", answer.now.after)]
    rows = [_row(word, one) for word, one in around if one is not None]
    print_table(("", "tenant", "prefix", "resource", "from", "to"), rows)
    if answer.bindings:
        print("behind the translator:")
        print_table(
            ("address", "ports", "tenant", "from", "to", "known by"),
            [
                (one.inside, f"{one.first_port}-{one.last_port}", one.tenant, _minute(one.start),
                 _minute(one.end) if one.end else "further notice", one.by)
                for one in answer.bindings
            ],
        )  # fmt: skip
    for warning in answer.warnings:
        print(f"beware: {warning}")


def _row(word: str, one: Holding) -> tuple[str, ...]:
    told = one.as_json()
    start, end = told["from"] or "always", told["to"] or "further notice"
    return word, one.tenant, str(told["prefix"] or "-"), str(told["resource"] or "-"), str(start), str(end)


def _minute(moment_: datetime) -> str:
    return f"{moment_.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
