"""Decoding of whole blocks on one core, beside what others take for the same datagrams in the same run.

A second is one of the processor's: what else runs on a shared machine does not count.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks import layouts, peers
from benchmarks.layouts import Load
from collector.heap import KEPT_OCTETS, keep_freed
from decoders import Datagrams, Limits, State, decode
from demo.traffic import mapped

_ROUNDS = 15
_UNSETTLED = 3


def rate(load: Load) -> float:
    """Return records a second, the median of some rounds after a warm-up; ValueError where some are lost."""
    state = State()
    decode(_block(load.announced), state, Limits())
    announced = state.dump()
    block, times = _block(load.sent), []
    for _ in range(_ROUNDS):
        state = State.load(announced)  # or the same numbers again would be those of a restarted exporter
        for _, known in state.templates:
            _ = known.layout  # compiled once in a template's life
        begun = time.process_time()
        decoded = decode(block, state, Limits())
        times.append(time.process_time() - begun)
        rows = decoded.counter_samples if load.what == "counter samples" else decoded.flows.rows
        if rows != load.records:
            raise ValueError(f"{load.name}: {rows} {load.what} of {load.records}")
    return load.records / float(np.median(times[_UNSETTLED:]))


def _block(datagrams: Sequence[tuple[str, bytes]]) -> Datagrams:
    return Datagrams.gather(
        [payload for _, payload in datagrams],
        [mapped(address).tobytes() for address, _ in datagrams],
        [layouts.NOW] * len(datagrams),
    )


def compared(load: Load) -> Iterator[dict[str, Any]]:
    """Yield our result for a load, and then each peer's."""
    ours = rate(load)
    single = load.records == len(load.sent)
    unit, scale = ("k datagrams/s", 1e3) if single else (f"M {load.what}/s", 1e6)
    yield {
        "bench": f"decode_{load.name}", "value": round(ours / scale, 2), "unit": unit,
        "records_per_datagram": round(load.records / len(load.sent), 1), "layouts": load.layouts,
    }  # fmt: skip
    for peer in peers.of(load):
        name = f"decode_{load.name}_peer_{peer}"
        found = peers.measure(peer, load)
        if isinstance(found, str):
            yield {"bench": name, "value": None, "unit": unit, "why": found}
            continue
        extra = {key: round(value, 2) for key, value in found.items() if key != "rate"}
        yield {
            "bench": name, "value": round(found["rate"] / scale, 4), "unit": unit,
            "flowkeep_times_faster": float(f"{ours / found['rate']:.3g}"), **extra,
        }  # fmt: skip


def run() -> Iterator[dict[str, Any]]:
    """Yield results for full datagrams of one layout, of each version of NetFlow and IPFIX."""
    keep_freed(KEPT_OCTETS)  # as the collector does
    for load in layouts.fixed():
        yield from compared(load)


def run_sflow() -> Iterator[dict[str, Any]]:
    """Yield results for sFlow's flow samples and counter samples."""
    keep_freed(KEPT_OCTETS)
    for load in layouts.samples():
        yield from compared(load)


def run_interleaved() -> Iterator[dict[str, Any]]:
    """Yield results for many exporters of many layouts: the same for all, and all different."""
    keep_freed(KEPT_OCTETS)
    for common in (True, False):
        yield from compared(layouts.interleaved(common))


def run_one_record() -> Iterator[dict[str, Any]]:
    """Yield results for datagrams of one record."""
    keep_freed(KEPT_OCTETS)
    yield from compared(layouts.one_record())


def run_variable() -> Iterator[dict[str, Any]]:
    """Yield results for records with variable-length fields."""
    keep_freed(KEPT_OCTETS)
    yield from compared(layouts.variable())
