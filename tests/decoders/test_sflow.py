"""sFlow v5 framing: padding, unknown items, counts that lie."""

from __future__ import annotations

import struct

from decoders.faults import Fault
from tests.decoders.wire import decoded

# an IPv4 header of a UDP packet, total length 60, and its ports
PACKET = bytes.fromhex("4500003c000000004011000000000000") + bytes(4) + struct.pack(">HH", 53, 5353)


def item(format_: int, body: bytes) -> bytes:
    return struct.pack(">II", format_, len(body)) + body + bytes(-len(body) % 4)


def flow_sample(*records: bytes, count: int | None = None) -> bytes:
    head = struct.pack(">IIIIIIII", 1, 3, 100, 0, 0, 1, 2, len(records) if count is None else count)
    return item(1, head + b"".join(records))


def raw_header(packet: bytes = PACKET) -> bytes:
    return item(1, struct.pack(">IIII", 11, 64, 4, len(packet)) + packet)


def datagram(*samples: bytes, count: int | None = None) -> bytes:
    head = struct.pack(">II4sIII", 5, 1, bytes((192, 0, 2, 1)), 0, 1, 1)
    return head + struct.pack(">I", len(samples) if count is None else count) + b"".join(samples)


def test_records_and_samples_of_odd_length_are_followed_by_padding() -> None:
    sample = flow_sample(item(1004, b"odd"), raw_header(), item(1009, b"x"))
    for copies in (1, 40):  # one by one, and in step
        result = decoded(*[datagram(item(4097, b"other"), sample)] * copies)
        assert result.flows.column("bytes").tolist() == [60] * copies
        assert result.faults == {Fault.SAMPLE_UNKNOWN: copies}


def test_an_item_at_the_end_may_lack_its_padding() -> None:
    result = decoded(datagram(flow_sample(raw_header()), item(4097, b"other")[:-3]))
    assert result.flows.rows == 1
    assert result.faults == {Fault.SAMPLE_UNKNOWN: 1}


def test_absurd_counts_and_lengths_cost_only_what_they_spoil() -> None:
    good = flow_sample(raw_header(), count=2**32 - 1)
    liar = struct.pack(">II", 1, 2**32 - 1) + bytes(40)
    result = decoded(datagram(good, good, liar, count=2**32 - 1), datagram(good))
    assert result.flows.column("src_port").tolist() == [53, 53, 53]
    assert result.faults == {Fault.SAMPLE_LENGTH: 1}


def test_fewer_samples_are_read_where_the_count_says_so() -> None:
    sample = flow_sample(raw_header())
    assert decoded(datagram(sample, sample, count=1)).flows.rows == 1
