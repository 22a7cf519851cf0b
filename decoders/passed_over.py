"""Counts sFlow samples and records that are not stored, by their structures, without end to neither time nor memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from decoders.block import Decoded
from schema.sflow_structures import key_of

_MOST = 1024
"""Structures of a kind that one block tells apart; those of the rarest beyond are counted as 0:0."""


def pass_over(kind: str, tags: npt.NDArray[np.int64], out: Decoded) -> None:
    """Count samples or records by their data formats, int64 (n,); `kind` says which: sample, flow or counter."""
    formats, counts = np.unique(tags, return_counts=True)
    often = np.argsort(-counts, kind="stable")
    for at in often[:_MOST].tolist():
        out.passed_over[kind, *key_of(int(formats[at]))] += int(counts[at])
    rest = int(counts[often[_MOST:]].sum())
    if rest:
        out.passed_over[kind, 0, 0] += rest
