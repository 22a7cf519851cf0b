"""What a hold is follows from its events; where they make no sense, it stays active."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.holds import Action, Clock, Event, Hold, Kind, active, fold, permitted
from retention.scope import EVERYTHING, Scope, canonical, parse_connection, parse_network, read_scope
from settings.errors import ConfigError, RefusalError

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ACME = Scope(tenants=("acme",))


def placed(covering: Scope = ACME, **details: Any) -> Event:
    said = {
        "kind": "legal", "clock": "epoc", "days": None, "scope": covering.as_json(), "reference": "case 7",
        "reason": "order", "review": None,
    }  # fmt: skip
    return Event("h", 1, START, Action.PLACED, "ann", said | details)


def event(number: int, day: float, action: str, by: str = "ann", **details: Any) -> Event:
    return Event("h", number, START + day * DAY, action, by, details)


def request(number: int, day: float, by: str = "ann", delay: int = 30) -> Event:
    return event(number, day, Action.RELEASE_REQUESTED, by, reason="closed", delay=delay)


def one(*events: Event) -> Hold:
    (hold,) = fold(events)
    return hold


def ends_on_day(hold: Hold) -> int | None:
    return next((day for day in range(400) if not hold.is_active(START + day * DAY)), None)


@pytest.mark.parametrize(
    ("details", "extended", "last", "longer"),
    [
        ({"clock": "epoc"}, 10, 60, 90),
        ({"clock": "2703f"}, 89, 90, 180),
        ({"kind": "safety", "clock": "safety", "days": 5}, None, 5, None),
        ({"clock": "case", "days": 30}, 10, None, None),
    ],
)
def test_each_clock_runs_out_by_itself_or_not_at_all(
    details: dict[str, Any], extended: int | None, last: int | None, longer: int | None
) -> None:
    assert ends_on_day(one(placed(**details))) == last
    if extended is None:
        with pytest.raises(RefusalError, match="cannot be extended"):
            permitted(one(placed(**details)), event(2, 1, Action.EXTENDED))
        return
    after = one(placed(**details), event(2, extended, Action.EXTENDED))
    assert ends_on_day(after) == longer
    if longer:
        with pytest.raises(RefusalError, match="which is possible once"):
            permitted(after, event(3, extended, Action.EXTENDED))


def test_past_its_review_a_hold_holds_and_is_a_finding() -> None:
    hold = one(placed(clock="case", days=30))
    assert hold.findings(START + 29 * DAY) == ()
    assert hold.is_active(START + 300 * DAY)
    assert "its review was due 2026-03-31" in hold.findings(START + 300 * DAY)[0]
    again = one(placed(clock="case", days=30), event(2, 300, Action.EXTENDED))
    assert again.findings(START + 329 * DAY) == ()
    assert one(placed()).review == START + 53 * DAY
    assert one(placed(kind="safety", clock="safety", days=4)).review == START + 2 * DAY


@pytest.mark.parametrize(
    ("details", "why"),
    [
        ({"clock": "case"}, "every how many days it is reviewed"),
        ({"kind": "safety", "clock": "safety", "days": 91}, "how many days it lasts: 1 to 90"),
        ({"kind": "safety"}, "cannot go by the clock"),
        ({"days": 10}, "takes no other number"),
        ({"reason": " "}, "its reason is not said"),
        ({"reference": ""}, "its reference is not said"),
        ({"review": "2027-01-01"}, "not after it lapses"),
        ({"clock": "case", "days": 30, "review": "2026-08-01"}, "within 30 days"),
        ({"scope": {}}, "cannot be read"),
        ({"kind": "other"}, "cannot be read"),
    ],
)
def test_what_cannot_be_placed_is_refused_and_on_record_would_hold_without_end(
    details: dict[str, Any], why: str
) -> None:
    with pytest.raises(RefusalError, match=why):
        permitted(None, placed(**details))
    hold = one(placed(**details))
    assert hold.scope == (EVERYTHING if "scope" in details else ACME)
    assert hold.is_active(START + 9999 * DAY)
    assert why in hold.findings(START)[0]


def test_two_persons_release_a_hold_and_it_holds_for_the_delay() -> None:
    asked = (placed(), request(2, 5, "ann", 7))
    assert ends_on_day(one(*asked)) == 60
    with pytest.raises(RefusalError, match="another person has to approve"):
        permitted(one(*asked), event(3, 6, Action.RELEASE_APPROVED, "Ann "))
    done = (*asked, event(3, 6, Action.RELEASE_APPROVED, "bob"))
    assert ends_on_day(one(*done)) == 13
    assert one(*done).state(START + 12 * DAY) == "released, still holds"
    back = (*done, event(4, 12, Action.RELEASE_CANCELLED, "ann"))
    assert ends_on_day(one(*back)) == 60
    with pytest.raises(RefusalError, match="it is over since"):
        permitted(one(*done), event(4, 13, Action.RELEASE_CANCELLED, "ann"))
    late = (placed(), request(2, 50), event(3, 55, Action.RELEASE_APPROVED, "bob"))
    assert ends_on_day(one(*late)) == 60, "a release never makes a hold last longer"


@pytest.mark.parametrize(
    "odd",
    [
        event(2, 1, "forgotten"),
        event(2, 1, Action.RELEASE_APPROVED, "bob"),
        event(3, 1, Action.EXTENDED),
        event(2, 70, Action.EXTENDED),
        event(2, 1, Action.RELEASE_REQUESTED),
        event(1, 1, Action.PLACED),
    ],
)
def test_an_event_that_makes_no_sense_keeps_the_hold_until_it_is_released_anew(odd: Event) -> None:
    hold = one(placed(), odd)
    assert ends_on_day(hold) is None
    assert len(hold.findings(START)) == 1
    number = hold.events + 1
    both = (request(number, 100, "ann", 0), event(number + 1, 101, Action.RELEASE_APPROVED, "bob"))
    assert ends_on_day(one(placed(), odd, *both)) == 101


def test_a_hold_without_beginning_holds_everything_and_one_placed_twice_holds_both() -> None:
    assert one(event(2, 1, Action.EXTENDED)).scope == EVERYTHING
    other = Scope(networks=(parse_network("192.0.2.0/24"),), since=START)
    both = one(placed(Scope(tenants=("acme",), since=START - DAY, until=START)), placed(other))
    assert both.scope.tenants == ("acme",)
    assert both.scope.networks == other.networks
    assert (both.scope.since, both.scope.until) == (START - DAY, None)
    assert fold([placed(), placed()]) == fold([placed()]), "an insert that came twice is one"


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([*Action, Action.RELEASE_REQUESTED, Action.RELEASE_APPROVED, "unknown"]),
        st.sampled_from(["ann", "bob"]),
        st.integers(0, 40),
        st.sampled_from([0, 10, None]),
    ),
    max_size=7,
)


def numbered(drawn: Sequence[tuple[str, str, int, int | None]], clock: str) -> list[Event]:
    events, day = [placed(clock=clock, days=20 if clock == "case" else None)], 0
    for number, (action, by, later, delay) in enumerate(drawn, 2):
        day += later
        details = {"reason": "r", "delay": delay} if action == Action.RELEASE_REQUESTED else {}
        events.append(event(number, day, action, by, **details))
    return events


@given(EVENTS, st.sampled_from(["epoc", "2703f", "case"]), st.integers(0, 400), st.randoms())
def test_a_hold_ends_by_two_persons_or_by_its_clock_and_by_nothing_else(
    drawn: list[tuple[str, str, int, int | None]], clock: str, day: int, chance: Any
) -> None:
    events = numbered(drawn, clock)
    shuffled = list(events)
    chance.shuffle(shuffled)
    assert fold(shuffled) == fold(events)
    hold, now = one(*events), START + day * DAY
    if not hold.is_active(now):
        lapsed = hold.expires is not None and now >= hold.expires and not hold.doubts
        released = any(
            asked.action == Action.RELEASE_REQUESTED
            and approved.action == Action.RELEASE_APPROVED
            and approved.by != asked.by
            and asked.details["delay"] is not None
            and now >= approved.time + asked.details["delay"] * DAY
            for place, asked in enumerate(events)
            for approved in events[place + 1 :]
        )
        assert lapsed or released
    else:
        odd = one(*events, event(len(events) + 1, 500, "unknown"))
        assert odd.is_active(START + 9999 * DAY), "what makes no sense never ends a hold"
    assert active([hold], now) == ((hold,) if hold.is_active(now) else ())


@given(EVENTS)
def test_events_that_are_permitted_raise_no_doubt(drawn: list[tuple[str, str, int, int | None]]) -> None:
    events = [placed()]
    for each in numbered(drawn, "epoc")[1:]:
        following = Event("h", len(events) + 1, each.time, each.action, each.by, each.details)
        try:
            after = permitted(one(*events), following)
        except RefusalError:
            continue
        events.append(following)
        assert one(*events) == Hold(**{name: getattr(after, name) for name in Hold.__slots__} | {"events": len(events)})
    assert one(*events).doubts == ()


def test_a_scope_has_to_be_said_and_is_read_as_it_was_written() -> None:
    with pytest.raises(ConfigError, match="covers nothing"):
        Scope()
    with pytest.raises(ConfigError, match="covers no time"):
        Scope(everything=True, since=START, until=START)
    with pytest.raises(ConfigError, match="no address"):
        Scope(networks=(parse_network("::/0"),))
    with pytest.raises(ConfigError, match="at most 20 flows"):
        Scope(connections=(parse_connection("192.0.2.7:1 192.0.2.8:2 udp"),) * 21)
    whole = Scope(
        ("b", "a"),
        (parse_network("192.0.2.0/24"), parse_network("2001:db8::1")),
        (parse_connection("192.0.2.7:51000 [2001:db8::2]:443 tcp"),),
        since=START,
        until=START + DAY,
    )
    assert canonical(read_scope(json.loads(canonical(whole)))) == canonical(whole)
    assert str(whole) == (
        "tenant b or tenant a or 192.0.2.0/24 or 2001:db8::1 or flow 192.0.2.7:51000 [2001:db8::2]:443 6 "
        "from 2026-03-01 12:00:00Z until 2026-03-02 12:00:00Z"
    )
    assert [whole.meets(date(2026, 3, day)) for day in (1, 2, 3)] == [True, True, False]
    assert not whole.meets(date(2026, 2, 28))
    assert parse_network("::ffff:192.0.2.1") == parse_network("192.0.2.1")


@pytest.mark.parametrize("text", ["192.0.2.1:1 192.0.2.2:2", "192.0.2.1 192.0.2.2:2 tcp", "192.0.2.1:70000 a:1 tcp",
                                  "192.0.2.1:1 192.0.2.2:2 256"])  # fmt: skip
def test_what_is_no_flow_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match=r"no flow|no address and port|no protocol"):
        parse_connection(text)


def test_kinds_and_clocks_are_those_of_the_command_line() -> None:
    assert [kind.value for kind in Kind] == ["legal", "safety"]
    assert [clock.value for clock in Clock] == ["epoc", "2703f", "case", "safety"]
