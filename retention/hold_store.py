"""Where holds are kept: their events, in a table that only grows and never expires."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from retention.holds import Event, Hold, fold, permitted
from settings.errors import RefusalError
from storage.client import Client, DatabaseRefusalError
from storage.held_tables import EVENTS

_UNKNOWN_TABLE = 60
_ALL = f"SELECT hold, number, time, action, person, details FROM {EVENTS} ORDER BY hold, number, time"  # noqa: S608
_APPEND = f"""
    INSERT INTO {EVENTS} (hold, number, time, action, person, details)
    SELECT {{hold:String}}, {{number:UInt32}}, fromUnixTimestamp64Milli({{time:Int64}}, 'UTC'), {{action:String}},
        {{person:String}}, {{details:String}}"""


def load(client: Client) -> tuple[Hold, ...]:
    """Return every hold that was ever placed, by a client of the retention role; RefusalError without such a table."""
    return fold(events(client))


def events(client: Client) -> list[Event]:
    """Return all events; one whose details are no JSON object has none, of which `fold` makes a doubt."""
    try:
        rows = client.query(_ALL).rows
    except DatabaseRefusalError as error:
        if error.code != _UNKNOWN_TABLE:
            raise
        raise RefusalError(
            f"the database has no table {EVENTS}, so that it cannot be known what is held; start this version's "
            "`flowkeep run` once, which makes it"
        ) from None
    return [
        Event(hold, number, time.astimezone(UTC), action, person, _details(details))
        for hold, number, time, action, person, details in rows
    ]


def append(client: Client, event: Event) -> Hold:
    """Put an event on record and return the hold as it is then; RefusalError, before, where it cannot happen.

    Where two persons do it at the same moment the hold becomes doubtful, and so stays active: RefusalError, after.
    """
    permitted(_found(client, event.hold), event)
    milliseconds = (event.time - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000
    client.command(
        _APPEND,
        {
            "hold": event.hold,
            "number": event.number,
            "time": round(milliseconds),
            "action": event.action,
            "person": event.by,
            "details": json.dumps(dict(event.details), sort_keys=True),
        },
    )
    hold = _found(client, event.hold)
    if hold is None or any(f"event {event.number}, " in doubt for doubt in hold.doubts):
        raise RefusalError(f"hold {event.hold}: two things happened to it at once; it stays active: look at it again")
    return hold


def _found(client: Client, hold: str) -> Hold | None:
    return next((each for each in load(client) if each.id == hold), None)


def _details(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
