"""The allocation file brought up to date with its source: asked, merged, checked whole, and replaced."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from settings.errors import RefusalError
from settings.tenant_source import HttpSource, NetBoxSource, TenantSource
from sources import http_json, netbox
from tenants.allocations import Allocation, Allocations, load_allocations
from tenants.present import Merge, Present, merge
from tenants.writing import replace


def fetch(source: TenantSource) -> list[Present]:
    """Return what the source tells; UnreachableError where it does not answer, RefusalError where it cannot be used."""
    match source:
        case HttpSource():
            return http_json.fetch(source)
        case NetBoxSource():
            return netbox.fetch(source)


def update(
    path: Path,
    source: TenantSource,
    now: int,
    check: Callable[[Allocations], None],
    is_believed: bool = False,
    is_dry: bool = False,
) -> Merge:
    """Bring the allocation file at `path` up to what its source tells at `now`, ms, and return what that changes.

    A file where nothing changes is left alone, a missing or empty one is made. `check` raises ConfigError where the
    allocations are not to be had. A source that is not `is_believed` may not end more than its `most_gone` of what is
    held. With `is_dry` all is done but the replacing. RefusalError where the file stays as it is.
    """
    with _alone(path):
        told = fetch(source)
        merged = merge(_known(path), told, now)
        if not is_believed:
            merged.guard(source.most_gone)
        if merged.changes:
            replace(path, merged.rows, check, is_dry)
    return merged


def _known(path: Path) -> list[Allocation]:
    if not path.exists() or not path.stat().st_size:
        return []
    allocations = load_allocations(path)
    return [allocations[index] for index in range(len(allocations))]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other fetches for the file away by a lock on its directory, which leaves nothing behind."""
    try:
        descriptor = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError as error:
        raise RefusalError(f"{path}: its directory cannot be read: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusalError(f"another `flowkeep tenants fetch` is at {path}; wait for its end") from None
        yield
    finally:
        os.close(descriptor)
