"""How far a long query has come, on the terminal of whoever waits for it."""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from settings.config import Config
from settings.errors import UserError
from storage.client import connect

_PATIENCE, _EVERY = 1.0, 0.5
"""Seconds before anything is shown, and between looks."""


@contextmanager
def watched(config: Config) -> Iterator[str]:
    """Yield an id for a query; while it runs for longer than a moment, a terminal shows how much of it is read."""
    query_id, done = str(uuid.uuid4()), threading.Event()
    if not sys.stderr.isatty():
        yield query_id
        return
    watcher = threading.Thread(target=_watch, args=(config, query_id, done), daemon=True)
    watcher.start()
    try:
        yield query_id
    finally:
        done.set()
        watcher.join()


def _watch(config: Config, query_id: str, done: threading.Event) -> None:
    if done.wait(_PATIENCE):
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from cli.tables import plain_console

    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} % of {task.fields[rows]} rows"), TimeElapsedColumn())
    with (
        suppress(UserError),  # the query itself tells what is wrong
        connect(config.storage, config.data_dir, "query") as client,
        Progress(*columns, console=plain_console(stderr=True), transient=True) as shown,
    ):
        task = shown.add_task("", total=None, rows="?")
        while True:
            if found := client.reading(query_id):
                shown.update(task, completed=found.rows, total=max(found.of, found.rows, 1), rows=f"{found.of:,}")
            if done.wait(_EVERY):
                return
