"""The evidence of a case as a sealed bag: rows of flows, verdicts, who held the address, policy, sampling, and limits.

It names persons: it is written for its owner alone, and on record before it is.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from abuse.bag import Packed, Stamp, pack
from abuse.claims import Claim, claim_of
from abuse.coverage import coverage
from abuse.desk import Desk
from abuse.facts import span
from abuse.holders import milliseconds
from abuse.store import Case, Filed
from abuse.surroundings import surroundings
from ledger.entry import JSON
from query.sql import Parameters, within
from schema.columns import FLOW_COLUMNS
from settings.errors import RefusalError

_MOST_ROWS = 1_000_000
_MARGIN = timedelta(hours=1)
_AROUND = 20
"""Reports whose surroundings are told, the first of a case."""
_COLUMNS = tuple(column.name for column in FLOW_COLUMNS)


def gather(desk: Desk, case: Case, target: Path, stamp: Stamp | None = None, masked: bool = False) -> Packed:
    """Pack the evidence of a case into a new directory; `masked` hides the far ends that no report names.

    RefusalError where it cannot be packed, or is more than a million rows: then a case is too wide, and is to be split.
    """
    filed = desk.store.reports([case.id])
    claims = [claim_of(one.report) for one in filed]
    desk.look(case.id, "evidence")
    since, until = span(claims)
    source = desk.source(since, until)
    sql, parameters = rows_of(claims, since, until, source)
    rows = desk.query.query(sql, parameters)
    if len(rows.rows) > _MOST_ROWS:
        raise RefusalError(f"case {case.id}: more than {_MOST_ROWS:,} flows; it is too wide for one package")
    named = {str(one.report.target) for one in filed} | {case.address}
    records = [_record(row, named if masked else None) for row in rows.rows]
    payload: dict[str, bytes] = {
        "case.json": _json({**case.as_json(), "reports": [_told(one) for one in filed]}),
        "query.sql": (sql + "\n").encode(),
        "parameters.json": _json(parameters),
        "policy.json": _json(_policy(desk)),
        "statement.json": _json(_statement(desk, claims, source, len(records), masked)),
        **_tables(records),
    }
    if not masked:  # all of these name others
        around = [surroundings(desk.query, claim, source).as_json() for claim in claims[:_AROUND]]
        payload["surroundings.json"] = _json(around)
        for one in {filed_.message for filed_ in filed}:
            payload[f"reports/{one}"] = desk.store.original(one)[1]
    info = {"Source-Organization": "Flowkeep", "External-Identifier": case.id, "Bagging-Date": f"{desk.now:%Y-%m-%d}"}
    details: dict[str, JSON] = {"case": case.id, "rows": len(records), "masked": masked}
    return pack(target, payload, info, desk.ledger, "evidence", details, actor=desk.person, now=desk.now, stamp=stamp)


def rows_of(claims: list[Claim], since: datetime, until: datetime, source: str) -> tuple[str, dict[str, object]]:
    """Return the query for the flows of the claims' addresses in their times, and its parameters."""
    parameters = Parameters()
    times = within(since, until + _MARGIN, parameters)
    spans: dict[str, tuple[datetime, datetime]] = {}
    for claim in claims:
        first, last = spans.get(claim.address_mapped, (claim.first, claim.last))
        spans[claim.address_mapped] = (min(first, claim.first), max(last, claim.last))
    parts = []
    for address, (first, last) in sorted(spans.items()):
        mine = parameters.add(address, "IPv6")
        low, high = (parameters.add(milliseconds(moment), "Int64") for moment in (first, last))
        parts.append(
            f"((src_addr = {mine} OR dst_addr = {mine} OR post_nat_src_addr = {mine}) "
            f"AND toUnixTimestamp64Milli(flow_start) <= {high} "
            f"AND greatest(toUnixTimestamp64Milli(flow_end), toUnixTimestamp64Milli(flow_start)) >= {low})"
        )
    names = ", ".join(_COLUMNS)
    sql = (
        f"SELECT {names} FROM {source} WHERE {times} AND ({' OR '.join(parts)}) "  # noqa: S608 - names of our own
        f"ORDER BY flow_start, src_addr, dst_addr, src_port, dst_port LIMIT {_MOST_ROWS + 1}"
    )
    return sql, parameters.values


