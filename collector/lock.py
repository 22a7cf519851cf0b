"""The data directory's lock: one collector at a time, its receiver included."""

from __future__ import annotations

from pathlib import Path

from settings.errors import RefusalError
from settings.lock import hold

_PATIENCE = 2.0


def take(directory: Path) -> int:
    """Return the lock as a descriptor; RefusalError where another holds it, or where the directory cannot be written.

    The receiver of a collector that was killed takes a moment to follow it.
    """
    refusal = f"another flowkeep is running on {directory}; stop it, or give this one its own 'data_dir'"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return hold(directory / "collector.lock", refusal, _PATIENCE)
    except OSError as error:
        raise RefusalError(f"{directory}: cannot be written: {error.strerror}; check 'data_dir'") from None
