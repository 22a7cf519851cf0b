"""Where a person's own files are, by the XDG Base Directory Specification."""

from __future__ import annotations

import os
from pathlib import Path


def personal(variable: str, usual: str) -> Path | None:
    """Return our directory below that of an XDG variable, or below `usual` in the home; None where there is no home."""
    told = os.environ.get(variable)
    if told:
        return Path(told) / "flowkeep"
    try:
        return Path.home() / usual / "flowkeep"
    except RuntimeError:  # a user that the system does not know, as in a container
        return None
