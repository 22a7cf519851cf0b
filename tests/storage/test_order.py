"""The order in which flows are handed to their table: that of its key, in blocks of one partition each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schema.batch import Flows, Symbols
from storage.order import parted

_DAY = 86_400_000
_NAMES = ("zeta", "", "a", "ä", "B", "beta")
_ROW = st.tuples(
    st.sampled_from(("standard", "basic", "extended")),
    st.integers(20_000 * _DAY, 20_003 * _DAY),
    st.sampled_from(_NAMES),
    st.sampled_from(_NAMES),
)


def flows_of(rows: list[tuple[str, int, str, str]], names: int) -> Flows:
    """Flows, numbered in `bytes`; `names` more tenants are known that none has, so that keys are wide."""
    every = [*_NAMES, *(f"tenant {number}" for number in range(names))]
    classes = ("standard", "basic", "extended")
    return Flows(
        len(rows),
        {
            "time_received": np.array([row[1] for row in rows], np.int64),
            "bytes": np.arange(len(rows), dtype=np.uint64),
        },
        {
            "retention_class": Symbols(np.array([classes.index(row[0]) for row in rows], np.int32), classes),
            "src_tenant": Symbols(np.array([every.index(row[2]) for row in rows], np.int32), every),
            "dst_tenant": Symbols(np.array([every.index(row[3]) for row in rows], np.int32), every),
        },
    )


@given(st.lists(_ROW, max_size=50))
def test_flows_come_by_partition_in_the_order_of_the_key_and_each_once(rows: list[tuple[str, int, str, str]]) -> None:
    seen: list[int] = []
    names = []
    for name, part in parted(flows_of(rows, 3)):
        names.append(name)
        numbers = part.arrays["bytes"].tolist()
        mine = [rows[number] for number in numbers]
        assert {f"{row[0]} {row[1] // _DAY}" for row in mine} == {name}
        keys = [
            (row[1] // 3_600_000, row[2].encode(), row[3].encode(), number)
            for row, number in zip(mine, numbers, strict=True)
        ]
        assert keys == sorted(keys)
        assert part.symbols["src_tenant"].codes.tolist() == [
            part.symbols["src_tenant"].names.index(row[2]) for row in mine
        ]
        seen += numbers
    assert sorted(seen) == list(range(len(rows)))
    assert len(names) == len(set(names))


def test_keys_that_fit_no_word_are_sorted_all_the_same() -> None:
    far = [("basic", 2**53, "beta", "a"), ("basic", 0, "zeta", "a"), ("basic", 0, "zeta", "a"), ("basic", 0, "B", "a")]
    parts = [part.arrays["bytes"].tolist() for _, part in parted(flows_of(far, 2**21))]
    assert parts == [[3, 1, 2], [0]]
