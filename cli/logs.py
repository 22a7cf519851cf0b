"""The log of the collector's processes: standard error, where systemd and Docker take it up."""

from __future__ import annotations

import logging


def begin() -> None:
    """Log what is of ours from information on, of others from warnings on."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("flowkeep").setLevel(logging.INFO)
