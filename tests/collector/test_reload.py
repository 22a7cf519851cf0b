"""Tenants and policy are read again on SIGHUP and on change; files that are wrong change nothing."""

from __future__ import annotations

import json
import os
import signal
import struct
import urllib.request
from pathlib import Path

from cli.sources import attribution
from collector.snapshots import Snapshots
from collector.worker import Sources
from demo.provider import RETENTION
from retention.policy import load_policy
from tests.collector.site import TENANTS, Site, wait_for
from tests.decoders.wire import a_set, template, v9

DATAGRAM = v9(
    a_set(0, template(256, [(8, 4), (12, 4), (1, 4)])), a_set(256, struct.pack(">4B4BI", 203, 0, 113, 5, 8, 8, 8, 8, 1))
)


def metric(site: Site, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{site.ports.metrics}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_a_changed_file_takes_effect_and_a_wrong_one_does_not(site: Site) -> None:
    with site.collector() as collector:
        collector.settle(site.send([DATAGRAM]))
        site.tenants.write_text(TENANTS + "203.0.113.0/24,newcomer,,,,\n")
        wait_for(lambda: metric(site, "flowkeep_allocations") == 4)
        site.send([DATAGRAM])
        collector.settle(2)
        site.tenants.write_text(TENANTS + "203.0.113.0/24,,,,,\n203.0.113.1/24,other,,,,\n")
        wait_for(lambda: metric(site, "flowkeep_reload_failed") == 1)
        site.send([DATAGRAM])
        collector.settle(3)
        tenants = [row[0] for row in site.rows("SELECT src_tenant FROM flows ORDER BY time_received")]
        assert sorted(tenants) == ["newcomer", "newcomer", "unassigned"]
        log = site.log.read_text()
        assert "tenants.csv:5" in log
        assert "tenants.csv:6" in log
        site.tenants.write_text(TENANTS)
        wait_for(lambda: metric(site, "flowkeep_reload_failed") == 0)


def test_sighup_reloads_and_a_policy_change_reaches_the_database(site: Site) -> None:
    with site.collector() as collector:
        before = metric(site, 'flowkeep_reloads_total{result="done"}')
        os.kill(collector.pid, signal.SIGHUP)
        wait_for(lambda: metric(site, 'flowkeep_reloads_total{result="done"}') == before + 1)
        policy = site.directory / "retention.yaml"
        why = "purpose: audit, legal_basis: contract, owner: a, justification: b, review: 2027-06-30"
        logs = f"logs: {{keep_for: 7d, {why}}}"
        text = policy.read_text().replace("keep_for: 30d", "keep_for: 45d")
        policy.write_text(text.replace("categories:\n", f"categories:\n  {logs}\n"))
        wait_for(lambda: metric(site, 'flowkeep_reloads_total{result="done"}') == before + 2)
        shown = site.flowkeep("retention", "show")
        assert shown.returncode == 0, shown.stdout
        assert "45 d" in shown.stdout
        assert "47 d" in shown.stdout
        with site.client("admin") as admin:
            for table in ("query_audit", "part_audit", "session_audit"):
                assert "TTL toDateTime(time) + toIntervalDay(7)" in admin.text(f"SHOW CREATE TABLE {table}"), table


def test_which_categories_are_not_stored_is_said_at_the_start_and_at_each_reload(site: Site) -> None:
    policy = site.directory / "retention.yaml"
    both = policy.read_text()
    before, _, rest = both.partition("categories:\n")
    policy.write_text((before + rest[rest.index("# A tenant's class") :]).replace(", person", ""))
    assert load_policy(policy, {}).named == {}
    said = f"counters and discards and rollups are not stored: {policy} names no such category"
    hidden = f"no column of person is stored: {policy} does not disclose it"
    with site.collector() as collector:
        assert site.log.read_text().count(said) == site.log.read_text().count(hidden) == 1
        os.kill(collector.pid, signal.SIGHUP)
        wait_for(lambda: site.log.read_text().count(said) == 2)
        shown = site.flowkeep("retention", "show")
        assert (shown.returncode, "counters" in shown.stdout) == (0, False), shown.stdout
        policy.write_text(both)
        wait_for(lambda: site.log.read_text().count("tenants and policy are reloaded") == 2)
        assert site.log.read_text().count("not stored") == site.log.read_text().count(hidden) == 2
        shown = site.flowkeep("retention", "show", "--json")
        assert shown.returncode == 0, shown.stdout
        found = {state["name"]: state for state in json.loads(shown.stdout)}
        assert "counters_interface" in found["counters"]["tables"]
        assert found["discards"]["tables"] == ["discards"]


def test_a_block_whose_policy_cannot_be_read_any_more_goes_by_the_one_in_force(tmp_path: Path) -> None:
    """As after an upgrade in the middle of an insert, when the copy is of a policy that lacks what is now required."""
    snapshots = Snapshots(tmp_path / "copies")
    allocations, policy = tmp_path / "tenants.csv", tmp_path / "retention.yaml"
    allocations.write_text(TENANTS)
    policy.write_text(RETENTION.read_text().replace("disclosed:", "disclosd:"))
    old = snapshots.keep([allocations, policy])
    policy.write_text(RETENTION.read_text())
    now = snapshots.keep([allocations, policy])
    sources = Sources(snapshots, lambda files: attribution(*files), now)
    assert sources(old) == sources(None) == sources(now)
    assert sources(now)[0] == now
