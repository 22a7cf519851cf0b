"""The compiled table against a slow, obvious search, and the cases that a search by halves gets wrong."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.batch import Symbols
from tenants.allocations import Allocations
from tenants.cells import ALWAYS, FOREVER
from tenants.ranges import Ranges
from tenants.timelines import NOBODY

Held = tuple[IPv4Network | IPv6Network, int, int]
MAPPED = 0xFFFF << 32


def table(held: list[Held]) -> Allocations:
    rows = len(held)
    none = Symbols(np.zeros(rows, np.int32), [""])
    first = [int(prefix.network_address) | (MAPPED if prefix.version == 4 else 0) for prefix, _, _ in held]
    return Allocations(
        path=Path("test"),
        first=np.frombuffer(b"".join(value.to_bytes(16, "big") for value in first), np.uint8).reshape(-1, 16),
        length=np.array([prefix.prefixlen + (96 if prefix.version == 4 else 0) for prefix, _, _ in held], np.uint8),
        valid_from=np.array([start for _, start, _ in held], np.int64),
        valid_to=np.array([end for _, _, end in held], np.int64),
        tenants=none,
        resources=none,
        classes=none,
        services=none,
        regions=none,
        lines=np.arange(rows, dtype=np.int32),
    )


def search(held: list[Held], address: IPv6Address, time: int) -> int:
    plain = address.ipv4_mapped or address
    around = [
        (prefix.prefixlen, index)
        for index, (prefix, start, end) in enumerate(held)
        if prefix.version == plain.version and plain in prefix and start <= time < end
    ]
    return max(around)[1] if around else NOBODY


# Few distinct bits, at the ends of the address, make prefixes nest and addresses hit their edges.
V6_BITS = (0, 1, 62, 63, 64, 65, 126, 127)
V4_BITS = (0, 1, 15, 16, 23, 24, 30, 31)


def numbers(bits: tuple[int, ...], width: int) -> st.SearchStrategy[int]:
    return st.sets(st.sampled_from(bits)).map(lambda chosen: sum(1 << (width - 1 - bit) for bit in chosen))


def prefixes() -> st.SearchStrategy[IPv4Network | IPv6Network]:
    v4 = st.tuples(numbers(V4_BITS, 32), st.sampled_from((0, 1, 2, 15, 16, 17, 23, 24, 25, 31, 32)))
    v6 = st.tuples(numbers(V6_BITS, 128), st.sampled_from((0, 1, 2, 63, 64, 65, 66, 127, 128)))
    return st.one_of(
        v4.map(lambda pair: IPv4Network(pair, strict=False)), v6.map(lambda pair: IPv6Network(pair, strict=False))
    )


@st.composite
def allocations(draw: st.DrawFn) -> list[Held]:
    """Prefixes, each held for one or more disjoint spans of the times 0 to 9, some of them without an end."""
    held: list[Held] = []
    for prefix in draw(st.sets(prefixes(), max_size=12)):
        edges = sorted(draw(st.sets(st.integers(0, 9), max_size=6)))
        spans = list(zip(edges[::2], edges[1::2], strict=False)) or [(ALWAYS, FOREVER)]
        spans[0] = (draw(st.sampled_from((ALWAYS, spans[0][0]))), spans[0][1])
        spans[-1] = (spans[-1][0], draw(st.sampled_from((spans[-1][1], FOREVER))))
        held += [(prefix, start, end) for start, end in spans]
    return draw(st.permutations(held))


ADDRESSES = st.one_of(
    numbers(V4_BITS, 32).map(lambda low: MAPPED | low),
    numbers(V6_BITS, 128),
    st.sampled_from((2**128 - 1, MAPPED | 2**32 - 1)),
)


@settings(deadline=None)
@given(allocations(), st.lists(st.tuples(ADDRESSES, st.integers(-1, 10)), max_size=80))
def test_every_lookup_agrees_with_a_linear_search(held: list[Held], asked: list[tuple[int, int]]) -> None:
    octets = np.frombuffer(b"".join(value.to_bytes(16, "big") for value, _ in asked), np.uint8).reshape(-1, 16)
    times = np.array([time for _, time in asked], np.int64)
    compiled = Ranges(table(held))
    for rows in (slice(None), slice(0, 1)):  # over many epochs at once, and within one
        (found,) = compiled.owners(times[rows], octets[rows])
        assert found.tolist() == [search(held, IPv6Address(value), time) for value, time in asked[rows]]


def test_prefixes_too_many_for_tables_are_searched() -> None:
    held: list[Held] = [(IPv4Network((index << 16 | 1 << 15, 17)), ALWAYS, FOREVER) for index in range(20_000)]
    compiled = Ranges(table(held))
    rng = np.random.default_rng(5)
    asked = rng.integers(0, 2**32, 50_000)
    octets = (asked.astype(np.uint64) | np.uint64(MAPPED)).astype(">u8").view(np.uint8).reshape(-1, 8)
    (found,) = compiled.owners(np.zeros(len(asked), np.int64), np.hstack((np.zeros_like(octets), octets)))
    holders = np.where((asked >> 15 & 1 == 1) & (asked >> 16 < len(held)), asked >> 16, NOBODY)
    assert found.tolist() == holders.tolist()


def test_strays_in_time_are_looked_up_at_their_own_time() -> None:
    prefix = ip_network("192.0.2.0/24")
    compiled = Ranges(table([(prefix, 0, 1000), (prefix, 1000, 2000), (prefix, 2000, FOREVER)]))
    times = np.full(10_000, 1500, np.int64)
    times[[3, 77]] = (-1, 500)
    times[[5, 9_999]] = (999_999, 2000)
    address = np.frombuffer((MAPPED | int(prefix.network_address)).to_bytes(16, "big"), np.uint8)
    (found,) = compiled.owners(times, np.tile(address, (len(times), 1)))
    assert found[[3, 77, 5, 9_999]].tolist() == [NOBODY, 0, 2, 2]
    assert np.delete(found, [3, 77, 5, 9_999]).tolist() == [1] * 9_996


def test_many_windows_of_time_each_get_their_own_holders() -> None:
    prefix = ip_network("2001:db8::/127")
    compiled = Ranges(table([(prefix, start, start + 1) for start in range(10)]))
    address = np.frombuffer(prefix.network_address.packed, np.uint8).reshape(1, 16)
    for time in (*range(10), *range(9, -1, -1)):
        assert compiled.owners(np.array([time]), address)[0].tolist() == [time]


def test_where_the_inner_allocation_has_ended_the_outer_one_holds(allocate: Callable[..., Allocations]) -> None:
    lines = ("10.0.0.0/8,outer,,,", "10.1.0.0/16,middle,,,2026-03-01", "10.1.1.0/24,inner,,2026-01-01,2026-02-01")
    compiled = Ranges(allocate(*lines))
    address = np.frombuffer((MAPPED | 0x0A010101).to_bytes(16, "big"), np.uint8).reshape(1, 16)
    months = np.array(["2025-12", "2026-01", "2026-02", "2026-03"], "M8[ms]").astype(np.int64)
    assert [compiled.owners(months[at : at + 1], address)[0].tolist() for at in range(4)] == [[1], [2], [1], [0]]
