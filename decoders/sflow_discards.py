"""Discarded packets that sFlow agents report: rows of a table of their own, for they are no traffic.

sflow.org, "sFlow Dropped Packet Notification Structures" (discarded_packet, always with an expanded data source).
"""

from __future__ import annotations

import numpy as np

from decoders.block import Datagrams, Decoded
from decoders.cursor import Items
from decoders.faults import Fault
from decoders.limits import Limits
from decoders.sflow_agents import Agents
from decoders.sflow_records import OF_DISCARDS, read
from decoders.sflow_samples import discards, interface, source
from decoders.sflow_told import Told
from decoders.sink import Sink
from schema.batch import Array, Flows, Symbols
from schema.drop_reasons import drop_reason
from schema.tables import DISCARDS

_LAST_CODE = 0xFFFF
_COLUMNS = DISCARDS.by_name


def find(block: Datagrams, agents: Agents, samples: Items, limits: Limits, out: Decoded) -> None:
    """Decode samples that are discarded packets, whose owners are the agents, into `out.discards`."""
    samples, head, found = discards(block.data, samples, out)
    if not len(samples.tag):
        return
    told = Told(block.data, len(samples.tag), limits)
    read(told, found, OF_DISCARDS, out)
    out.faults[Fault.SAMPLE_LENGTH] += told.lies
    _, class_, index, drops, in_if, out_if, reason, _ = head
    datagram = agents.datagram[samples.owner]
    arrays: dict[str, Array] = told.arrays | {
        "time_received": block.time_received[datagram],
        "exporter": agents.address[samples.owner],
        "exporter_port": block.ports[datagram],
        "observation_domain": agents.sub_agent[samples.owner],
        "data_source": source(class_, index),
        "in_if": interface(in_if),
        "out_if": interface(out_if),
        "drops": drops,
        "reason_code": np.minimum(reason, _LAST_CODE),
    }
    codes, of = np.unique(reason, return_inverse=True)
    texts = told.texts | {"reason": Symbols(of.astype(np.int32), [drop_reason(code) for code in codes.tolist()])}
    out.discards = _stored(told.rows, arrays, texts)


def _stored(rows: int, arrays: dict[str, Array], texts: dict[str, Symbols]) -> Flows:
    """Return those of the columns that the table has."""
    sink, every = Sink(rows, _COLUMNS), slice(0, rows)
    for name in arrays.keys() & _COLUMNS.keys():
        sink.slot(name, every)[:] = arrays[name]
    for name in texts.keys() & _COLUMNS.keys():
        sink.put_text(name, every, texts[name])
    return sink.flows()