def _record(row: tuple[Any, ...], named: set[str] | None) -> dict[str, Any]:
    record = {name: _plain(value) for name, value in zip(_COLUMNS, row, strict=True)}
    if named is not None:
        for name in ("src_addr", "dst_addr", "post_nat_src_addr", "post_nat_dst_addr", "next_hop"):
            if record[name] not in named and record[name] != "::":
                record[name] = masked_address(record[name])
        for end in ("src", "dst"):
            if record[f"{end}_addr"] not in named:
                record[f"{end}_tenant"] = ""
    return record


def masked_address(address: str) -> str:
    """Return an address with its host part hidden: the last octet of IPv4, the last 80 bits of IPv6."""
    if ":" in address:
        return str(IPv6Address(int(IPv6Address(address)) >> 80 << 80)) + "x"
    return address.rpartition(".")[0] + ".x"


def _tables(records: list[dict[str, Any]]) -> dict[str, bytes]:
    """Return the rows three times: for eyes, for programs, and for analysis."""
    lines = "".join(json.dumps(record, sort_keys=False) + "\n" for record in records).encode()
    flat = [
        {name: json.dumps(value) if isinstance(value, list) else value for name, value in record.items()}
        for record in records
    ]
    table = pa.table({name: [record[name] for record in flat] for name in _COLUMNS})
    sheet, parquet = io.BytesIO(), io.BytesIO()
    pyarrow.csv.write_csv(table, sheet)
    pyarrow.parquet.write_table(table, parquet)
    return {"flows.jsonl": lines, "flows.csv": sheet.getvalue(), "flows.parquet": parquet.getvalue()}


def _policy(desk: Desk) -> dict[str, Any]:
    return {"edition": desk.policy.edition, "fingerprint": desk.policy.fingerprint,
            "policy": desk.policy.model_dump(mode="json", by_alias=True)}  # fmt: skip


def _statement(desk: Desk, claims: list[Claim], source: str, rows: int, masked: bool) -> dict[str, Any]:
    """Return what is to be known of the rows: their sampling, the clocks they go by, and what may be missing."""
    heard = coverage(desk.query, [(claim.first, claim.last) for claim in claims], source, desk.now)
    silent = {str(_plain(one)) for claim in claims for one in heard.silent(claim.first, claim.last)}
    return {
        "made": desk.now.isoformat(), "by": desk.person, "rows": rows, "read_from": source, "far_ends_masked": masked,
        "exporters": [
            {"exporter": _plain(one), "sampling_rate": each.rate or None, "flows_heard": int(each.flows.sum())}
            for one, each in heard.exporters.items()
        ],
        "silent_exporters": sorted(silent) if heard.is_whole else None,
        "sampling": "bytes and packets are as exported; multiply by sampling_rate, where it is not 0 (unknown)",
        "clock": "flow_start and flow_end are by the exporter's clock, time_received by the collector's, in UTC",
        "clock_offset_ms": _offset(desk, claims, source),
        "completeness": "datagrams lost before the collector are not in it; an exporter that sent nothing where it "
                        "usually does is named as silent; null where that cannot be told any more",
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


def _told(filed: Filed) -> dict[str, Any]:
    report = filed.report
    return {
        "address": str(report.address), "port": report.port, "target": str(report.target) if report.target else None,
        "target_port": report.target_port, "protocol": report.protocol, "kind": report.kind,
        "from": report.when.earliest.isoformat(), "to": report.when.latest.isoformat(), "time": report.when.text,
        "zone_known": report.when.is_sure, "reporter": report.reporter, "reference": report.reference,
        "form": report.form, "times": filed.times, "message_sha256": filed.message, "verdict": dict(filed.verdict),
    }  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if hasattr(value, "ipv4_mapped"):
        return str(value.ipv4_mapped or value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _json(value: Mapping[str, Any] | list[Any]) -> bytes:
    return (json.dumps(value, indent=2, default=str) + "\n").encode()
