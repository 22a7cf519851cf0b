"""Samples of sFlow version 5 that hold flow records, and their fixed parts: numbers, data source, interfaces.

sflow.org, "sFlow Version 5" section 5 (flow_sample, flow_sample_expanded, interface), and its errata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from decoders.block import Decoded, Octets
from decoders.cursor import Data, Items, Positions
from decoders.faults import Fault
from decoders.xdr import Words, ahead, items, words
from schema.batch import Array
from schema.columns import INTERFACE_FORMS

FLOW, COUNTERS, EXPANDED_FLOW, EXPANDED_COUNTERS, DISCARDED = 1, 2, 3, 4, 5
LENGTHS = np.array([0, 32, 12, 44, 16, 32])
"""Octets of the fixed parts by format, with the count of records at their ends."""

_PLAIN, _EXPANDED = 10, 13
"""Words of the fixed parts of flow samples and of the head of the record behind them: read at once, as they lie."""

_INDEX, _DISCARDED, _SEVERAL, _AGENT = map(INTERFACE_FORMS.index, ("index", "discarded", "several", "agent"))
_INTERNAL = 0x3FFFFFFF
_UNKNOWN = 0xFFFFFFFF
_DROPPED = 128  # IANA 89: dropped, reason unknown


@dataclass(frozen=True, slots=True)
class Heads:
    """What n flow samples tell of themselves.

    `number`, `pool` (sample_pool) and `drops`, uint32 (n,); `source`, uint64 (n,), is the data source, class << 32 |
    index. `arrays` are stored columns.
    """

    number: Words
    pool: Words
    drops: Words
    source: npt.NDArray[np.uint64]
    arrays: dict[str, Array]


def flow_samples(data: Data, samples: Items, out: Decoded) -> tuple[Items, Heads, Items]:
    """Return the flow samples whose fixed parts are there whole, those, and the records, which the samples own."""
    samples, head = whole(samples, out)
    read = _read(data, samples)
    number, class_, index, rate, pool, drops, *interfaces, count, tag, length = read
    arrays: dict[str, Array] = {"sampling_rate": rate}
    _interfaces(arrays, *interfaces)
    found = records(
        data, samples, samples.start + head, count.astype(np.int64), out, Octets.FLOWS, np.stack((tag, length))
    )
    return samples, Heads(number, pool, drops, source(class_, index), arrays), found


def discards(data: Data, samples: Items, out: Decoded) -> tuple[Items, Words, Items]:
    """Return the discarded packets whose fixed parts are there whole, those, (8, n), and the records."""
    samples, head = whole(samples, out)
    read = words(data, samples.start, LENGTHS[DISCARDED] // 4)
    return samples, read, records(data, samples, samples.start + head, read[-1].astype(np.int64), out, Octets.FLOWS)


def whole(samples: Items, out: Decoded) -> tuple[Items, Positions]:
    """Return the samples whose fixed parts are there whole, and the octets of these; count the others."""
    head = LENGTHS[samples.tag]
    there = samples.end - samples.start >= head
    if there.all():
        return samples, head
    out.faults[Fault.SAMPLE_LENGTH] += int(np.count_nonzero(~there))
    out.octets[Octets.FAULTY] += int((samples.end - samples.start)[~there].sum())
    return samples.where(there), head[there]


def records(
    data: Data,
    samples: Items,
    first: Positions,
    counts: Positions,
    out: Decoded,
    kind: Octets,
    heads: Words | None = None,
) -> Items:
    """Return the records of samples, the first of each at `first`; account for their octets, the good ones as `kind`.

    `heads` are as of `xdr.items`.
    """
    walked = items(data, first, samples.end, counts, heads)
    held = int((samples.end - samples.start).sum()) - walked.padding - walked.faulty
    out.faults[Fault.SAMPLE_LENGTH] += walked.broken
    out.octets.update({kind: held, Octets.PADDING: walked.padding, Octets.FAULTY: walked.faulty})
    return walked.items


def _read(data: Data, samples: Items) -> Sequence[Words]:
    """Return the words of flow_sample_expanded, and the next two: the head of the first record, if there is one."""
    expanded = samples.tag == EXPANDED_FLOW
    if not expanded.any():
        return _compact(ahead(data, samples.start, _PLAIN))
    if expanded.all():
        return [*ahead(data, samples.start, _EXPANDED)]
    read = np.empty((_EXPANDED, len(expanded)), np.uint32)
    read[:, expanded] = ahead(data, samples.start[expanded], _EXPANDED)
    read[:, ~expanded] = _compact(ahead(data, samples.start[~expanded], _PLAIN))
    return [*read]


def source(class_: Words, index: Words) -> npt.NDArray[np.uint64]:
    """Return data sources as the column `data_source` has them."""
    return class_.astype(np.uint64) << np.uint64(32) | index


def interface(value: Words) -> Words:
    """Return interface indices, 0 where they name none: the agent itself, or one that is not known."""
    return np.where((value == _INTERNAL) | (value == _UNKNOWN), 0, value).astype(np.uint32)


def _compact(plain: Words) -> Sequence[Words]:
    """Return the words of flow_sample, and the next two, as those of flow_sample_expanded."""
    number, source_id, rate, pool, drops, input_, output, *rest = plain
    return (
        number, source_id >> 24, source_id & 0xFFFFFF, rate, pool, drops,
        input_ >> 30, input_ & _INTERNAL, output >> 30, output & _INTERNAL, *rest,
    )  # fmt: skip


def _interfaces(arrays: dict[str, Array], in_form: Words, in_value: Words, out_form: Words, out_value: Words) -> None:
    """Add the columns of the interfaces; those that only unusual forms need, only where there are such."""
    for name, form, value in (("in_if", in_form, in_value), ("out_if", out_form, out_value)):
        arrays[name] = interface(value)
        if form.any():
            arrays[name][form != 0] = 0
        agent = (value == _INTERNAL) & (form == 0)
        if agent.any():
            arrays[f"{name}_form"] = np.where(agent, _AGENT, _INDEX).astype(np.uint8)
    discarded, several = out_form == _DISCARDED, out_form == _SEVERAL
    if discarded.any() or several.any():
        forms = arrays.setdefault("out_if_form", np.full(len(out_form), _INDEX, np.uint8))
        forms[discarded], forms[several] = _DISCARDED, _SEVERAL
        arrays["out_if_detail"] = np.where(discarded | several, out_value, 0).astype(np.uint32)
        arrays["forwarding_status"] = np.where(discarded, _DROPPED, 0).astype(np.uint8)
