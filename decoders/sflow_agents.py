"""Headers of sFlow version 5 datagrams (sample_datagram_v5): who the agents are, and their numbering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from decoders.block import Datagrams, Decoded, Octets
from decoders.cursor import Positions, octets, u32
from decoders.faults import Fault
from decoders.limits import Limits
from decoders.sequence import Numbered
from decoders.state import State
from decoders.stream import Stream
from decoders.xdr import alike, mapped, words

VERSION = 105
"""What `decode` calls sFlow version 5, so that it is told apart from NetFlow version 5."""

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
class Numberings:
    """Who numbers datagrams and samples by itself, k of them, and which of them each of n headers is of, `of` (n,).

    `words`, uint64 (k, 6), tell each: the sender's address in two, the scope (`decoders.stream`), the agent's address
    in two, the sub-agent.
    """

    words: npt.NDArray[np.uint64]
    of: npt.NDArray[np.intp]

    def streams(self) -> list[Stream]:
        """Return them as the streams of `State.sequences`."""
        found = []
        for row in self.words:
            agent = int.from_bytes(row[3:5].tobytes(), "big") | int(row[2]) << 128
            found.append(Stream(row[:2].tobytes(), agent, VERSION, int(row[5])))
        return found


def agents(block: Datagrams, among: Positions, out: Decoded) -> Agents:
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
    four, six = np.flatnonzero(kind == 1), np.flatnonzero(kind == 2)
    address[four] = mapped(data, at[four] + 8)
    address[six] = octets(data, at[six] + 8, 16)
    rest = at + np.where(kind == 1, 12, 24)
    sub_agent, sequence, uptime, samples = words(data, rest, 4).astype(np.int64)
    return Agents(among, address, sub_agent, sequence, uptime, samples, rest + 16)


def follow(block: Datagrams, who: Agents, state: State, limits: Limits, now: int) -> Numberings:
    """Account for the datagrams' numbers, by sender, agent and sub-agent; agents know their uptime, not the time."""
    identity = np.empty((len(who.datagram), 6), np.uint64)
    identity[:, :2] = np.ascontiguousarray(block.exporters[who.datagram]).view(np.uint64)
    identity[:, 2] = block.scopes[who.datagram]
    identity[:, 3:5] = who.address.view(np.uint64)
    identity[:, 5] = who.sub_agent
    first, of = alike(identity)
    numberings = Numberings(identity[first], of)
    boot = (block.time_received[who.datagram] - who.uptime) % _WRAP
    numbered = Numbered(of, who.sequence, np.ones(len(of), np.int64), boot)
    state.sequences.follow(numberings.streams(), numbered, now, limits.streams)
    return numberings
