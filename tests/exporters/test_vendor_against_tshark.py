"""Every vendor capture, decoded by us and by tshark: equal flow by flow, but for the differences listed and explained.

The differences are in vendor_differences.yaml, and docs/vendor_captures.md shows them. To write that page anew:
`WRITE_VENDOR_PAGE=1 python -m pytest tests/exporters/test_vendor_against_tshark.py`.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from decoders import Datagrams, Limits, Octets, State, decode
from schema.columns import FLOW_COLUMNS
from schema.render import rows
from tests.decoders.test_vendor_captures import CAPTURES, GROUPS
from tests.decoders.wire import EXPORTER, NOW
from tests.exporters.chosen_columns import DELETES, NAMES, RESPONDERS, Exporter, Row, present
from tests.exporters.tshark_reading import Datagram, dissect, element_records, write_pcap

COMPARED = {column.name for column in FLOW_COLUMNS if column.category != "attribution"} - {
    "time_received", "exporter", "exporter_port", "sampling_source", "sampling_mode",
}  # fmt: skip
"""The columns that a record can fill. The others say how the collector came by a flow, and what it knows of it."""

BACK_TO_BACK = {"netflow5.dat", "ipfix.dat"}
"""Files of several messages in one datagram, where tshark reads the first only: it gets each in its own."""

PAGE = Path(__file__).parents[2] / "docs" / "vendor_captures.md"
LISTED: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "vendor_differences.yaml").read_text())
UNTOLD = re.compile(r"Data \((\d+) bytes\), no template found")
KEYS = {"group", "differs", "right", "why", "sums", "columns", "only_tshark", "only_flowkeep"}
SIDES = ("tshark", "flowkeep")


class Sums(NamedTuple):
    """What one side finds in a group of files; `waiting` are octets of sets without their template."""

    flows: int = 0
    octets: int = 0
    packets: int = 0
    options: int = 0
    templates: int = 0
    waiting: int = 0
    gave_up: int = 0


class Compared(NamedTuple):
    """Both sides of a group: their sums, and what is left of the flows when equal ones are taken away, file by file.

    `columns` counts (column, tshark's value, ours) of flows that differ in some columns only. `filled` names the
    columns that any flow has.
    """

    tshark: Sums
    flowkeep: Sums
    columns: Counter[tuple[str, Any, Any]]
    only_tshark: list[Row]
    only_flowkeep: list[Row]
    filled: set[str]


def messages(name: str, data: bytes) -> Iterator[bytes]:
    """Split back-to-back NetFlow v5 PDUs or IPFIX messages."""
    while name in BACK_TO_BACK and data:
        count = int.from_bytes(data[2:4])
        length = 24 + 48 * count if data[1] == 5 else count
        yield data[:length]
        data = data[length:]
    if data:
        yield data


def ours(files: dict[str, bytes]) -> tuple[Sums, list[list[Row]]]:
    """Return our reading of the files: the sums, and the flows of each file."""
    state, sums, flows = State(), Sums(), list[list[Row]]()
    for data in files.values():
        result = decode(Datagrams.of([data], EXPORTER, NOW), state, Limits())
        flows.append([present(row) for row in rows(result.flows)])
        waiting = result.octets[Octets.WAITING]
        found = Sums(*totals(flows[-1]), result.option_records, result.templates, waiting)
        sums = added([sums, found])
    return sums, flows


def tsharks(files: dict[str, bytes], pcap: Path) -> tuple[Sums, list[list[Row]]]:
    """Return the same of tshark's reading; its sums are of its records, before any is made two flows."""
    sent = [(name, part) for name, data in files.items() for part in messages(name, data)]
    write_pcap(pcap, [Datagram(NOW / 1000, part) for _, part in sent], "netflow")
    pdml = dissect(pcap)
    exporter, flows, plain, options = Exporter(), {name: list[Row]() for name in files}, list[Row](), 0
    for _, records in groupby(element_records(pdml, NAMES), key=lambda record: record.frame):
        together = list(records)
        for record in together:
            if record.options:
                exporter.learn(record)
                options += 1
        for record in together:
            if not record.options:
                flows[sent[record.frame - 1][0]] += exporter.flows(record)
                plain.append(next(Exporter([RESPONDERS, DELETES]).flows(record)))
    shown = [field.get("show", "") for field in pdml.iter("field")]
    shown_names = [field.get("showname", "") for field in pdml.iter("field")]
    sums = Sums(
        *totals(plain),
        options,
        sum(text.startswith(("Template (", "Options Template (")) for text in shown),
        sum(int(told[1]) for text in shown_names if (told := UNTOLD.fullmatch(text))),
        sum(node.get("showname") == "[Malformed Packet: CFLOW]" for node in pdml.iter("proto")),
    )
    return sums, list(flows.values())


def totals(flows: list[Row]) -> tuple[int, int, int]:
    return len(flows), sum(flow.get("bytes", 0) for flow in flows), sum(flow.get("packets", 0) for flow in flows)


def compare(files: dict[str, bytes], pcap: Path) -> Compared:
    """Hold both readings of a group's files against each other."""
    (their_sums, theirs), (our_sums, own) = tsharks(files, pcap), ours(files)
    filled = {name for side in (theirs, own) for flows in side for flow in flows for name in flow}
    result = Compared(their_sums, our_sums, Counter(), [], [], filled)
    for their_flows, our_flows in zip(theirs, own, strict=True):
        left, right = Counter(map(comparable, their_flows)), Counter(map(comparable, our_flows))
        rest = list((left - right).elements())
        for flow in (right - left).elements():
            if not rest:
                result.only_flowkeep.append(dict(flow))
                continue
            nearest = min(rest, key=lambda other: len(other ^ flow))
            rest.remove(nearest)
            tell, told = dict(nearest), dict(flow)
            for column in tell.keys() | told.keys():
                if tell.get(column) != told.get(column):
                    result.columns[column, tell.get(column, 0), told.get(column, 0)] += 1
        result.only_tshark.extend(map(dict, rest))
    return result


def added(sums: Iterable[Sums]) -> Sums:
    return Sums(*map(sum, zip(*sums, strict=True)))


def comparable(flow: Row) -> frozenset[tuple[str, Any]]:
    return frozenset((name, value) for name, value in flow.items() if name in COMPARED)


def listed(group: str) -> list[dict[str, Any]]:
    """Return the group's differences."""
    return [entry for entry in LISTED if entry["group"] == group]


def listed_flows(entry: dict[str, Any], side: str) -> list[Row]:
    """Return the flows that only one side finds."""
    only = entry.get(f"only_{side}", {})
    return [only["each"] | flow for flow in only.get("flows", [])]


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Compared]:
    """Every group compared; two at a time, since tshark takes longer to start than to read."""
    directory = tmp_path_factory.mktemp("vendor")

    def run(group: str) -> Compared:
        files = {name: (CAPTURES / "vendor" / name).read_bytes() for name in GROUPS[group]}
        return compare(files, directory / f"{group}.pcap")

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(GROUPS, pool.map(run, GROUPS), strict=True))


