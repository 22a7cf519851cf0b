"""What goes out of a case: the notice to the tenant, the reply to the reporter, and the case as XARF v4. Pure.

Templates are Jinja's, in a sandbox; a site may have its own. Of far ends a tenant is shown a part of the address.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PackageLoader, StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from abuse.evidence_rows import masked_address
from abuse.store import Case, Filed
from settings.errors import ConfigError, RefusalError
from tenants.cells import UNASSIGNED

_KINDS = {
    "login_attack": "attempts to log in", "port_scan": "port scans", "ddos": "an attack by volume", "spam": "spam",
    "botnet": "signs of an infection", "": "abuse",
}  # fmt: skip
_CATEGORIES = {
    "spam": "messaging",
    "phishing": "content",
    "botnet": "infrastructure",
}
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{3,}")
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 132: "sctp"}


def write(name: str, case: Case, filed: list[Filed], offences: int = 0, own: Path | None = None) -> str:
    """Return the text of `name`, `notice` or `reply`, from the case's first report and its verdict.

    `own` is a folder with a site's templates, which come before ours. ConfigError where one of them is wrong.
    """
    one = _judged(case, filed)
    verdict = one.verdict
    tenants = list(verdict["tenants"])
    if name == "notice" and (len(tenants) != 1 or tenants == [UNASSIGNED]):
        raise RefusalError(
            f"case {case.id}: {' or '.join(tenants)} held the address; a notice is for the one tenant who did"
        )
    target = str(one.report.target) if one.report.target else ""
    folders: list[BaseLoader] = [FileSystemLoader(own)] if own else []
    environment = SandboxedEnvironment(
        loader=ChoiceLoader([*folders, PackageLoader("abuse")]), undefined=StrictUndefined, autoescape=False,
        keep_trailing_newline=True,
    )  # fmt: skip
    held = [each for each in verdict.get("holder", {}).get("held", ()) if each["tenant"] in tenants]
    values = {
        "case": case, "report": one.report, "tenant": tenants[0], "reports": sum(each.times for each in filed),
        "kind_words": _KINDS.get(case.kind, case.kind.replace("_", " ")), "time": _time(one),
        "word": verdict["verdict"],
        "verdict": verdict["verdict"], "probability": verdict["probability"], "before": offences,
        "zone_known": one.report.when.is_sure, "resource": held[0]["resource"] if held else None,
        "target": masked_address(target) if target and name == "notice" else target,
        "reasons": [_hide(text, case.address) for text in verdict["reasons"]],
        "hints": [_hide(text, case.address) for text in verdict["hints"]],
    }  # fmt: skip
    try:
        return str(environment.get_template(f"{name}.txt").render(values))
    except TemplateError as error:
        raise ConfigError(f"the template {name}.txt cannot be filled in: {error}") from None


def xarf(case: Case, filed: list[Filed], sender: Mapping[str, str], now: datetime) -> str:
    """Return a report of the case as XARF v4 (https://xarf.org), for whoever can end it; what we know of tenants stays.

    `sender` has `org`, `contact` and `domain`. Where the type wants what is not known, it says so by leaving it out.
    """
    one = _judged(case, filed)
    report, verdict = one.report, one.verdict
    numbers = verdict.get("facts", {})
    told: dict[str, Any] = {
        "xarf_version": "4.0.0",
        "report_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"flowkeep:{case.id}:{report.digest}")),
        "timestamp": now.astimezone(UTC).isoformat(timespec="seconds"),
        "reporter": dict(sender), "sender": dict(sender),
        "source_identifier": str(report.address), "source_port": report.port,
        "category": _CATEGORIES.get(case.kind, "connection"), "type": case.kind or "port_scan",
        "evidence_source": "flow_analysis",
        "first_seen": report.when.earliest.isoformat(), "last_seen": report.when.latest.isoformat(),
        "destination_ip": str(report.target) if report.target else None, "destination_port": report.target_port,
        "protocol": _PROTOCOLS.get(report.protocol or 0),
        "packet_count": numbers.get("packets_sent") or None, "byte_count": numbers.get("octets_sent") or None,
        "description": f"{verdict['verdict']} by flow records",
    }  # fmt: skip
    return json.dumps({name: value for name, value in told.items() if value is not None}, indent=2)


def _time(filed: Filed) -> str:
    when = filed.report.when
    if not when.is_sure:
        return f"{when.text} (its zone was not told)"
    first, last = (f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" for moment in (when.earliest, when.latest))
    return first if first == last else f"{first} to {last}"


def _judged(case: Case, filed: list[Filed]) -> Filed:
    """Return the report that an answer goes by: the first; RefusalError where it has no verdict yet."""
    if not filed[0].verdict:
        raise RefusalError(f"case {case.id} has no verdict yet; `flowkeep case judge {case.id}` gives it one")
    return filed[0]


def _hide(text: str, own: str) -> str:
    """Return a reason with every address cut short but the case's own: far ends', and those of our exporters."""
    return _ADDRESS.sub(lambda found: _cut(found[0], own), text)


def _cut(word: str, own: str) -> str:
    end = len(word.rstrip(":.,"))
    try:
        known = ip_address(word[:end]) == ip_address(own)
    except ValueError:
        return word
    return word if known else masked_address(word[:end]) + word[end:]
