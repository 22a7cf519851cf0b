"""The allocation file, written: one canonical form for the same allocations, and the file replaced as a whole or not.

`load_allocations` reads what is written here as the same allocations, in the same order.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from settings.errors import ConfigError, RefusalError
from tenants.allocations import Allocation, Allocations, load_allocations
from tenants.rows import COLUMNS
from tenants.spans import time_text

_ONE_LINE = 2**30
"""Width of YAML that no allocation reaches: each stands in a line, as in CSV."""
_FIRST_LINE = 2
"""Line of the first allocation: CSV has a header, YAML a key."""


def render(rows: Iterable[Allocation], suffix: str) -> str:
    """Return the text of an allocation file of these rows, in their order; its `suffix` tells the form.

    ConfigError where it is neither .csv nor .yaml.
    """
    match suffix.lower():
        case ".csv":
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(map(_cells, rows))
            return text.getvalue()
        case ".yaml" | ".yml":
            items = [{name: cell for name, cell in zip(COLUMNS, _cells(row), strict=True) if cell} for row in rows]
            return yaml.dump(
                {"allocations": items},
                Dumper=yaml.CSafeDumper,
                allow_unicode=True,
                sort_keys=False,
                default_flow_style=None,
                width=_ONE_LINE,
            )
    raise ConfigError(f"an allocation file in '{suffix}' cannot be written; its name ends in .csv, .yaml or .yml")


def _cells(row: Allocation) -> tuple[str, ...]:
    """Return the cells of a row in the order of `COLUMNS`."""
    labels = (row.resource, row.service, row.region, row.retention_class)
    times = (row.valid_from, row.valid_to)
    return (
        str(row.prefix),
        row.tenant,
        *(label or "" for label in labels),
        *("" if time is None else time_text(time) for time in times),
    )


def replace(path: Path, rows: Sequence[Allocation], check: Callable[[Allocations], None], is_dry: bool = False) -> None:
    """Replace the allocation file by one of `rows`, if it reads without fault and `check` raises no ConfigError.

    It keeps its mode, and its owner as far as we may give files away. A crash leaves the old file or the new one, whole
    and on disk. With `is_dry` it is not replaced, but could be. RefusalError where it cannot, and stays as it was.
    """
    target = path.resolve()
    unborn = target.with_name(f".{target.stem}.new{path.suffix}")
    text = render(rows, path.suffix)
    try:
        _write(unborn, text, target)
        check(load_allocations(unborn))
        if not is_dry:
            unborn.rename(target)
            _sync(target.parent)
    except ConfigError as error:
        faults = _of_rows(str(error), unborn, rows)
        raise RefusalError(f"{path} stays as it is, for what the source tells cannot be used:\n{faults}") from None
    except OSError as error:
        why = error.strerror or error
        raise RefusalError(f"{path} stays as it is: a new one cannot be written beside it: {why}") from None
    finally:
        with suppress(OSError):
            unborn.unlink(missing_ok=True)


def _write(unborn: Path, text: str, like: Path) -> None:
    """Write a file with mode and owner of `like`, if there is one, and have it on disk."""
    with open(os.open(unborn, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        with suppress(FileNotFoundError):
            status = like.stat()
            with suppress(PermissionError):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _of_rows(faults: str, unborn: Path, rows: Sequence[Allocation]) -> str:
    """Return faults of a file that nobody will see, told of its rows instead of its lines."""

    def row(match: re.Match[str]) -> str:
        found = rows[int(match[1]) - _FIRST_LINE]
        return f"{found.prefix} of '{found.tenant}': "

    name = re.escape(str(unborn))
    return re.sub(rf"^{name}: ", "", re.sub(rf"^{name}:(\d+): ", row, faults, flags=re.MULTILINE), flags=re.MULTILINE)
