"""Strings from exporters: valid UTF-8, printable, of bounded length; each different one is looked at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from decoders.layout import Source
from decoders.records import Records, leading
from schema.batch import Symbols


def clean(octets: bytes, most: int) -> str:
    """Return a string of an exporter's up to its first NUL: valid UTF-8, printable, of at most `most` octets."""
    text = octets.split(b"\0", 1)[0][:most].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def raw(records: Records, source: Source, most: int) -> npt.NDArray[np.bytes_]:
    """Return a field's octets in all records without the zeros behind them, of dtype S and shape (n,)."""
    octets = np.ascontiguousarray(leading(records, source, most))
    return octets.view(f"S{octets.shape[1]}")[:, 0]


def symbols(records: Records, source: Source, most: int) -> Symbols:
    """Return a field as a column of strings."""
    distinct, codes = np.unique(raw(records, source, most), return_inverse=True)
    return Symbols(codes.astype(np.int32), [clean(text, most) for text in distinct.tolist()])
