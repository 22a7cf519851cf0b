"""sFlow version 5 (sflow.org, "sFlow Version 5", July 2004, section 5): flow samples with raw packet headers.

Datagrams are walked in step to their samples, samples to their records, and all sampled headers are parsed together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from decoders.block import Datagrams, Decoded, Octets
from decoders.cursor import Form, Items, Positions, distinct, octets, u32, walk
from decoders.faults import Fault
from decoders.limits import Limits
from decoders.packet_header import parse_at
from decoders.rates import DEFAULT, OVERRIDE, RECORD, Rates
from decoders.sequence import Numbered
from decoders.sink import Sink
from decoders.state import State
from decoders.stream import Stream
from schema.batch import Array, map_v4
from schema.columns import FLOW_TYPES

VERSION = 105
"""What `decode` calls sFlow version 5, so that it is told apart from NetFlow version 5."""

_FLOW, _COUNTER, _EXPANDED_FLOW, _EXPANDED_COUNTER = 1, 2, 3, 4
_HEADS = {_FLOW: 32, _EXPANDED_FLOW: 44}
_RAW_HEADER, _EXTENDED_SWITCH = 1, 1001
_RAW_HEAD, _SWITCH = 16, 16
_INTERNAL = 0x3FFFFFFF
_LAST_VLAN = 4095
_WRAP = 2**32


@dataclass(frozen=True, slots=True)
class Agents:
    """Datagram headers: `datagram` indexes the block; the agent's address, uint8 (n, 16), and what else it says."""

    datagram: Positions
    address: npt.NDArray[np.uint8]
    sub_agent: Positions
    sequence: Positions
    uptime: Positions
    samples: Positions
    start: Positions


@dataclass(frozen=True, slots=True)
class Samples:
    """Columns of `rows` flow samples, without those that every flow has; `origin` is where each sample begins."""

    rows: int
    origin: Positions
    datagram: Positions
    arrays: dict[str, Array] = field(default_factory=dict)


def find(block: Datagrams, among: Positions, state: State, limits: Limits, now: int, out: Decoded) -> Samples:
    """Decode the flow samples of the datagrams `among`, which are of version 5; count everything else."""
    if not len(among):
        return Samples(0, among, among)
    agents = _agents(block, among, out)
    ends = block.offsets[agents.datagram] + block.lengths[agents.datagram]
    walked = walk(block.data, agents.start, ends, Form.XDR, agents.samples)
    samples = walked.items
    out.faults[Fault.SAMPLE_LENGTH] += walked.broken
    counters = np.isin(samples.tag, (_COUNTER, _EXPANDED_COUNTER))
    flows = np.isin(samples.tag, (_FLOW, _EXPANDED_FLOW))
    out.counter_samples += int(np.count_nonzero(counters))
    out.faults[Fault.SAMPLE_UNKNOWN] += int(np.count_nonzero(~counters & ~flows))
    lengths = samples.end - samples.start
    out.octets.update({
        Octets.HEADERS: int((agents.start - block.offsets[agents.datagram]).sum()) + Form.XDR.value * len(lengths),
        Octets.PADDING: walked.padding,
        Octets.COUNTERS: int(lengths[counters].sum()),
        Octets.FAULTY: walked.faulty + int(lengths[~counters & ~flows].sum()),
    })  # fmt: skip
    _follow(block, agents, state, limits, now)
    return _flow_samples(block, agents, samples.where(flows), out)


def _agents(block: Datagrams, among: Positions, out: Decoded) -> Agents:
    """Read the datagrams' headers (sample_datagram_v5); those whose agent has an address of no known type are left."""
    data = block.data
    at, length = block.offsets[among], block.lengths[among]
    whole = length >= 28
    kind = np.zeros(len(among), np.int64)
    kind[whole] = u32(data, at[whole] + 4)
    whole &= (kind != 2) | (length >= 40)
    good = whole & ((kind == 1) | (kind == 2))
    out.faults[Fault.TOO_SHORT] += int(np.count_nonzero(~whole))
    out.faults[Fault.BAD_LENGTH] += int(np.count_nonzero(whole & ~good))
    out.octets[Octets.FAULTY] += int(length[~good].sum())
    among, at, kind = among[good], at[good], kind[good]
    address = np.zeros((len(at), 16), np.uint8)
    four = np.flatnonzero(kind == 1)
    mapped = np.zeros((len(four), 16), np.uint8)
    map_v4(octets(data, at[four] + 8, 4), mapped)
    address[four] = mapped
    six = np.flatnonzero(kind == 2)
    address[six] = octets(data, at[six] + 8, 16)
    rest = at + np.where(kind == 1, 12, 24)
    sub_agent, sequence, uptime, samples = (u32(data, rest + 4 * word) for word in range(4))
    return Agents(among, address, sub_agent, sequence, uptime, samples, rest + 16)


def _follow(block: Datagrams, agents: Agents, state: State, limits: Limits, now: int) -> None:
    """Account for the datagrams' numbers, by sender, agent and sub-agent; agents know their uptime, not the time."""
    senders, sender = distinct(block.exporters[agents.datagram])
    addresses, address = distinct(agents.address)
    scopes, scope = np.unique(block.scopes[agents.datagram], return_inverse=True)
    agent = (sender * len(addresses) + address) * len(scopes) + scope
    keys, of = np.unique(agent << 32 | agents.sub_agent, return_inverse=True)
    streams = []
    for key in keys.tolist():
        pair, which = divmod(key >> 32, len(scopes))
        whose, of_agent = divmod(pair, len(addresses))
        identity = int.from_bytes(addresses[of_agent], "big") | int(scopes[which]) << 128
        streams.append(Stream(senders[whose], identity, VERSION, key & 0xFFFFFFFF))
    boot = (block.time_received[agents.datagram] - agents.uptime) % _WRAP
    numbered = Numbered(of, agents.sequence, np.ones(len(of), np.int64), boot)
    state.sequences.follow(streams, numbered, now, limits.streams)


