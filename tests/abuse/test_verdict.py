"""What the flows make of a report, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address

import pytest

from abuse.claims import Claim
from abuse.facts import Facts
from abuse.verdict import Circumstances, Word, judge, seen

AT = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
MS = round(AT.timestamp() * 1000)
CLAIM = Claim(
    ip_address("192.0.2.7"),
    AT - timedelta(minutes=5),
    AT + timedelta(minutes=5),
    None,
    ip_address("198.51.100.9"),
    22,
    6,
)
ALL = Circumstances(exporters=1, rate=1)
SAMPLED = Circumstances(exporters=1, rate=100)
PAIR = Facts(sent=9, pair_sent=4, packets_sent=40, octets_sent=4000, first_sent=MS, last_sent=MS + 900, rate=1)


@pytest.mark.parametrize(
    ("claim", "facts", "around", "word"),
    [
        (CLAIM, PAIR, ALL, Word.CORROBORATED),
        (CLAIM, replace(PAIR, pair_received=3, was_opened=3, packets_received=9), ALL, Word.CONTRADICTED),
        (CLAIM, replace(PAIR, pair_received=3, was_opened=3, rate=100), SAMPLED, Word.CORROBORATED),
        (CLAIM, Facts(other_ports=2), SAMPLED, Word.CONSISTENT),
        (CLAIM, Facts(other_times=2, nearest=MS - 3_000_000), ALL, Word.CONSISTENT),
        (replace(CLAIM, target=None), Facts(to_service=3, service_peers=2), ALL, Word.CONSISTENT),
        (CLAIM, Facts(), ALL, Word.CONTRADICTED),
        (CLAIM, Facts(), SAMPLED, Word.NOT_SEEN),
        (CLAIM, Facts(), Circumstances(exporters=1), Word.NOT_SEEN),
        (CLAIM, Facts(rate=1, rate_unknown=2), ALL, Word.NOT_SEEN),
        (replace(CLAIM, packets=200), Facts(), SAMPLED, Word.NOT_SEEN),
        (replace(CLAIM, packets=2000), Facts(), SAMPLED, Word.CONTRADICTED),
        (CLAIM, Facts(), replace(ALL, silent=("192.0.2.1",)), Word.NOT_COVERED),
        (CLAIM, Facts(), replace(ALL, silent=("192.0.2.1",), exporters=2), Word.NOT_SEEN),
        (CLAIM, Facts(), replace(ALL, expired=AT), Word.OUTSIDE_RETENTION),
        (CLAIM, Facts(sent=4), replace(ALL, expired=AT), Word.OUTSIDE_RETENTION),
        (CLAIM, Facts(sent=4), replace(ALL, expired=AT, partly=True), Word.NOT_SEEN),
        (CLAIM, PAIR, replace(ALL, expired=AT, silent=("192.0.2.1",)), Word.CORROBORATED),
    ],
)
def test_each_word(claim: Claim, facts: Facts, around: Circumstances, word: Word) -> None:
    verdict = judge(claim, facts, around)
    assert verdict.word is word
    assert verdict.reasons
    assert all(verdict.reasons)


def test_the_probability_of_seeing_a_packet_is_printed() -> None:
    assert seen(1, 100) == pytest.approx(0.01)
    assert seen(100, 100) == pytest.approx(1 - 0.99**100)
    assert (seen(5, 1), seen(0, 100)) == (1.0, 0.0)
    told = judge(replace(CLAIM, packets=200), Facts(), SAMPLED)
    assert told.probability == pytest.approx(0.866, abs=0.001)
    assert told.reasons[-1] == "of 200 packets at least one is sampled, 1 in 100, with p = 0.866"
    untold = judge(CLAIM, Facts(), SAMPLED)
    assert untold.probability is None
    assert "1: p = 0.010, 10: p = 0.096, 100: p = 0.634, 1,000: p = 1.000" in untold.reasons[-1]


def test_far_more_packets_reported_than_seen_are_worth_a_word() -> None:
    assert "far more than that" in judge(replace(CLAIM, packets=5_000_000), PAIR, SAMPLED).reasons[-1]
    assert "far more" not in " ".join(judge(replace(CLAIM, packets=200), PAIR, SAMPLED).reasons)


def test_who_began_and_what_may_be_forged() -> None:
    answered = replace(PAIR, pair_received=4, from_service=4)
    assert judge(CLAIM, answered, ALL).began == "target"
    assert any("victim of a reflection" in hint for hint in judge(CLAIM, answered, ALL).hints)
    assert judge(CLAIM, replace(PAIR, opened=4), ALL).began == "address"
    assert judge(CLAIM, replace(PAIR, pair_received=1, first_received=MS + 5000), ALL).began == "address"
    assert judge(CLAIM, replace(PAIR, pair_received=1, first_received=MS - 5000), ALL).began == "target"
    assert judge(CLAIM, Facts(), ALL).began == ""
    router = IPv6Address("::ffff:192.0.2.254")
    strange = replace(PAIR, opened=4, entered=((router, 5),), usual=((router, 22),))
    hints = judge(CLAIM, strange, ALL).hints
    assert any("nothing came back" in hint for hint in hints)
    assert any("interface 5 of 192.0.2.254" in hint for hint in hints)


@pytest.mark.parametrize(("flow", "zones"), [(14, (0,)), (13, (60,)), (19, (-300,)), (4, (600,))])
def test_a_time_without_a_zone_fits_where_flows_are(flow: int, zones: tuple[int, ...]) -> None:
    local = datetime(2026, 11, 20, 14, 3)
    around = timedelta(minutes=5)
    first, last = (local - offset for offset in (timedelta(hours=14), timedelta(hours=-12)))
    claim = replace(
        CLAIM, local=local, first=first.replace(tzinfo=UTC) - around, last=last.replace(tzinfo=UTC) + around
    )
    minute = round(datetime(2026, 11, 20, flow, 3, tzinfo=UTC).timestamp()) // 60
    verdict = judge(claim, replace(PAIR, minutes=(minute,)), ALL)
    assert verdict.zones == zones
    assert "has no zone, so that all were searched; the flows fit a clock at UTC" in verdict.reasons[-1]
