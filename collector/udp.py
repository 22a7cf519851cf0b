"""Datagrams from the UDP sockets into the journal. Standard library only: it is part of the receiver."""

from __future__ import annotations

import socket

from collector.allow_list import AllowList
from collector.segment_writer import SegmentWriter
from collector.segments import LARGEST_DATAGRAM
from collector.tally import Count

_BATCH = 256


class Datagrams:
    """Takes what is allowed; where the journal has no room, datagrams are lost and counted: nobody can wait."""

    def __init__(self, writer: SegmentWriter, allow: AllowList, tally: memoryview) -> None:
        self._writer, self._allow, self._tally = writer, allow, tally
        self._scratch = bytearray(LARGEST_DATAGRAM)

    def drain(self, source: socket.socket, listener: int) -> bool:
        """Take up to a batch of datagrams from one socket, the one of number `listener`; True if it may hold more."""
        tally, writer, find = self._tally, self._writer, self._allow.find
        for _ in range(_BATCH):
            room = writer.room()
            try:
                length, sender = source.recvfrom_into(writer.free if room else self._scratch)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:  # an ICMP error from an earlier sender; the socket itself is well
                continue
            tally[Count.RECEIVED] += 1
            tally[Count.OCTETS] += length
            allowed = find(sender[0])
            if allowed is None:
                tally[Count.REFUSED] += 1
            elif not room:
                tally[Count.JOURNAL_FULL] += 1
            else:
                writer.append(length, allowed[0], sender[1], allowed[1], listener, 0)
        return True
