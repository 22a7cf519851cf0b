"""The evidence of a case as a sealed bag: rows of flows, verdicts, who held the address, policy, sampling, and limits.

It names persons: it is written for its owner alone, and on record before it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from abuse.bag import Packed, Stamp, pack
from abuse.claims import Claim, claim_of
from abuse.coverage import coverage
from abuse.desk import Desk
from abuse.evidence_rows import MOST, flows_of, plain, sheets
from abuse.facts import span
from abuse.store import Case, Filed
from abuse.surroundings import surroundings
from intake.read import read
from ledger.entry import JSON
from query.sql import Parameters, within
from settings.errors import RefusalError

_OF_OTHERS = ("holder", "stored_under", "tenants")
_AROUND = 20
"""Reports whose surroundings are told, the first of a case."""


def gather(desk: Desk, case: Case, target: Path, stamp: Stamp | None = None, masked: bool = False) -> Packed:
    """Pack the evidence of a case into a new directory; `masked` hides all that no report names, and who it was.

    Where the flows are more than a package takes, those between the ends that reports name go into it. RefusalError
    where these are too many, and where it cannot be packed.
    """
    filed = desk.store.reports([case.id])
    claims = [claim_of(one.report) for one in filed]
    desk.look(case.id, "evidence")
    source = desk.source(*span(claims))
    rows, sql, parameters, whole = _rows(desk, case, claims, source)
    named = {str(one.report.target) for one in filed} | {case.address}
    payload: dict[str, bytes] = {
        "case.json": _json({**_case(case, masked), "reports": [_told(one, masked) for one in filed]}),
        "query.sql": (sql + "\n").encode(),
        "parameters.json": _json(parameters),
        "policy.json": _json(_policy(desk, masked)),
        "statement.json": _json(_statement(desk, claims, source, len(rows), whole, masked)),
        **sheets(rows, named if masked else None).files(),
    }
    if not masked:  # all of these name others
        around = [surroundings(desk.query, claim, source).as_json() for claim in claims[:_AROUND]]
        payload["surroundings.json"] = _json(around)
        payload |= _originals(desk, case, filed)
    info = {"Source-Organization": "Flowkeep", "External-Identifier": case.id, "Bagging-Date": f"{desk.now:%Y-%m-%d}"}
    details: dict[str, JSON] = {"case": case.id, "rows": len(rows), "masked": masked}
    return pack(target, payload, info, desk.ledger, "evidence", details, actor=desk.person, now=desk.now, stamp=stamp)


def _originals(desk: Desk, case: Case, filed: list[Filed]) -> dict[str, bytes]:
    """Return the messages that are about this case's address alone: a list of a thousand is of a thousand's cases."""
    found = {}
    for digest in dict.fromkeys(one.message for one in filed):
        name, octets = desk.store.original(digest)
        message = read(octets, name, desk.now)
        if not message.unread and all(str(report.address) == case.address for report in message.reports):
            found[f"reports/{digest}"] = octets
    return found


def _case(case: Case, masked: bool) -> dict[str, Any]:
    return {name: value for name, value in case.as_json().items() if not masked or name not in ("tenants", "assignee")}


def _rows(
    desk: Desk, case: Case, claims: list[Claim], source: str
) -> tuple[list[tuple[Any, ...]], str, dict[str, object], bool]:
    """Return flows, the query that found them with its parameters, and whether they are all of the address's."""
    for far_ends_only in (False, True):
        sql, parameters = flows_of(claims, source, far_ends_only)
        rows = desk.query.query(sql, parameters).rows
        if len(rows) <= MOST:
            return rows, sql, parameters, not far_ends_only
    raise RefusalError(
        f"case {case.id}: more than {MOST:,} flows between the ends that are reported, too many for one package; "
        "`flowkeep flows` exports them by parts of the time"
    )


def _policy(desk: Desk, masked: bool) -> dict[str, Any]:
    """Return which policy it is; its text too, unless it may name other tenants where they must not be."""
    which = {"edition": desk.policy.edition, "fingerprint": desk.policy.fingerprint}
    return which if masked else which | {"policy": desk.policy.model_dump(mode="json", by_alias=True)}


def _statement(desk: Desk, claims: list[Claim], source: str, rows: int, whole: bool, masked: bool) -> dict[str, Any]:
    """Return what is to be known of the rows: their sampling, the clocks they go by, and what may be missing."""
    heard = coverage(desk.query, [(claim.first, claim.last) for claim in claims], source, desk.now)
    silent = {str(plain(one)) for claim in claims for one in heard.silent(claim.first, claim.last)}
    return {
        "made": desk.now.isoformat(), "by": desk.person, "rows": rows, "read_from": source, "far_ends_masked": masked,
        "rows_are": "all flows of the address in the reported times" if whole else
                    "the flows with the far ends that reports name: those of the address are too many",
        "exporters": [
            {"exporter": plain(one), "sampling_rate": each.rate or None, "flows_heard": int(each.flows.sum())}
            for one, each in heard.exporters.items()
        ],
        "silent_exporters": sorted(silent) if heard.is_whole else None,
        "sampling": "bytes and packets are as exported; multiply by sampling_rate, where it is not 0 (unknown)",
        "clock": "flow_start and flow_end are by the exporter's clock, time_received by the collector's, in UTC",
        "clock_offset_ms": _offset(desk, claims, source),
        "completeness": "datagrams lost before the collector are not in it; an exporter that sent nothing where it "
                        "usually does is named as silent; null where that cannot be told any more",
        "originals": "reports/ has the messages that are about this address alone; case.json has the others' SHA-256",
        "content": "records of flows: who spoke with whom, when and how much; never what",
    }  # fmt: skip


def _offset(desk: Desk, claims: list[Claim], source: str) -> int | None:
    """Return by how much, in the median, flows were received after their end: more than minutes tells of a clock."""
    since, until = span(claims)
    parameters = Parameters()
    sql = (
        "SELECT count(), toInt64(quantile(0.5)(toUnixTimestamp64Milli(time_received) - "  # noqa: S608 - our own names
        f"toUnixTimestamp64Milli(flow_end))) FROM {source} WHERE {within(since, until, parameters)} "
        "AND toUnixTimestamp64Milli(flow_end) > 0"
    )
    ((count, median),) = desk.query.query(sql, parameters.values).rows
    return int(median) if count else None


def _told(filed: Filed, masked: bool) -> dict[str, Any]:
    """Return a report with its verdict; `masked`, without what names holders before and after, and other tenants."""
    report, verdict = filed.report, dict(filed.verdict)
    if masked:
        verdict = {name: value for name, value in verdict.items() if name not in _OF_OTHERS}
    return {
        "address": str(report.address), "port": report.port, "target": str(report.target) if report.target else None,
        "target_port": report.target_port, "protocol": report.protocol, "kind": report.kind,
        "from": report.when.earliest.isoformat(), "to": report.when.latest.isoformat(), "time": report.when.text,
        "zone_known": report.when.is_sure, "reporter": report.reporter, "reference": report.reference,
        "form": report.form, "times": filed.times, "message_sha256": filed.message, "verdict": verdict,
    }  # fmt: skip


def _json(value: Mapping[str, Any] | list[Any]) -> bytes:
    return (json.dumps(value, indent=2, default=str) + "\n").encode()
