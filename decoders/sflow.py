"""sFlow version 5 (sflow.org, "sFlow Version 5", July 2004, section 5): datagrams to flow samples to flows.

Datagrams are walked in step to their samples, samples to their records; then all records of one structure are read
together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from decoders import sflow_counters, sflow_discards
from decoders.block import Datagrams, Decoded, Octets
from decoders.cursor import Items, Positions
from decoders.faults import Fault
from decoders.limits import Limits
from decoders.passed_over import pass_over
from decoders.rates import DEFAULT, OVERRIDE, RECORD, Rates
from decoders.sflow_agents import VERSION as VERSION
from decoders.sflow_agents import Agents, Numberings, follow
from decoders.sflow_agents import agents as find_agents
from decoders.sflow_records import OF_FLOWS, read
from decoders.sflow_samples import COUNTERS, DISCARDED, EXPANDED_COUNTERS, EXPANDED_FLOW, FLOW, Heads, flow_samples
from decoders.sflow_sources import Samples
from decoders.sflow_told import Told
from decoders.sink import Sink
from decoders.state import State
from decoders.xdr import ITEM_HEAD, Words, items
from schema.batch import Array, Symbols
from schema.columns import FLOW_TYPES


@dataclass(slots=True)
class Found:
    """The flows of a block's sFlow datagrams.

    `origin` is where each flow's sample begins, `datagram` indexes the block. `arrays` and `texts` are columns.
    """

    origin: Positions
    datagram: Positions
    arrays: dict[str, Array] = field(default_factory=dict)
    texts: dict[str, Symbols] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of flows."""
        return len(self.origin)

    def take(self, rows: npt.NDArray[np.intp]) -> Found:
        """Return only these of the flows."""
        return Found(
            self.origin[rows],
            self.datagram[rows],
            {name: values[rows] for name, values in self.arrays.items()},
            {name: Symbols(column.codes[rows], column.names) for name, column in self.texts.items()},
        )


def find(block: Datagrams, among: Positions, state: State, limits: Limits, now: int, out: Decoded) -> Found:
    """Decode the datagrams `among`, which are of version 5; discarded packets and what else is no flow go to `out`."""
    if not len(among):
        return Found(among, among)
    agents = find_agents(block, among, out)
    numberings = follow(block, agents, state, limits, now)
    at = block.offsets[agents.datagram]
    walked = items(block.data, agents.start, at + block.lengths[agents.datagram], agents.samples)
    samples = walked.items
    out.faults[Fault.SAMPLE_LENGTH] += walked.broken
    out.octets.update({
        Octets.HEADERS: int((agents.start - at).sum()) + ITEM_HEAD * len(samples.tag),
        Octets.PADDING: walked.padding, Octets.FAULTY: walked.faulty,
    })  # fmt: skip
    flows = _of(samples, (FLOW, EXPANDED_FLOW))
    if len(flows.tag) < len(samples.tag):
        sflow_counters.find(block, agents, _of(samples, (COUNTERS, EXPANDED_COUNTERS)), limits, out)
        sflow_discards.find(block, agents, _of(samples, (DISCARDED,)), limits, out)
        _pass_over(samples, out)
    return _flows(block, agents, numberings, flows, state, limits, out)


def _of(samples: Items, formats: Sequence[int]) -> Items:
    """Return the samples of any of the formats."""
    chosen = samples.tag == formats[0]
    for format_ in formats[1:]:
        chosen |= samples.tag == format_
    return samples if chosen.all() else samples.where(np.flatnonzero(chosen))


def _pass_over(samples: Items, out: Decoded) -> None:
    """Count samples that nobody reads."""
    unknown = samples.where(np.flatnonzero((samples.tag < FLOW) | (samples.tag > DISCARDED)))
    out.faults[Fault.SAMPLE_UNKNOWN] += len(unknown.tag)
    out.octets[Octets.FAULTY] += int((unknown.end - unknown.start).sum())
    if len(unknown.tag):
        pass_over("sample", unknown.tag, out)


def _flows(
    block: Datagrams, agents: Agents, numberings: Numberings, samples: Items, state: State, limits: Limits, out: Decoded
) -> Found:
    """Decode flow samples; those without a record of a packet are no flows."""
    samples, head, records = flow_samples(block.data, samples, out)
    told = Told(block.data, len(samples.tag), limits)
    read(told, records, OF_FLOWS, out)
    out.faults[Fault.SAMPLE_LENGTH] += told.lies
    arrays = told.arrays | head.arrays | {"data_source": head.source}
    arrays["exporter"] = agents.address[samples.owner]
    arrays["observation_domain"] = agents.sub_agent[samples.owner]
    rates = _measured(numberings, samples.owner, head, state, limits, out)
    if rates.any():
        arrays["effective_sampling_rate"] = rates
    found = Found(samples.start, agents.datagram[samples.owner], arrays, told.texts)
    if told.packet.all():
        return found
    out.faults[Fault.SAMPLE_WITHOUT_PACKET] += int(np.count_nonzero(~told.packet))
    return found.take(np.flatnonzero(told.packet))


def _measured(
    numberings: Numberings, agent: Positions, head: Heads, state: State, limits: Limits, out: Decoded
) -> Words:
    """Follow the sample pools of all data sources: count what agents dropped, return what they tell of the sampling."""
    if not len(agent):
        return head.number
    stream = numberings.of[agent]
    first, of = _distinct(stream, head.source, len(numberings.words))
    keys = np.column_stack((numberings.words[stream[first]], head.source[first]))
    rates, dropped = state.sources.follow(keys, Samples(of, head.number, head.pool, head.drops), limits.streams)
    for row in np.flatnonzero(dropped).tolist():
        out.agent_drops[keys[row, :2].tobytes()] += int(dropped[row])
    return rates


def _distinct(
    stream: npt.NDArray[np.intp], source: npt.NDArray[np.uint64], streams: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return one sample of each data source, and of which of these each sample is."""
    span = int(source.max()) + 1
    if span * streams > 4 * len(source) + 2**16:
        values, of = np.unique(source, return_inverse=True)
        _, first, number = np.unique(stream * len(values) + of, return_index=True, return_inverse=True)
        return first, number
    # small numbers on the whole: a table finds them quicker than a sort
    key = stream * span + source.astype(np.int64)
    one = np.full(span * streams, -1)
    one[key] = np.arange(len(key))
    first = one[one >= 0]
    one[key[first]] = np.arange(len(first))
    return first, one[key]


def write(block: Datagrams, found: Found, sink: Sink, where: slice) -> None:
    """Write the flows into the rows `where`; a sample is a flow of one packet at the time it was received."""
    if not found.rows:
        return
    for name, values in found.arrays.items():
        sink.put(name, where, values)
    for name, symbols in found.texts.items():
        sink.put_text(name, where, symbols)
    received = block.time_received[found.datagram]
    for name in ("time_received", "flow_start", "flow_end"):
        sink.slot(name, where)[:] = received
    sink.slot("exporter_port", where)[:] = block.ports[found.datagram]
    sink.slot("packets", where)[:] = 1
    sink.slot("flow_type", where)[:] = FLOW_TYPES.index("sflow")
    entries, rates, senders = block.entries[found.datagram], Rates(found.rows), block.senders
    for told, by in (
        (senders.default[entries], DEFAULT), (found.arrays["sampling_rate"], RECORD),
        (senders.override[entries], OVERRIDE),
    ):  # fmt: skip
        rates.tell(told, by)
    sink.slot("sampling_rate", where)[:] = rates.rate
    sink.slot("sampling_source", where)[:] = rates.source
