"""IPFIX over TCP by itself: how octets become messages and sessions in the journal, and what no peer can do."""

from __future__ import annotations

import os
import random
import resource
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from collector.allow_list import NOT_LISTED, AllowList
from collector.segment_writer import SegmentWriter
from collector.segments import ROW, Segment, numbers, path_of
from collector.sessions import FILE, MOST, Sessions
from collector.tally import Count, Tally
from collector.tcp import Connections
from schema.addresses import V4_MAPPED
from tests.collector.site import wait_for

HERE = V4_MAPPED + bytes((127, 0, 0, 1))
LISTENER = 3


def message(octets: int = 16, fill: bytes = b"m") -> bytes:
    return struct.pack(">HHIII", 10, octets, 0, 0, 0) + fill * (octets - 16)


class Row(NamedTuple):
    """A row of the journal with its octets."""

    sender: bytes
    port: int
    entry: int
    listener: int
    session: int
    payload: bytes


def journaled(directory: Path) -> list[Row]:
    found = []
    for number in numbers(directory):
        segment = Segment(path_of(directory, number), writable=False)
        for row in range(segment.count):
            _, sender, offset, length, port, entry, listener, low, high = ROW.unpack_from(
                segment.map, segment.index_at + row * ROW.size
            )
            at = segment.data_at + offset
            found.append(Row(sender, port, entry, listener, high << 16 | low, segment.map[at : at + length]))
    return found