@pytest.mark.parametrize("group", GROUPS)
def test_group_is_what_tshark_reads_but_for_the_listed_differences(group: str, compared: dict[str, Compared]) -> None:
    found, entries = compared[group], listed(group)
    sums = {name: values for entry in entries for name, values in entry.get("sums", {}).items()}
    differing = {
        name: dict(zip(SIDES, values, strict=True))
        for name, *values in zip(Sums._fields, found.tshark, found.flowkeep, strict=True)
        if values[0] != values[1]
    }
    assert differing == sums
    columns = Counter[tuple[str, Any, Any]]()
    for entry in entries:
        for each in entry.get("columns", []):
            columns[each["column"], each["tshark"], each["flowkeep"]] += each["flows"]
    assert found.columns == columns
    for side, flows in (("tshark", found.only_tshark), ("flowkeep", found.only_flowkeep)):
        if any(entry.get(f"only_{side}") == "all" for entry in entries):
            assert len(flows) == getattr(found, side).flows
        else:
            expected = [comparable(flow) for entry in entries for flow in listed_flows(entry, side)]
            assert Counter(map(comparable, flows)) == Counter(expected)


def test_every_listed_difference_is_explained() -> None:
    for entry in LISTED:
        assert entry.keys() <= KEYS
        assert entry["group"] in GROUPS
        assert entry["right"] in ("flowkeep", "tshark", "both")
        assert "octet" in entry["why"], "say where the truth is to be seen"
        assert set(entry.get("sums", {})) <= set(Sums._fields)


