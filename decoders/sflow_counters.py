"""sFlow version 5 counter samples (counters_sample and counters_sample_expanded): rows for the tables of counters.

Samples are walked in step to their records; of each structure all records are read together, and those of one sample
that go to the same table are one row. sflow.org, "sFlow Version 5", section 5, and "sFlow Host Structures".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from decoders.block import Datagrams, Decoded, Octets
from decoders.cursor import Data, Items, Positions, u32
from decoders.limits import Limits
from decoders.sflow_agents import Agents
from decoders.sflow_counter_arrays import adaptors, lanes, queues
from decoders.sflow_counter_fields import read
from decoders.sflow_counter_tables import (
    ADAPTOR,
    BUFFERS,
    HOST,
    HOST_ADAPTERS,
    HOST_DESCR,
    INTERFACE,
    LANE,
    LANE_LAYOUT,
    LAYOUTS,
    PORT_NAME,
    QUEUE_LAYOUTS,
    SFP,
    TABLES,
    VIRTUAL,
    VLAN,
    structures,
)
from decoders.sflow_counter_texts import descriptions, names_of, port_names
from decoders.sflow_samples import COUNTERS, records, whole
from schema.batch import Array, Nullable, Rows, Symbols
from schema.sflow_structures import Key

_Piece = tuple[Positions, dict[str, Nullable]]
"""Columns that records of one structure fill, and the samples that the records are of, in their order."""


@dataclass(frozen=True, slots=True)
class _Samples:
    """`count` counter samples: the columns that all rows have, and the strings that records told, by name."""

    count: int
    columns: dict[str, Array]
    texts: dict[str, Symbols]

    def text(self, name: str, owner: Positions) -> Symbols:
        """Return a string of each of the samples `owner`, empty where it was not told."""
        told = self.texts.get(name)
        return Symbols(told.codes[owner], told.names) if told else Symbols(np.zeros(len(owner), np.int32), [""])


def find(block: Datagrams, agents: Agents, samples: Items, limits: Limits, out: Decoded) -> None:
    """Decode counter samples, whose owners are among `agents`: their rows, names, faults and octets go to `out`.

    Each octet of the samples' bodies is counted. A record whose length lies costs itself and what follows in its
    sample; of a structure that a sample has twice the first counts.
    """
    out.counter_samples += len(samples.start)
    data = block.data
    samples, head = whole(samples, out)
    first = samples.start + head
    by_key = structures(records(data, samples, first, u32(data, first - 4), out, Octets.COUNTERS), out)
    texts = _texts(data, by_key, len(head), limits.name_length)
    known = _Samples(len(head), _heads(block, agents, samples), texts)
    for table, pieces in _pieces(data, by_key).items():
        out.counters[table] = _rows(table, pieces, known)
    if PORT_NAME in by_key:
        out.names.extend(names_of(known.columns, texts["port_name"]))


def _heads(block: Datagrams, agents: Agents, samples: Items) -> dict[str, Array]:
    """Read the fixed parts of counters_sample and counters_sample_expanded, and what their datagrams say."""
    data, start = block.data, samples.start
    compact = samples.tag == COUNTERS
    source = u32(data, start + 4)
    index = u32(data, start + np.where(compact, 4, 8))
    return {
        "time_received": block.time_received[agents.datagram[samples.owner]],
        "exporter": agents.address[samples.owner],
        "observation_domain": agents.sub_agent[samples.owner].astype(np.uint32),
        "source_class": np.where(compact, source >> 24, source).astype(np.uint32),
        "source_index": np.where(compact, source & 0xFFFFFF, index).astype(np.uint32),
        "sequence": u32(data, start).astype(np.uint32),
        "uptime": agents.uptime[samples.owner].astype(np.uint32),
    }


def _texts(data: Data, by_key: dict[Key, Items], samples: int, most: int) -> dict[str, Symbols]:
    texts: dict[str, Symbols] = {}
    if HOST_DESCR in by_key:
        texts |= descriptions(data, by_key[HOST_DESCR], samples, most)
    if PORT_NAME in by_key:
        texts |= port_names(data, by_key[PORT_NAME], samples, most)
    return texts


def _pieces(data: Data, by_key: dict[Key, Items]) -> dict[str, list[_Piece]]:
    """Read the records of all structures; return what goes to each table."""
    found: dict[str, list[_Piece]] = {}
    for key, of_key in by_key.items():
        if key in LAYOUTS:
            table, form = LAYOUTS[key]
            columns = read(data, of_key.start, of_key.end, form)
            if key == BUFFERS:
                columns |= queues(data, of_key, form.width, QUEUE_LAYOUTS)
            found.setdefault(table, []).append((of_key.owner, columns))
    if SFP in by_key:
        found[LANE] = [lanes(data, by_key[SFP], LAYOUTS[SFP][1].width, LANE_LAYOUT)]
    if HOST_ADAPTERS in by_key:
        found[ADAPTOR] = [adaptors(data, by_key[HOST_ADAPTERS])]
    if HOST_DESCR in by_key:
        # a sample that tells no more than what the host is has a row all the same
        machines = [owner for owner, _ in found.get(VIRTUAL, [])]
        described = by_key[HOST_DESCR].owner
        hosts = described[~np.isin(described, np.concatenate([described[:0], *machines]))]
        found.setdefault(HOST, []).append((hosts, {}))
    return {table: pieces for table, pieces in found.items() if any(len(owner) for owner, _ in pieces)}


def _rows(table: str, pieces: list[_Piece], samples: _Samples) -> Rows:
    """Return a table's rows in the order of the wire: of lanes and adaptors all, else one for each sample."""
    owner, columns = pieces[0] if table in (LANE, ADAPTOR) else _join(pieces, samples.count)
    found = Rows(len(owner))
    for name, values in samples.columns.items():
        found.columns[name] = values[owner]
    named = "port_name" if table in (INTERFACE, VLAN, LANE) else "hostname"
    found.columns["name"] = samples.text(named, owner)
    for column in TABLES[table].columns:
        if column.name in samples.texts:
            found.columns[column.name] = samples.text(column.name, owner)
    found.columns.update(columns)
    return found


def _join(pieces: list[_Piece], samples: int) -> _Piece:
    """Bring the columns of several structures to one row for each sample that has any of them."""
    has: npt.NDArray[np.bool_] = np.zeros(samples, np.bool_)
    for owner, _ in pieces:
        has[owner] = True
    rows = np.flatnonzero(has)
    place = np.cumsum(has) - 1
    joined: dict[str, Nullable] = {}
    for owner, columns in pieces:
        if len(owner) == len(rows):
            joined |= columns
            continue
        at = place[owner]
        for name, told in columns.items():
            values, absent = np.zeros(len(rows), told.values.dtype), np.ones(len(rows), np.bool_)
            values[at], absent[at] = told.values, told.absent
            joined[name] = Nullable(values, absent)
    return rows, joined