def _flow_samples(block: Datagrams, agents: Agents, samples: Items, out: Decoded) -> Samples:
    data = block.data
    head = np.where(samples.tag == _FLOW, _HEADS[_FLOW], _HEADS[_EXPANDED_FLOW])
    whole = samples.end - samples.start >= head
    out.faults[Fault.SAMPLE_LENGTH] += int(np.count_nonzero(~whole))
    out.octets[Octets.FAULTY] += int((samples.end - samples.start)[~whole].sum())
    samples, head = samples.where(whole), head[whole]
    first = samples.start + head
    walked = walk(data, first, samples.end, Form.XDR, u32(data, first - 4))
    records = walked.items
    out.faults[Fault.SAMPLE_LENGTH] += walked.broken
    sampled = int(head.sum()) + Form.XDR.value * len(records.start) + int((records.end - records.start).sum())
    out.octets.update({Octets.FLOWS: sampled, Octets.PADDING: walked.padding, Octets.FAULTY: walked.faulty})
    raw = records.where((records.tag == _RAW_HEADER) & (records.end - records.start >= _RAW_HEAD))
    owner, which = np.unique(raw.owner, return_index=True)  # the first, where a sample has several
    out.faults[Fault.SAMPLE_WITHOUT_PACKET] += len(samples.start) - len(owner)
    raw = Items(owner, raw.tag[which], raw.start[which], raw.end[which])
    arrays = _packets(block, raw)
    _switch(block, records, owner, arrays)
    arrays |= _heads(block, samples, owner)
    agent = samples.owner[owner]
    arrays["exporter"] = agents.address[agent]
    arrays["observation_domain"] = agents.sub_agent[agent]
    return Samples(len(owner), samples.start[owner], agents.datagram[agent], arrays)


def _packets(block: Datagrams, raw: Items) -> dict[str, Array]:
    """Parse the sampled_header records: protocol, frame length, octets stripped, header."""
    data, start = block.data, raw.start
    captured = np.minimum(u32(data, start + 12), raw.end - start - _RAW_HEAD)
    arrays = parse_at(data, start + _RAW_HEAD, captured, u32(data, start)).arrays
    arrays["frame_length"] = u32(data, start + 4)
    return arrays


def _switch(block: Datagrams, records: Items, owner: Positions, arrays: dict[str, Array]) -> None:
    """Let the extended_switch records say the VLANs; 0xffffffff is unknown."""
    records = records.where((records.tag == _EXTENDED_SWITCH) & (records.end - records.start >= _SWITCH))
    at = np.searchsorted(owner, records.owner)
    told = at < len(owner)
    told[told] = owner[at[told]] == records.owner[told]
    rows, start = at[told], records.start[told]
    arrays["dst_vlan"] = np.zeros(len(owner), np.uint16)
    for name, vlan in (("src_vlan", u32(block.data, start)), ("dst_vlan", u32(block.data, start + 8))):
        known = (vlan > 0) & (vlan <= _LAST_VLAN)
        arrays[name][rows[known]] = vlan[known]


def _heads(block: Datagrams, samples: Items, owner: Positions) -> dict[str, Array]:
    """Read the fixed parts of flow_sample and flow_sample_expanded."""
    data, start = block.data, samples.start[owner]
    expanded = samples.tag[owner] == _EXPANDED_FLOW
    arrays: dict[str, Array] = {"sampling_rate": u32(data, start + np.where(expanded, 12, 8))}
    for name, compact_at, expanded_at in (("in_if", 20, 24), ("out_if", 24, 32)):
        compact = u32(data, start + np.where(expanded, 0, compact_at))
        format_ = np.where(expanded, u32(data, start + np.where(expanded, expanded_at, 0)), compact >> 30)
        value = np.where(expanded, u32(data, start + np.where(expanded, expanded_at + 4, 0)), compact & _INTERNAL)
        # formats 1 (discarded) and 2 (several) name no interface, and neither does the agent itself
        arrays[name] = np.where((format_ == 0) & (value != _INTERNAL) & (value != 0xFFFFFFFF), value, 0)
    return arrays


def write(block: Datagrams, samples: Samples, sink: Sink, where: slice) -> None:
    """Write the flow samples into the rows `where`; a sample is a flow of one packet at the time it was received."""
    if not samples.rows:
        return
    for name, values in samples.arrays.items():
        sink.slot(name, where)[:] = values
    received = block.time_received[samples.datagram]
    for name in ("time_received", "flow_start", "flow_end"):
        sink.slot(name, where)[:] = received
    entries, rates = block.entries[samples.datagram], Rates(samples.rows)
    for told, source in (
        (block.senders.default[entries], DEFAULT),
        (samples.arrays["sampling_rate"], RECORD),
        (block.senders.override[entries], OVERRIDE),
    ):
        rates.tell(told, source)
    sink.slot("sampling_rate", where)[:] = rates.rate
    sink.slot("sampling_source", where)[:] = rates.source
    sink.slot("exporter_port", where)[:] = block.ports[samples.datagram]
    sink.slot("packets", where)[:] = 1
    sink.slot("flow_type", where)[:] = FLOW_TYPES.index("sflow")
