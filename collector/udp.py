"""Datagrams from the UDP sockets into the journal, a batch at a time."""

from __future__ import annotations

import errno
import socket
from socket import AF_INET, AF_INET6

from collector.allow_list import AllowList
from collector.batches import SLOTS, Batch
from collector.known_senders import KnownSenders
from collector.segment_writer import SegmentWriter
from collector.tally import Counted


class Datagrams:
    """Takes what is allowed; where the journal has no room, datagrams are lost and counted: nobody can wait."""

    def __init__(self, writer: SegmentWriter, allow: AllowList, tally: memoryview) -> None:
        """Journal first what a receiver was killed with; OSError where the disk has no room for a batch."""
        self._writer, self._tally = writer, tally
        self._senders: dict[int, KnownSenders] = {
            AF_INET: KnownSenders(allow, "u4"),
            AF_INET6: KnownSenders(allow, "S16"),
        }
        settled = writer.recover(tally)
        self._batch = Batch(writer.directory, settled)
        self._journal(settled, self._batch.left)

    def drain(self, source: socket.socket, listener: int) -> bool:
        """Take a batch of datagrams from one socket, of endpoint `listener`; True if it may hold more."""
        try:
            count = self._batch.receive(source.fileno(), listener, self._writer.now_ms())
        except OSError as error:
            # any other is an ICMP error from an earlier sender; the socket itself is well
            return error.errno not in (errno.EAGAIN, errno.EINTR)
        self._journal(0, count)
        return count == SLOTS

    def wipe(self) -> None:
        """Overwrite what is left of datagrams that are in the journal."""
        self._batch.wipe()

    def close(self) -> None:
        """Leave nothing behind."""
        self._batch.close()

    def _journal(self, start: int, count: int) -> None:
        """Deal with the datagrams [start, count) of the batch in hand; those before are dealt with."""
        if start < count:
            self._settle(start, count)
        self._batch.clear(count)
        self._writer.forget_batch()  # last: until here, a receiver after us goes on from where we were

    def _settle(self, start: int, count: int) -> None:
        """Journal the datagrams [start, count) or count them, one segment's share after the other."""
        batch, writer, tally = self._batch, self._writer, self._tally
        lengths, vectors = batch.lengths(start, count), batch.vectors(start, count)
        rows, places = self._senders[batch.family].find(batch.senders(start, count))
        rows["time"], rows["length"], rows["port"] = batch.time, lengths, batch.ports(start, count)
        rows["listener"] = batch.listener
        heard = ends = lengths.cumsum()
        if places is not None:
            rows, vectors, ends = rows[places], vectors[places], lengths[places].cumsum()
        at = row = 0
        while at < len(heard):
            waiting = len(rows) - row
            fitting = writer.fits(ends[row:], int(ends[row - 1]) if row else 0) if waiting else 0
            end = len(heard)
            if 0 < fitting < waiting:
                end = row + fitting if places is None else int(places[row + fitting])
            counted = Counted(end - at, int(heard[end - 1]) - (int(heard[at - 1]) if at else 0))
            if fitting:
                some = slice(row, row + fitting)
                counted = counted._replace(refused=end - at - fitting)
                if not writer.append(rows[some], vectors[some], tally, counted, start + end):
                    continue  # there is no room any more, and `fits` says so
            else:
                writer.count(tally, counted._replace(refused=end - at - waiting, journal_full=waiting), start + end)
            at, row = end, row + fitting
