"""deploy/prometheus/ in the hands of promtool, and its metrics against those that the collector has."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from collector.dropped import FORGOTTEN, NO_CATEGORY, REFUSED
from collector.metrics import Metrics
from decoders.faults import Fault
from tests.deploy.programs import DEPLOY, ROOT, run

ALERTS = DEPLOY / "prometheus" / "alerts.yml"
CASES = sorted((ROOT / "tests" / "deploy").glob("*.test.yml"))
RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]


def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    done = run("promtool", "check", "config", DEPLOY / "prometheus" / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


def test_alerts_fire_when_they_should_and_only_then() -> None:
    done = run("promtool", "test", "rules", *CASES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_has_a_case_in_which_it_fires_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert f'alertname="{rule["alert"]}"' in "".join(file.read_text() for file in CASES)
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert {"summary", "description"} == set(rule["annotations"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_metrics_that_the_collector_has(rule: dict[str, Any]) -> None:
    scrape = generate_latest(Metrics().registry).decode()
    known = set(re.findall(r"^# HELP (\w+)", scrape, re.MULTILINE)) | {"up"}
    asked = set(re.findall(r"\b(?:flowkeep_\w+|up)\b", rule["expr"]))
    assert asked
    assert asked <= known
    for reason in re.findall(r'reason="(\w+)"', rule["expr"]):
        assert reason in {*Fault, FORGOTTEN, REFUSED, NO_CATEGORY}