def test_one_octet_told_otherwise_is_noticed(tmp_path: Path) -> None:
    name = "netflow9_test_softflowd_tpl_data.dat"
    data = (CAPTURES / "vendor" / name).read_bytes()
    changed = data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]
    (_, theirs), (_, own) = tsharks({name: data}, tmp_path / "told.pcap"), ours({name: changed})
    assert Counter(map(comparable, theirs[0])) != Counter(map(comparable, own[0]))


def page(compared: dict[str, Compared]) -> str:
    """Return docs/vendor_captures.md."""
    lines = [
        "# Vendor captures: Flowkeep and tshark",
        "",
        "<!-- Written by tests/exporters/test_vendor_against_tshark.py with WRITE_VENDOR_PAGE=1; do not edit. -->",
        "",
        *wrapped(
            "Flow exports of real devices (the test data of logstash-codec-netflow), decoded by Flowkeep and by tshark "
            "4.0.17. Each group of files has a state of its own; its flows are compared file by file, in every column "
            "that a record can fill. Of several values for one column in a record, [one counts](columns.md): code of "
            "the test's own chooses it among tshark's fields, none of it shared with the decoders. Where the sides "
            "differ, both figures stand in the table, tshark's first: of its records, one flow each. "
            "`vendor_differences.yaml`, beside the test, has the differences with all expected values."
        ),
        "",
        *wrapped(
            "tshark reads only the first of several messages in one datagram. Of `netflow5.dat` (12 PDUs) and "
            "`ipfix.dat` (3 messages) it was given each in a datagram of its own; Flowkeep reads them as they came."
        ),
        "",
        *(line for remark in remarks(compared) for line in (*wrapped(remark), "")),
        *table(compared),
    ]
    current = [entry for group in compared for entry in listed(group)]
    for number, entry in enumerate(current, 1):
        lines += ["", f"## Difference {number}", "", *explained(entry)]
    return "\n".join(lines) + "\n"


def wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 118, break_on_hyphens=False)


def remarks(compared: dict[str, Compared]) -> Iterator[str]:
    waiting = {group: found.tshark.waiting for group, found in compared.items()}
    octets = ", ".join(f"{count} octets in `{group}`" for group, count in waiting.items() if count)
    yield f"Neither side decodes data sets whose template is in no file: {octets}."
    filled = set[str]().union(*(found.filled for found in compared.values()))
    yield f"No record here fills {code(COMPARED - filled)}."


def code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def table(compared: dict[str, Compared]) -> Iterator[str]:
    yield "| group | files | flows | octets | packets | options records | result |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    number = 0
    for group, found in compared.items():
        links = []
        for _ in listed(group):
            number += 1
            links.append(f"[difference {number}](#difference-{number})")
        yield row_of(group, len(GROUPS[group]), found.tshark, found.flowkeep, ", ".join(links) or "agree")
    all_tshark, all_flowkeep = (added(getattr(found, side) for found in compared.values()) for side in SIDES)
    yield row_of("all", sum(map(len, GROUPS.values())), all_tshark, all_flowkeep, f"{len(compared)} groups")


def row_of(group: str, files: int, tshark: Sums, flowkeep: Sums, result: str) -> str:
    pairs = list(zip(tshark, flowkeep, strict=True))[:4]
    figures = [str(their) if their == our else f"{their} / {our}" for their, our in pairs]
    return "| " + " | ".join([group, str(files), *figures, result]) + " |"


def explained(entry: dict[str, Any]) -> Iterator[str]:
    right = {"flowkeep": "Flowkeep is right", "tshark": "tshark is right", "both": "Both are right"}[entry["right"]]
    yield f"`{entry['group']}`: {entry['differs']}. **{right}.**"
    yield ""
    yield from wrapped(entry["why"])
    rows = [(name, "", values["tshark"], values["flowkeep"]) for name, values in entry.get("sums", {}).items()]
    rows += [(f"`{x['column']}`", x["flows"], x["tshark"], x["flowkeep"]) for x in entry.get("columns", [])]
    if rows:
        yield from ("", "| what | flows | tshark | Flowkeep |", "| --- | ---: | --- | --- |")
        yield from ("| " + " | ".join(map(str, row)) + " |" for row in rows)


def test_the_page_is_current(compared: dict[str, Compared], capsys: pytest.CaptureFixture[str]) -> None:
    text = page(compared)
    with capsys.disabled():
        print("", *table(compared), sep="\n")
    if os.environ.get("WRITE_VENDOR_PAGE"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text, f"{PAGE} is stale; WRITE_VENDOR_PAGE=1 writes it anew"
