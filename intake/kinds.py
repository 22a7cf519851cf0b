"""What is claimed to have been done, as XARF v4 names its types, told from what other forms call it."""

from __future__ import annotations

import functools
import re

TYPES = frozenset((
    "spam", "bulk_messaging",
    "phishing", "malware", "fraud", "csam", "csem", "exposed_data", "brand_infringement", "suspicious_registration",
    "remote_compromise",
    "copyright", "cyberlocker", "link_site", "p2p", "usenet", "ugc_platform",
    "login_attack", "port_scan", "ddos", "scraping", "sql_injection", "vulnerability_scan", "infected_host",
    "reconnaissance",
    "cve", "misconfiguration", "open_service",
    "botnet", "compromised_server",
    "blocklist", "threat_intelligence",
))  # fmt: skip
"""The types of all categories of XARF v4 (specification of 2026)."""

_OF_XARF3 = {
    "loginattack": "login_attack", "portscan": "port_scan", "dos": "ddos", "ddos": "ddos", "spam": "spam",
    "phishing": "phishing", "malware": "malware", "botnet": "botnet", "bot": "botnet", "copyright": "copyright",
    "trademark": "brand_infringement", "childabuse": "csam", "csam": "csam", "openservice": "open_service",
    "webcrawler": "scraping", "webhack": "remote_compromise", "fraud": "fraud",
}  # fmt: skip
"""Types of XARF 3 without case, dashes and blanks: the schemas write PortScan, others Port-Scan or port-scan."""

_OF_FEEDBACK = {"abuse": "spam", "fraud": "phishing", "virus": "malware"}

_WORDS = tuple(
    (kind, re.compile(words))
    for kind, words in (
        ("sql_injection", r"(?i:sql[ _-]?injection|\bsqli\b)"),
        ("phishing", r"(?i:phish)"),
        ("ddos", r"(?i:ddos|\bdos attack|denial[ _-]of[ _-]service|flood)"),
        (
            "login_attack",
            r"(?i:brute[ _-]?force|login[ _-]?(?:attack|attempt|failure|failed)|failed (?:password|login|keyboard)|"
            r"(?:authenticat\w{2,3}|auth|login|logon)[ _](?:failure|failed|error)|invalid user|password guess|"
            r"credential[ _-]stuffing)",
        ),
        ("port_scan", r"(?i:port[ _-]?scan|\bscan(?:s|ned|ning|ner)?\b|\bprob(?:e|es|ed|ing)\b|darknet)|\bSYN\b"),
        (
            "login_attack",
            r"(?i:\bsshd?\b|wp-login|xmlrpc|\bimapd?\b|\bpop3d?\b|dovecot|\bsasl\b|\brdp\b|telnet|-auth\b)",
        ),
        ("botnet", r"(?i:botnet|\bmirai\b|command[ _-](?:and|&)[ _-]control|\bC&C\b|\bC2\b|sinkhole|\bdrone\b)"),
        ("spam", r"(?i:\bspam|spamtrap|\bunsolicited\b|\bjunk mail\b)|\bUCE\b|\bUBE\b"),
        ("malware", r"(?i:malware|\bvirus\b|trojan|ransomware)"),
        ("copyright", r"(?i:copyright|\bDMCA\b|infring)"),
        ("open_service", r"(?i:open[ _-](?:resolver|relay|proxy|service|dns|ntp)|openly accessible)"),
    )
)


@functools.lru_cache(maxsize=4096)
def by_words(text: str) -> str:
    """Return the kind that the words of a line, a subject or a cell tell; "" where none does."""
    name = re.sub(r"[ -]", "_", text.strip().lower()) if len(text) <= 40 else ""
    if name in TYPES:
        return name
    for kind, words in _WORDS:
        if words.search(text):
            return kind
    return ""


def of_xarf4(value: object) -> str:
    """Return the type of a report of XARF v4, which may be newer than the list here; "" where it is no name."""
    return value if isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_]{0,63}", value) else ""


def of_xarf3(value: object) -> str:
    """Return the type that a ReportType of XARF 3 is called in v4."""
    return _OF_XARF3.get(re.sub(r"[ _-]", "", value[:64].lower()), "") if isinstance(value, str) else ""


def of_feedback(value: str) -> str:
    """Return the kind that a Feedback-Type (RFC 5965 section 7.3, RFC 6430) stands for."""
    return _OF_FEEDBACK.get(value.lower(), "")
