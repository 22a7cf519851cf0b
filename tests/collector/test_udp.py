"""Batches of datagrams by themselves: they stay whole, and a kill at whatever instant costs none and doubles none."""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from collector.allow_list import NOT_LISTED, AllowList
from collector.batches import FILE, SLOTS, Batch
from collector.segment_writer import SegmentWriter
from collector.segments import Segment, numbers, path_of
from collector.tally import Count, Tally
from collector.udp import Datagrams
from schema.addresses import V4_MAPPED
from tests.collector.site import wait_for
from tests.collector.test_tcp import Row, journaled

COUNTS = (Count.RECEIVED, Count.OCTETS, Count.REFUSED, Count.JOURNAL_FULL)
OURS = ("udp", "batches", "intent", "segment_writer", "known_senders", "syscalls", "tally", "segments")


class Desk:
    """The receiver's UDP in this process; `restart` is what the next receiver does."""

    def __init__(self, directory: Path, size: int = 2**18, family: int = socket.AF_INET) -> None:
        self.directory, self.size = directory, size
        self.tally = Tally(directory / "tally", fresh=True)
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        self.socket.bind(("::" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.restart()

    def restart(self) -> None:
        self.writer = SegmentWriter(self.directory, self.size, 2**40, after=-1, clock_shift_ms=0)  # as a daemon begins
        allow = AllowList(["192.0.2.0/24", "127.0.0.0/24", "::1/128"], unlisted=False)
        self.datagrams = Datagrams(self.writer, allow, self.tally.words)

    def send(self, payloads: list[bytes], sender: str = "127.0.0.1", to: str = "127.0.0.1") -> int:
        with socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.bind((sender, 0))
            for payload in payloads:
                out.sendto(payload, (to, self.port))
            return int(out.getsockname()[1])

    def drain(self, listener: int = 5) -> None:
        while self.datagrams.drain(self.socket, listener):
            pass

    def counted(self) -> tuple[int, ...]:
        return tuple(self.tally[count] for count in COUNTS)

    def rows(self) -> list[Row]:
        return journaled(self.directory)

    def close(self) -> None:
        self.datagrams.close()
        self.writer.close()
        self.socket.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def payloads(rng: random.Random, count: int, sizes: tuple[int, ...]) -> list[bytes]:
    return [rng.randbytes(rng.choice(sizes)) for _ in range(count)]


def test_datagrams_of_every_size_stay_whole_over_many_segments(desk: Desk) -> None:
    rng = random.Random(1)
    sent = []
    for _ in range(8):
        some = payloads(rng, 40, (0, 1, 48, 1400, 2047, 2048, 2049, 9000, 65507))
        sent += some
        desk.send(some)
        desk.drain()
    assert [row.payload for row in desk.rows()] == sent
    assert desk.counted() == (len(sent), sum(map(len, sent)), 0, 0)
    assert len(numbers(desk.directory)) > 8
    sealed = [Segment(path_of(desk.directory, number), writable=False).sealed for number in numbers(desk.directory)]
    assert sealed == [True] * (len(sealed) - 1) + [False]


def test_a_row_says_who_sent_it_to_where_and_who_may_not_is_counted(desk: Desk) -> None:
    one, two = desk.send([b"a", b"bb"]), desk.send([b"no"] * 3, "127.0.1.1")
    three = desk.send([b"ccc"], "127.0.0.9")
    desk.drain(7)
    four = desk.send([b"dddd"], "127.0.0.9")
    desk.send([b"no"], "127.0.1.2")
    desk.drain(8)
    assert len({one, two, three, four}) == 4
    home, other = (V4_MAPPED + bytes((127, 0, 0, last)) for last in (1, 9))
    assert desk.rows() == [
        (home, one, 1, 7, 0, b"a"), (home, one, 1, 7, 0, b"bb"), (other, three, 1, 7, 0, b"ccc"),
        (other, four, 1, 8, 0, b"dddd"),
    ]  # fmt: skip
    assert desk.counted() == (8, 18, 4, 0)


def test_an_ipv6_socket_hears_both_families(tmp_path: Path) -> None:
    desk = Desk(tmp_path, family=socket.AF_INET6)
    four, six = desk.send([b"four"] * 2), desk.send([b"six"], "::1", "::1")
    desk.send([b"no"], "127.0.1.1")
    desk.drain()
    home = V4_MAPPED + bytes((127, 0, 0, 1))
    assert desk.rows() == [(home, four, 1, 5, 0, b"four")] * 2 + [(bytes(15) + b"\1", six, 2, 5, 0, b"six")]
    assert desk.counted() == (4, 13, 1, 0)
    desk.close()


def test_sockets_of_both_families_take_turns(desk: Desk) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.bind(("::1", 0))
        other.setblocking(False)
        for _ in range(2):
            desk.send([b"four"] * 3)
            desk.drain(0)
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as out:
                out.sendto(b"six", other.getsockname())
            assert not desk.datagrams.drain(other, 1)
    four = (V4_MAPPED + bytes((127, 0, 0, 1)), 1, 0, b"four")
    six = (bytes(15) + b"\1", 2, 1, b"six")
    assert [(row.sender, row.entry, row.listener, row.payload) for row in desk.rows()] == [four, four, four, six] * 2


def test_many_senders_are_each_known_by_their_own_entry(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    nets = [f"127.0.{number}.0/24" for number in range(0, 60, 2)]
    desk.datagrams = Datagrams(desk.writer, AllowList(nets, unlisted=True), desk.tally.words)
    rng = random.Random(2)
    expected = []
    for _ in range(6):
        for _ in range(60):
            third, last = rng.randrange(60), rng.randrange(1, 255)
            port = desk.send([bytes((third, last))], f"127.0.{third}.{last}")
            entry = NOT_LISTED if third % 2 else third // 2
            expected.append((V4_MAPPED + bytes((127, 0, third, last)), port, entry, 5, 0, bytes((third, last))))
        desk.drain()
    assert desk.rows() == expected
    desk.close()


def test_without_room_datagrams_are_taken_off_the_socket_and_counted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(tmp_path, size=2**55)
    desk.send([b"x" * 40] * 20)
    desk.send([b"y"] * 5, "127.0.1.1")
    desk.drain()
    assert desk.counted() == (25, 805, 5, 20)
    assert "no new segment" in capfd.readouterr().err
    assert numbers(tmp_path) == []
    desk.close()
    assert not (tmp_path / FILE).exists()


def test_nothing_of_a_datagram_is_left_in_hand(desk: Desk) -> None:
    desk.send([b"secret" * 100] * 30 + [b"SECRET" * 10_000])
    desk.drain()
    path = desk.directory / FILE
    assert b"secret" in path.read_bytes()
    desk.datagrams.wipe()
    assert b"secret" not in path.read_bytes().lower()
    desk.send([b"more"])
    desk.drain()
    assert desk.rows()[-1].payload == b"more"


def test_a_batch_that_no_kernel_wrote_is_put_away(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    desk.datagrams.close()
    octets = bytearray(Batch(desk.directory, 0)._path.read_bytes())
    octets[4096 : 4096 + SLOTS * 64] = b"\x77" * (SLOTS * 64)
    (desk.directory / FILE).write_bytes(octets)
    desk.restart()
    assert "damaged" in capfd.readouterr().err
    desk.send([b"sound"])
    desk.drain()
    assert [row.payload for row in desk.rows()] == [b"sound"]


def test_a_kill_while_a_batch_is_put_away_doubles_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def half(batch: Batch, count: int) -> None:
        batch._lengths[: count // 2] = 0xFFFFFFFF
        raise KeyboardInterrupt

    expected, counts = sequences(desk)
    monkeypatch.setattr(Batch, "clear", half)
    with pytest.raises(KeyboardInterrupt):
        desk.drain()
    monkeypatch.undo()
    assert settled(desk, expected, counts)
    assert capfd.readouterr().err == ""


def killed_at(instant: int, work: Callable[[], Any]) -> bool:
    """Do `work` in a child that is killed at an instant, counted by the steps of the interpreter in our modules."""
    left = instant

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_globals.get("__name__", "").removeprefix("collector.") not in OURS:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    child = os.fork()
    if not child:
        try:
            sys.settrace(trace)
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def sequences(desk: Desk) -> tuple[list[bytes], tuple[int, ...]]:
    """Send datagrams of all kinds; return those to be journaled, and what is to be counted."""
    rng = random.Random(3)
    ours = payloads(rng, 4, (0, 30, 1400)) + [rng.randbytes(65507)] * 4 + payloads(rng, 2, (5, 9000)) + [b""]
    others = [b"not allowed"] * 2
    for payload in ours[:6]:
        desk.send([payload])
    desk.send(others, "127.0.1.1")
    for payload in ours[6:8]:
        desk.send([payload])
    desk.send(others, "127.0.1.1")
    for payload in ours[8:]:
        desk.send([payload])
    all_sent = ours + others * 2
    return ours, (len(all_sent), sum(map(len, all_sent)), len(others) * 2, 0)


def settled(desk: Desk, expected: list[bytes], counts: tuple[int, ...]) -> bool:
    """Whether a new receiver brings all to a good end."""
    desk.restart()
    desk.drain()
    return [row.payload for row in desk.rows()] == expected and desk.counted() == counts


def test_a_kill_at_any_instant_costs_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    instant, step = 1, 11
    killed = True
    while killed:
        directory = tmp_path / str(instant)
        directory.mkdir()
        desk = Desk(directory, size=2**18)  # for three of the largest, so that a batch has parts in two segments
        expected, counts = sequences(desk)
        killed = killed_at(instant, desk.drain)
        assert settled(desk, expected, counts), f"killed at {instant}"
        assert len(numbers(directory)) >= 2
        desk.close()
        instant += step
    assert instant > 1500


def test_kills_of_one_receiver_after_the_other_cost_nothing_and_double_nothing(tmp_path: Path) -> None:
    rng = random.Random(4)
    kills = 0
    for number in range(25):
        directory = tmp_path / str(number)
        directory.mkdir()
        desk = Desk(directory)
        expected, counts = sequences(desk)

        def next_receiver(desk: Desk = desk) -> None:
            desk.restart()
            desk.drain()

        kills += killed_at(rng.randrange(100, 2000), desk.drain)
        for _ in range(rng.randrange(1, 6)):
            kills += killed_at(rng.randrange(1, 3000), next_receiver)
        assert settled(desk, expected, counts), f"round {number}"
        desk.close()
    assert kills > 50


def test_another_run_counts_what_it_finds_in_hand_but_not_what_is_journaled(tmp_path: Path) -> None:
    for instant in range(50, 2000, 90):
        directory = tmp_path / str(instant)
        directory.mkdir()
        desk = Desk(directory)
        expected, counts = sequences(desk)
        killed_at(instant, desk.drain)
        before = len(desk.rows())
        desk.tally = Tally(directory / "tally", fresh=True)
        desk.restart()
        desk.drain()
        assert [row.payload for row in desk.rows()] == expected
        received, _, refused, _ = desk.counted()
        assert received - refused == len(expected) - before
        assert refused in (0, 2, 4)
        assert before or refused == counts[2]
        desk.close()


def test_more_waits_than_a_batch_holds(desk: Desk) -> None:
    sent = [number.to_bytes(2, "big") for number in range(SLOTS + 100)]
    desk.send(sent)
    assert desk.datagrams.drain(desk.socket, 0)
    assert len(desk.rows()) == SLOTS
    assert not desk.datagrams.drain(desk.socket, 0)
    assert [row.payload for row in desk.rows()] == sent
    times = np.frombuffer(b"".join(_times(desk.directory)), "i8")
    assert np.all(np.diff(times) >= 0)
    assert abs(int(times[0]) - desk.writer.now_ms()) < 60_000


def _times(directory: Path) -> Iterator[bytes]:
    for number in numbers(directory):
        segment = Segment(path_of(directory, number), writable=False)
        for row in range(segment.count):
            at = segment.index_at + row * 48
            yield segment.map[at : at + 8]


def test_a_segment_that_was_prepared_serves_and_none_is_left(desk: Desk) -> None:
    prepared = desk.directory / "segment.prepared"
    desk.send([b"x" * 60_000] * 3)
    desk.drain()
    wait_for(prepared.exists)
    desk.send([b"y" * 60_000] * 3)
    desk.drain()
    assert len(numbers(desk.directory)) == 2
    assert [row.payload[:1] for row in desk.rows()] == [b"x", b"x", b"x", b"y", b"y", b"y"]
    desk.writer.close()
    assert not prepared.exists()
