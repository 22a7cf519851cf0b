"""NetFlow v5/v9, IPFIX and sFlow v5: a block of datagrams in, columns of flows out. Pure: no socket, clock or log."""

from decoders.block import Datagrams, Decoded, Name, Naming, Octets, Senders, SequenceNews
from decoders.decode import decode, finish
from decoders.limits import Limits
from decoders.state import State

__all__ = [
    "Datagrams",
    "Decoded",
    "Limits",
    "Name",
    "Naming",
    "Octets",
    "Senders",
    "SequenceNews",
    "State",
    "decode",
    "finish",
]
