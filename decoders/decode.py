"""The one way into the decoders: a block of datagrams and the state in, columns of flows, faults and names out.

Gather first, then decode whole blocks: records of one layout from all datagrams become one array. Nothing here raises,
whatever the octets, and a bad set costs no other.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from decoders import messages as export
from decoders import netflow, sflow
from decoders.block import Datagrams, Decoded, Octets
from decoders.cursor import u16, u32
from decoders.faults import Fault
from decoders.flows import write
from decoders.limits import Limits
from decoders.sink import Sink
from decoders.state import State
from decoders.stream import TCP_SESSIONS
from decoders.waiting import Kept
from schema.batch import Flows

_IPFIX = 10
_OLD_SFLOW = (2, 4)
_SWEEP = 1000


def decode(block: Datagrams, state: State, limits: Limits) -> Decoded:
    """Decode a block; `state` learns from it, so blocks are given in the order of arrival.

    Flows stand grouped by layout; `Decoded.origin` tells the order on the wire. An empty datagram of a TCP session is
    none: it says that the session has ended.
    """
    ended = (block.lengths == 0) & (block.sessions >= TCP_SESSIONS)
    out = Decoded(Flows(0), datagrams=block.count - int(np.count_nonzero(ended)))
    now = int(block.time_received.max(initial=0))
    state.templates.sweep(now, limits)
    versions = _versions(block, state, ended, out)
    found = [
        export.find(block, version, np.flatnonzero(versions == version), out)
        for version in (5, 9, _IPFIX)
        if np.any(versions == version)
    ]
    parts = netflow.find(block, export.join(found), state, limits, now, out) if found else []
    samples = sflow.find(block, np.flatnonzero(versions == sflow.VERSION), state, limits, now, out)
    rows = sum(part.rows for part in parts)
    sink = Sink(rows + samples.rows)
    write(parts, sink, limits)
    sflow.write(block, samples, sink, slice(rows, sink.rows))
    out.flows = sink.flows()
    out.origins = [*((part.origin, part.counts) for part in parts), (samples.origin, np.ones_like(samples.origin))]
    for row in np.flatnonzero(ended).tolist():
        waited = state.end_session(block.exporters[row].tobytes(), int(block.sessions[row]))
        out.faults[Fault.TEMPLATE_MISSING] += waited
    if not 0 <= now - state.swept < _SWEEP:
        state.swept = now
        _give_up(state.waiting.expire(now - limits.waiting_time), out)
    return _close(state, out)


def finish(state: State) -> Decoded:
    """Give up at the end of all input what still waits: sets without a template, and gaps that may yet close."""
    out = Decoded(Flows(0))
    state.sequences.settle()
    _give_up(state.waiting.expire(np.iinfo(np.int64).max), out)
    return _close(state, out)


def _give_up(given_up: Iterable[tuple[object, Kept]], out: Decoded) -> None:
    out.faults[Fault.TEMPLATE_MISSING] += sum(1 for _ in given_up)


def _close(state: State, out: Decoded) -> Decoded:
    out.sequence = state.sequences.news()
    out.datagrams_bad = sum(count for fault, count in out.faults.items() if fault.unit == "datagram")
    out.faults, out.octets = +out.faults, +out.octets
    return out


def _versions(block: Datagrams, state: State, ended: npt.NDArray[np.bool_], out: Decoded) -> npt.NDArray[np.int64]:
    """Return each datagram's version: 5, 9, 10, `sflow.VERSION`, or 0 where it is none that we know."""
    versions = np.zeros(block.count, np.int64)
    readable = block.lengths >= 4
    at = block.offsets[readable]
    first = u16(block.data, at)
    versions[readable] = np.where(np.isin(first, (5, 9, _IPFIX)), first, 0)
    versions[readable] += np.where(u32(block.data, at) == 5, sflow.VERSION, 0)
    by_tcp = block.sessions >= TCP_SESSIONS
    if by_tcp.any():
        versions[by_tcp & (versions != _IPFIX)] = 0
    old = np.zeros(block.count, np.bool_)
    old[readable] = _is_old_sflow(block, at, block.lengths[readable])
    old &= ~by_tcp
    broken = np.zeros(block.count, np.bool_)
    for row in np.flatnonzero(by_tcp & ~ended).tolist() if state.broken else ():
        broken[row] = (block.exporters[row].tobytes(), int(block.sessions[row])) in state.broken
    versions[broken] = 0
    for reason, which in (
        (Fault.SESSION_BROKEN, broken),
        (Fault.TOO_SHORT, ~readable & ~broken & ~ended),
        (Fault.OLD_SFLOW, old & ~broken),
        (Fault.UNKNOWN_VERSION, readable & ~broken & ~old & (versions == 0)),
    ):
        out.faults[reason] += int(np.count_nonzero(which))
        out.octets[Octets.FAULTY] += int(block.lengths[which].sum())
    return versions


def _is_old_sflow(block: Datagrams, at: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which are sFlow version 2 or 4: a version of 32 bits, then the type of the agent's address, IPv4 or IPv6.

    In NetFlow and IPFIX the version is the first 16 bits, which here are zero.
    """
    old = np.isin(u32(block.data, at), _OLD_SFLOW) & (lengths >= 8)
    rows = np.flatnonzero(old)
    old[rows] = np.isin(u32(block.data, at[rows] + 4), (1, 2))
    return old
