"""A block's groups as octets, to be kept beside the journal until they are stored with those of other blocks."""

from __future__ import annotations

import json
from io import BytesIO
from zipfile import BadZipFile

import numpy as np

from rollups.group import Grouped, Groups
from schema.batch import Array

_NAMES = "tenants"


def dump(grouped: Grouped) -> bytes:
    """Return groups as an archive of NumPy arrays (.npz), each number in as few octets as its column needs."""
    arrays = {f"origins.{name}": values for name, values in grouped.origins.items()}
    for place, groups in (("traffic", grouped.traffic), ("systems", grouped.systems)):
        arrays |= {f"{place}.columns.{name}": _narrow(values) for name, values in groups.columns.items()}
        arrays |= {f"{place}.sums.{name}": _narrow(values) for name, values in groups.sums.items()}
    names = json.dumps({name: list(values) for name, values in grouped.tenants.items()})
    out = BytesIO()
    np.savez(out, **arrays, **{_NAMES: np.frombuffer(names.encode(), np.uint8)})  # type: ignore[arg-type]  # any names
    return out.getvalue()


def load(octets: bytes) -> Grouped:
    """Return the groups that `dump` made octets of; ValueError for others."""
    try:
        with np.load(BytesIO(octets), allow_pickle=False) as archive:
            arrays: dict[str, Array] = dict(archive)
        names = json.loads(arrays.pop(_NAMES).tobytes())
        return Grouped(_groups(arrays, "traffic"), _groups(arrays, "systems"), _under(arrays, "origins."), dict(names))
    except (BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no groups of rollups: {error}") from None


def _groups(arrays: dict[str, Array], place: str) -> Groups:
    columns, sums = (_under(arrays, f"{place}.{kind}.") for kind in ("columns", "sums"))
    if "flows" not in sums or len({len(values) for values in (*columns.values(), *sums.values())}) != 1:
        raise ValueError("columns of unequal lengths")
    return Groups(
        {name: values.astype(np.uint64) for name, values in columns.items()},
        {name: values.astype(np.uint64) for name, values in sums.items()},
    )


def _under(arrays: dict[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def _narrow(values: Array) -> Array:
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
