"""What flows show of claims: many at once equal each alone, and both equal an obvious evaluation in Python."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import numpy as np
import pytest

from abuse import facts as module
from abuse.bindings import flows_of
from abuse.claims import Claim
from abuse.coverage import Coverage, Heard, coverage
from abuse.facts import facts
from abuse.surroundings import Surroundings, surroundings
from retention.policy import load_policy
from storage.embedded import Node
from storage.writer import Writer
from tenants.allocations import load_allocations
from tenants.attribute import Attributor
from tenants.binding_log import read_bindings
from tests.abuse.story import Traffic, at, site

OURS = [f"192.0.2.{number}" for number in (7, 70, 71, 72)]
SHARED = "203.0.113.1"
FAR = [f"198.51.100.{number}" for number in (1, 2, 3)]
Row = tuple[datetime, str, str, tuple[int, int], int, int, int]
_SAME = ("pair_sent", "packets_sent", "octets_sent", "first_sent", "last_sent", "opened", "minutes")


def claims(rng: random.Random, count: int) -> list[Claim]:
    """Return claims of every make about the hour after noon."""
    made = []
    for _ in range(count):
        first = at("12:00") + timedelta(seconds=rng.randrange(3600))
        made.append(
            Claim(
                ip_address(rng.choice(OURS)), first, first + timedelta(seconds=rng.randrange(900)),
                rng.choice([None, None, 1000]), ip_address(rng.choice(FAR)) if rng.random() < 0.8 else None,
                rng.choice([None, 22, 443]), rng.choice([None, 6, 17]),
            )
        )  # fmt: skip
    return made


def test_facts_are_what_an_obvious_count_gives(database: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site(database, tmp_path)
    traffic, rng = Traffic(tmp_path), random.Random(7)
    rows: list[Row] = []
    for _ in range(2000):
        moment = at("11:30") + timedelta(milliseconds=rng.randrange(7_200_000))
        source, target = rng.choice(OURS), rng.choice(FAR)
        if rng.random() < 0.4:
            source, target = target, source
        ports = rng.choice([1000, 40000]), rng.choice([22, 443])
        if source in FAR:
            ports = ports[::-1]
        proto, flags, packets = rng.choice([6, 6, 17]), rng.choice([2, 0x1B]), rng.randrange(1, 9)
        traffic.add(moment, source, target, ports, proto, flags, packets)
        rows.append((moment, source, target, ports, proto, flags, packets))
    traffic.store(database)
    asked = claims(rng, 60)
    with database.connect("query") as query:
        found = facts(query, asked, "flows")
        assert facts(query, asked[:1], "flows") == found[:1]
        monkeypatch.setattr(module, "_FEW", 10)
        many = facts(query, asked, "flows")
    assert any(one.pair_sent for one in found)
    assert not all(one.pair_sent for one in found)
    for claim, one, other in zip(asked, found, many, strict=True):
        sent, received, pair = _count(claim, rows)
        assert (one.sent, one.received) == (sent, received)
        assert (one.pair_sent, one.packets_sent) == (len(pair), sum(row[6] for row in pair) * 100)
        assert one.opened == sum(row[4] == 6 and row[5] == 2 for row in pair)
        assert all(getattr(one, name) == getattr(other, name) for name in _SAME)
        if not one.pair_sent:
            assert (one.sent, one.peers, one.other_times, one.to_service, one.rate) == (
                other.sent, other.peers, other.other_times, other.to_service, other.rate
            )  # fmt: skip


def _count(claim: Claim, rows: list[Row]) -> tuple[int, int, list[Row]]:
    """Return flows that the address sent and received in the time, and those sent that are as the claim says."""
    mine = str(claim.address)
    inside = [row for row in rows if row[0] <= claim.last and row[0] + timedelta(seconds=2) >= claim.first]
    sent = [row for row in inside if row[1] == mine]
    pair = [
        row
        for row in sent
        if row[2] == str(claim.target)
        and claim.port in (None, row[3][0])
        and claim.target_port in (None, row[3][1])
        and claim.protocol in (None, row[4])
    ]
    return len(sent), sum(row[2] == mine for row in inside), pair


def test_what_was_translated_is_found_by_its_outside_address(database: Node, tmp_path: Path) -> None:
    site(database, tmp_path)
    traffic = Traffic(tmp_path)
    traffic.add(at("14:00"), "192.0.2.70", FAR[0], (1000, 22), nat=("203.0.113.1", 40000))
    traffic.store(database)
    claim = Claim(ip_address("203.0.113.1"), at("13:55"), at("14:05"), 40000, ip_address(FAR[0]), 22, 6)
    with database.connect("query") as query:
        (one,) = facts(query, [claim], "flows")
        assert (one.pair_sent, one.tenants) == (1, ("tenant-c",))
        (none,) = facts(query, [replace(claim, port=40001)], "flows")
        assert (none.pair_sent, none.other_ports) == (0, 1)
        assert facts(query, [], "flows") == []


def test_an_exporter_that_falls_silent_is_told(database: Node, tmp_path: Path) -> None:
    site(database, tmp_path)
    traffic = Traffic(tmp_path)
    traffic.background(at("10:00"), at("12:00"))
    traffic.background(at("13:00"), at("15:00"))
    traffic.store(database)
    with database.connect("query") as query:
        heard = coverage(query, [(at("12:00"), at("13:00"))], "flows", at("15:10"))
        later = coverage(query, [(at("12:00"), at("13:00"))], "flows", at("18:00"))
    silent = heard.silent(at("12:20"), at("12:30"))
    assert [str(one.ipv4_mapped) for one in silent] == ["192.0.2.254"]
    assert heard.silent(at("11:20"), at("11:30")) == ()
    assert heard.silent(at("15:20"), at("15:30")) == (), "that was still to come"
    assert later.silent(at("15:20"), at("15:50")) == silent
    assert (heard.rate(), heard.rate(silent)) == (100, 100)


def test_what_one_of_the_exporters_does_not_tell_is_not_known() -> None:
    told, untold = IPv6Address("::ffff:192.0.2.1"), IPv6Address("::ffff:192.0.2.2")
    heard = Coverage(0, {told: Heard(np.ones(9, np.int64), 100), untold: Heard(np.ones(9, np.int64), 0)})
    assert (heard.rate(), heard.rate([told]), heard.rate([untold])) == (0, 100, 0)


def test_a_translators_log_is_no_traffic(database: Node, tmp_path: Path) -> None:
    site(database, tmp_path)
    starts = f"{at('13:00').isoformat()},{at('15:00').isoformat()}"
    log = read_bindings(
        ["inside,outside,port_start,port_end,start,end", f"192.0.2.70,{SHARED},1024,2047,{starts}"], "log"
    )
    with database.connect("ingest") as ingest:
        policy = load_policy(tmp_path / "retention.yaml", {})
        attributor = Attributor(load_allocations(tmp_path / "tenants.csv"), policy)
        Writer(ingest).write(attributor.attribute(flows_of(log.bindings)), "log")
    claim = Claim(ip_address(SHARED), at("13:55"), at("14:05"))
    with database.connect("query") as query:
        (one,) = facts(query, [claim], "flows")
        assert (one.sent, one.pair_sent, one.to_service) == (0, 0, 0)
        assert coverage(query, [(claim.first, claim.last)], "flows", at("15:00")).exporters == {}
        assert surroundings(query, claim, "flows") == Surroundings([], [], [], [])
