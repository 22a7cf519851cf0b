"""Shadowserver's daily reports: CSV whose times are UTC, whose kinds are told by the name of the report or by tags.

The names are those of shadowserver.org/what-we-do/network-reporting: event4_*, scan_*, population_*, and older ones.
"""

from __future__ import annotations

import re
from collections.abc import Collection

REPORTER = "Shadowserver"

_SIGNS = frozenset(("asn", "src_asn", "geo", "src_geo", "naics", "src_naics", "severity", "infection", "tag"))
_BY_REPORT = tuple(
    (re.compile(name), kind)
    for name, kind in (
        (r"brute_?force", "login_attack"),
        # The addresses are those of victims: spoofed by others, who are not known.
        (r"ddos_?amp|amplification", ""),
        (r"ddos", "ddos"),
        (r"darknet|honeypot_\w{1,20}_scan|hp_\w{1,20}_scan|scanners", "port_scan"),
        (r"sinkhole|botnet|drone", "botnet"),
        (r"compromised_website", "compromised_server"),
        (r"blocklist|blacklist", "blocklist"),
        (r"malware_url", "malware"),
        (r"phish_url", "phishing"),
        (r"spam_url", "spam"),
        (r"(?:scan|population)6?_|open_|accessible", "open_service"),
    )
)
_BY_TAG = (
    (re.compile(r"brute[ _-]?force", re.IGNORECASE), "login_attack"),
    (re.compile(r"ddos-participant", re.IGNORECASE), "ddos"),
    (re.compile(r"\bscan(?:ner|ning)?\b", re.IGNORECASE), "port_scan"),
)


def is_header(names: Collection[str], reporter: str) -> bool:
    """Return whether the columns, by their normal names, are those of a Shadowserver report."""
    told = "timestamp" in names and ("ip" in names or "src_ip" in names)
    return told and (not _SIGNS.isdisjoint(names) or reporter.endswith("@shadowserver.org"))


def kind_of_report(*names: str) -> str:
    """Return the kind that all claims of a report have, by the name of its file or the subject of its mail."""
    for name in names:
        plain = re.sub(r"[ -]", "_", name.lower())
        for form, kind in _BY_REPORT:
            if form.search(plain):
                return kind
    return ""


def kind_of_row(*tags: str) -> str:
    """Return the kind that the tags of a row tell, where the report does not."""
    return next((kind for tag in tags for form, kind in _BY_TAG if form.search(tag)), "")
