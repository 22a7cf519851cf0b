"""What `flowkeep decode` shows of the octets themselves: one datagram explained, and the templates of each exporter."""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.gathering import MOST, gathered
from cli.options import print_json
from cli.tables import print_table
from collector.captures import Captured, datagrams
from decoders import Limits, State, decode
from decoders.explain import explain
from decoders.layout import VARIABLE, Template, compile_layout
from decoders.registry import name_of, type_of
from decoders.stream import Stream
from schema.render import address_text, time_text
from settings.errors import ConfigError

_PROTOCOLS = {9: ("netflow9", "NetFlow v9, source id"), 10: ("ipfix", "IPFIX, observation domain")}

_SECTION = "what the packet's header says"


def explain_datagram(files: list[Path], number: int, exporter: bytes) -> None:
    """Print the `number`-th datagram of the files, counted from 1 over all of them, octet by octet.

    Those before it are decoded for their templates. `exporter`, 16 octets, is the sender of files that are raw
    datagrams. ConfigError where there is no such datagram.
    """
    if number < 1:
        raise ConfigError(f"--explain: datagrams are counted from 1, so there is no number {number}")
    state, left_out = State(), Counter[str]()
    count, waiting, found = 0, list[Captured](), None
    for path, captured in _captured(files, left_out):
        count += 1
        if count == number:
            found = (path, captured)
            break
        waiting.append(captured)
        if len(waiting) == MOST:
            _learn(waiting, exporter, state)
            waiting = []
    for why, times in left_out.items():
        print(f"flowkeep: left out {times} {why}", file=sys.stderr)
    if found is None:
        raise ConfigError(f"--explain: there is no datagram {number}: the files have {count}")
    _learn(waiting, exporter, state)
    path, captured = found
    sender = captured.sender or exporter
    when = "" if captured.time is None else f", captured {time_text(captured.time)}"
    print(f"datagram {number}: {path}, from {address_text(sender)}, {len(captured.payload)} octets{when}")
    templates = {
        (stream.version, stream.domain, id_): template
        for stream, id_, template in _templates(state)
        if stream.exporter == sender
    }
    sys.stdout.writelines(
        f"{line.offset:5}  {line.octets.hex(' '):47}  {'  ' * line.depth}{line.text}".rstrip() + "\n"
        for line in explain(captured.payload, templates)
    )


def _captured(files: list[Path], left_out: Counter[str]) -> Iterator[tuple[Path, Captured]]:
    for path in files:
        for captured in datagrams(path, left_out):
            yield path, captured


def _learn(waiting: list[Captured], exporter: bytes, state: State) -> None:
    """Decode datagrams for what `state` keeps of them."""
    if waiting:
        decode(gathered(waiting, exporter, time.time_ns() // 1_000_000), state, Limits())


def _templates(state: State) -> Iterator[tuple[Stream, int, Template]]:
    """Yield the templates that a state keeps, each with its stream and id."""
    for key, kept in state.templates.by_key.items():
        yield key.stream, key.id, kept.template


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of a template, for people; `enterprise` and `length` are None for scope types and variable length."""

    index: int
    element: str
    id: int
    enterprise: int | None
    length: int | None
    type: str
    columns: list[str]


def show_templates(state: State, as_json: bool) -> None:
    """Print the templates that a state keeps, by exporter, version and domain: tables, or a JSON object a line."""
    templates = sorted(_templates(state))
    if not templates and not as_json:
        print("no templates")
    for stream, id_, template in templates:
        protocol, words = _PROTOCOLS[stream.version]
        variable = any(field.length == VARIABLE for field in template.fields)
        octets = None if variable else sum(field.length for field in template.fields)
        fields = list(_rows(template))
        if as_json:
            print_json(
                {
                    "exporter": address_text(stream.exporter),
                    "protocol": protocol,
                    "domain": stream.domain,
                    "template": id_,
                    "options": template.options,
                    "record_octets": octets,
                    "fields": [asdict(field) for field in fields],
                }
            )
            continue
        kind = "options" if template.options else "data"
        length = "variable" if octets is None else octets
        print(f"exporter {address_text(stream.exporter)}, {words} {stream.domain}, template {id_}: {kind}")
        print(f"fields: {len(fields)}, octets of a record: {length}\n")
        print_table(("", "element", "id", "enterprise", "length", "type", "column"), map(_cells, fields))
        print()


def _rows(template: Template) -> Iterator[FieldRow]:
    columns = _columns(template)
    for index, field in enumerate(template.fields):
        yield FieldRow(
            index,
            name_of(field.enterprise, field.id),
            field.id,
            field.enterprise if field.enterprise >= 0 else None,
            None if field.length == VARIABLE else field.length,
            type_of(field.enterprise, field.id).value,
            columns[index],
        )


def _cells(row: FieldRow) -> tuple[object, ...]:
    enterprise = "scope" if row.enterprise is None else str(row.enterprise)
    length = "variable" if row.length is None else row.length
    return (row.index, row.element, str(row.id), enterprise, length, row.type, ", ".join(row.columns))


def _columns(template: Template) -> defaultdict[int, list[str]]:
    """Return the columns of flows that each field fills, by its index; none of options data, which are no flows.

    A field that fills one of the reverse flow only, such as reverseOctetDeltaCount, is given that one.
    """
    found = defaultdict[int, list[str]](list)
    if template.options:
        return found
    layout = compile_layout(template)
    for source in layout.labels.values():
        found[source.field].append("mpls_labels")
    for column, source in (*layout.texts.items(), *((_SECTION, source) for _, source in layout.sections)):
        found[source.field].append(column)
    if layout.segments:
        found[layout.segments.field].append("srv6_segments")
    for column, sources in layout.sources.items():
        for source in sources:
            found[source.field].append(column)
    forward = set(found)
    for column, sources in layout.reverse.sources.items() if layout.reverse else ():
        for source in sources:
            if source.field not in forward:
                found[source.field].append(column)
    return found