class Desk:
    """The receiver's TCP in this process, its clock in our hand."""

    def __init__(self, directory: Path, size: int = 2**20, most: int = 2**30, allow: str = "127.0.0.0/8") -> None:
        self.directory, self.now = directory, 0.0
        self.tally = Tally(directory / "tally", fresh=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.writer = SegmentWriter(directory, size, most, after=-1, clock_shift_ms=0)
        self.tcp = Connections(
            {LISTENER: self.listener},
            self.writer,
            AllowList(["10.0.0.0/8", allow], unlisted=False),
            self.tally.words,
            Sessions(directory),
            lambda: self.now,
        )
        self.peers: list[socket.socket] = []

    def connect(self) -> socket.socket:
        """A peer whose connection was accepted or refused."""
        peer = socket.create_connection(self.listener.getsockname())
        peer.settimeout(5)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peers.append(peer)
        before = self.dealt_with()
        self.serve(lambda: self.dealt_with() > before)
        return peer

    def dealt_with(self) -> int:
        return sum(self.tally[count] for count in (Count.TCP_OPENED, Count.TCP_NOT_ALLOWED, Count.TCP_TOO_MANY))

    def serve(self, until: Callable[[], bool]) -> None:
        def served() -> bool:
            while self.tcp.turn():
                pass
            return until()

        wait_for(served, 5)

    def close(self) -> None:
        for peer in (*self.peers, self.listener):
            peer.close()
        self.tcp.close()
        self.writer.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def hung_up(peer: socket.socket) -> bool:
    """Whether the other side has closed the connection."""
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True


def test_messages_are_rows_however_the_stream_is_cut(desk: Desk) -> None:
    rng = random.Random(1)
    messages = [message(rng.choice((16, 17, 100, 1400, 65535)), bytes((number,))) for number in range(120)]
    stream = b"".join(messages)
    peer = desk.connect()
    peer.setblocking(False)
    at = 0

    def all_sent() -> bool:
        nonlocal at
        for _ in range(50):
            try:
                at += peer.send(stream[at : at + rng.choice((1, 3, 15, 16, 17, 5000, 100_000))])
            except BlockingIOError:
                break
        return at == len(stream)

    desk.serve(all_sent)
    desk.serve(lambda: desk.tally[Count.RECEIVED] == len(messages))
    port = peer.getsockname()[1]
    peer.close()
    desk.serve(lambda: desk.tally[Count.TCP_OPEN] == 0)
    rows = journaled(desk.directory)
    assert [row.payload for row in rows] == [*messages, b""]  # the end of the session is the last
    assert {row[:5] for row in rows} == {(HERE, port, 1, LISTENER, rows[0].session)}
    assert 0 < time.time_ns() // 10**6 - rows[0].session < 60_000
    assert desk.tally[Count.OCTETS] == len(stream)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n", b"\0\x09\0\x20", b"\0\x0a\0\x0f", b"\x16\x03\x01\x02"])
def test_what_is_no_ipfix_message_ends_the_connection_and_what_came_before_is_kept(desk: Desk, garbage: bytes) -> None:
    good, bad = desk.connect(), desk.connect()
    bad.sendall(message(40) + garbage + message(20))
    desk.serve(lambda: desk.tally[Count.TCP_BROKEN] == 1)
    assert hung_up(bad)
    good.sendall(message(16))
    desk.serve(lambda: desk.tally[Count.RECEIVED] == 2)
    assert [row.payload for row in journaled(desk.directory)] == [message(40), b"", message(16)]


def test_strangers_are_not_let_in(tmp_path: Path) -> None:
    desk = Desk(tmp_path, allow="127.0.0.2/32")
    peer = desk.connect()
    assert hung_up(peer)
    assert desk.tally[Count.TCP_NOT_ALLOWED] == 1
    assert (desk.tally[Count.TCP_OPENED], journaled(tmp_path)) == (0, [])
    desk.close()


def test_no_more_than_256_are_let_in_until_one_leaves(desk: Desk) -> None:
    peers = [desk.connect() for _ in range(MOST)]
    assert hung_up(desk.connect())
    assert desk.tally[Count.TCP_OPEN] == MOST
    assert desk.tally[Count.TCP_TOO_MANY] == 1
    peers[7].close()
    desk.serve(lambda: desk.tally[Count.TCP_OPEN] == MOST - 1)
    last = desk.connect()
    last.sendall(message())
    desk.serve(lambda: desk.tally[Count.RECEIVED] == 1)
    assert desk.tally[Count.TCP_TOO_MANY] == 1


def test_without_descriptors_it_waits_for_some(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    first = desk.connect()
    second = socket.create_connection(desk.listener.getsockname())
    desk.peers.append(second)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, before[1]))
    try:
        desk.serve(lambda: "no connection can be accepted for now: Too many open files" in capfd.readouterr().err)
        assert not desk.tcp.turn(), "nothing is ready"
        first.sendall(message())
        desk.serve(lambda: desk.tally[Count.RECEIVED] == 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert desk.tally[Count.TCP_OPEN] == 1
    desk.tcp.tick()
    second.sendall(message())
    desk.serve(lambda: desk.tally[Count.RECEIVED] == 2)


def test_a_turn_is_small_and_serves_everybody_in_time(desk: Desk) -> None:
    peers = [desk.connect() for _ in range(20)]
    for peer in peers:
        peer.sendall(message() * 2000)  # 32,000 octets: four reads
    most, turns = 0, 0
    while desk.tally[Count.RECEIVED] < 20 * 2000:
        before = desk.tally[Count.RECEIVED]
        desk.tcp.turn()
        most = max(most, desk.tally[Count.RECEIVED] - before)
        turns += 1
        if turns == 20:
            assert len({row.session for row in journaled(desk.directory)}) == 20, "nobody waits for a second turn"
    assert most <= 513


def test_idle_connections_and_half_sent_messages_are_ended(desk: Desk) -> None:
    idle, half, trickle = desk.connect(), desk.connect(), desk.connect()
    half.sendall(message(100) + message(100)[:50])
    desk.serve(lambda: desk.tally[Count.RECEIVED] == 1)
    desk.now = 59
    desk.tcp.tick()
    assert desk.tally[Count.TCP_OPEN] == 3
    trickle.sendall(message(100)[:4])
    wait_for(desk.tcp.turn)
    desk.now = 61
    desk.tcp.tick()
    assert hung_up(half)
    assert (desk.tally[Count.TCP_HALF_SENT], desk.tally[Count.TCP_OPEN]) == (1, 2)
    for desk.now in (70, 90, 110):
        trickle.sendall(b"x")  # an octet now and then is no message, which were to have 100
        wait_for(desk.tcp.turn)
        desk.tcp.tick()
    assert desk.tally[Count.TCP_HALF_SENT] == 1
    desk.now = 120
    desk.tcp.tick()
    assert hung_up(trickle)
    desk.now = 1799
    desk.tcp.tick()
    assert desk.tally[Count.TCP_OPEN] == 1
    desk.now = 1801
    desk.tcp.tick()
    assert hung_up(idle)
    assert (desk.tally[Count.TCP_IDLE], desk.tally[Count.TCP_HALF_SENT]) == (1, 2)


def test_a_peer_whose_reads_all_end_inside_a_message_is_not_late(desk: Desk) -> None:
    peer = desk.connect()
    stream = message(100) * 5
    for number in range(4):
        desk.now = 40.0 * number
        desk.tcp.tick()
        peer.sendall(stream[number * 100 + 50 * (number > 0) : number * 100 + 150])
        desk.serve(lambda whole=number + 1: desk.tally[Count.RECEIVED] == whole)  # type: ignore[misc]
    assert desk.tally[Count.TCP_OPEN] == 1


def test_a_session_is_closed_by_its_number_and_others_are_not(desk: Desk) -> None:
    first, second = desk.connect(), desk.connect()
    second.sendall(message())
    desk.serve(lambda: desk.tally[Count.RECEIVED] == 1)
    session = journaled(desk.directory)[0].session
    desk.tcp.close_session(session)
    desk.tcp.close_session(session)
    assert hung_up(second)
    assert (desk.tally[Count.TCP_RULES], desk.tally[Count.TCP_OPEN]) == (1, 1)
    first.sendall(message())
    desk.serve(lambda: desk.tally[Count.RECEIVED] == 2)
    assert [(row.session == session, row.payload) for row in journaled(desk.directory)] == [
        (True, message()), (True, b""), (False, message())
    ]  # fmt: skip


def test_without_room_in_the_journal_peers_wait_and_nothing_is_lost(tmp_path: Path) -> None:
    desk = Desk(tmp_path, size=2**20, most=2**20)
    peer = desk.connect()
    peer.setblocking(False)
    stream, sent = message(1000) * 20_000, 0

    def push() -> bool:
        nonlocal sent
        try:
            sent += peer.send(stream[sent:])
        except BlockingIOError:
            return not desk.tcp.has_room
        return False

    desk.serve(push)
    assert not desk.tcp.turn()
    stuck = desk.tally[Count.RECEIVED]
    assert 900 < stuck * 1000 / 2**10 < 1024
    assert len(numbers(tmp_path)) == 1, "no segment is begun for which another would have to go"
    assert Segment(path_of(tmp_path, numbers(tmp_path)[0]), writable=False).sealed
    desk.now = 10_000.0
    desk.tcp.resume()  # whoever waited for us is neither idle nor late
    desk.tcp.tick()
    assert desk.tally[Count.TCP_OPEN] == 1
    while desk.tally[Count.RECEIVED] < 20_000:
        for number in numbers(tmp_path):  # as the pipeline does with what it has stored
            if Segment(path_of(tmp_path, number), writable=False).sealed:
                path_of(tmp_path, number).unlink()
        desk.serve(lambda: sent == len(stream) or push())
    assert desk.tally[Count.OCTETS] == len(stream)
    assert desk.tally[Count.JOURNAL_FULL] == 0
    desk.close()


def test_a_session_that_was_open_when_the_receiver_was_killed_is_ended_by_the_next(tmp_path: Path) -> None:
    killed = Desk(tmp_path)
    peer = killed.connect()
    peer.sendall(message(20))
    killed.serve(lambda: killed.tally[Count.RECEIVED] == 1)
    following = Desk(tmp_path)
    rows = journaled(tmp_path)
    assert [(row.session, row.payload) for row in rows] == [(rows[0].session, message(20)), (rows[0].session, b"")]
    assert rows[1][:4] == (HERE, peer.getsockname()[1], 1, LISTENER)
    third = Desk(tmp_path)  # nothing is left to be said
    assert len(journaled(tmp_path)) == 2
    third.close()
    following.close()
    killed.close()


def test_a_session_number_is_given_once_whatever_the_clock_does(tmp_path: Path) -> None:
    given = [
        Sessions(tmp_path).open(now, HERE, 1, NOT_LISTED, 0).number
        for now in (-5, 0, 1_795_000_000_000, 1_795_000_000_000, 3, 1_795_000_000_005)
    ]
    assert given == [
        65536, 65537, 1_795_000_000_000, 1_795_000_000_001, 1_795_000_000_002, 1_795_000_000_005
    ]  # fmt: skip
    assert {session.number for session in Sessions(tmp_path).left} == set(given)


def test_a_damaged_file_of_sessions_begins_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff" * 20_000)
    sessions = Sessions(tmp_path)
    assert sessions.left == []
    assert not sessions.full
    assert sessions.open(70_000, HERE, 1, 0, 0).number == 70_000


@pytest.mark.parametrize("unlisted", [True, False])
def test_an_entry_is_the_longest_prefix_also_of_mapped_addresses(unlisted: bool) -> None:
    allow = AllowList(["0.0.0.0/0", "192.0.2.0/24", "192.0.2.7/32", "2001:db8::/32"], unlisted)
    seven = V4_MAPPED + bytes((192, 0, 2, 7))
    assert allow.find("::ffff:192.0.2.7") == allow.find("192.0.2.7") == (seven, 2)
    assert allow.entry(seven) == 2
    assert allow.entry(seven[:15] + b"\x08") == 1
    assert allow.find("2001:db8::1%eth0") == (bytes.fromhex("20010db8" + "0" * 23 + "1"), 3)
    assert allow.find("2001:db9::1") == ((bytes.fromhex("20010db9" + "0" * 23 + "1"), NOT_LISTED) if unlisted else None)
