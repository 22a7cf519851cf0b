"""The embedded node's own process: `python -m storage.node_boot NODE_DIR PARENT_PID`, started by `storage.embedded`.

It ties its life to its parent's, confines itself, and turns into a ClickHouse server until it is told to stop.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import suppress
from pathlib import Path

from settings.parent import die_with
from storage import confine

_READABLE = [
    "/usr",
    "/lib",
    "/lib64",
    "/sys",
    "/proc/self",
    "/proc/sys",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/stat",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/vmstat",
    "/dev/urandom",
    "/dev/random",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/etc/ld.so.cache",
]

_NICE = 5
"""The collector's receiver goes first: what it does not take in time is lost."""

# The last statement holds the session open for 31 years; its plan never materialises more than one row.
_STATEMENTS = (
    "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; "
    "SELECT count() FROM numbers(1000000000) WHERE NOT ignore(sleepEachRow(1)) "
    "SETTINGS max_block_size = 1, max_threads = 1 FORMAT Null"
)


def main() -> None:
    """Serve until SIGTERM; a start that fails prints why to stderr and exits with 1."""
    node_dir, parent = Path(sys.argv[1]), int(sys.argv[2])
    die_with(parent)
    with suppress(OSError):  # where a filter of system calls does not allow it
        os.nice(_NICE)
    if confine.available():
        engine = importlib.util.find_spec("chdb")
        packages = [Path(place).parent for place in (engine and engine.submodule_search_locations) or ()]
        here = [Path(__file__).parent, Path(sys.prefix), Path(sys.base_prefix)]
        confine.confine([*packages, *here, *map(Path, _READABLE)], [node_dir, Path("/dev/null")])
    os.chdir("/")  # importing chdb connects once, and would read a config.xml in the working directory
    import chdb._chdb

    os.chdir(node_dir)
    try:
        # TabSeparated becomes the server's default output format, which clickhouse-connect expects.
        trouble = chdb._chdb.query(_STATEMENTS, "TabSeparated", path=str(node_dir / "data")).error_message()
    except RuntimeError as error:
        trouble = str(error)
    print(trouble, flush=True)
    sys.exit(trouble.partition(", Stack trace")[0].strip().replace("\n", " "))  # the log's last line says it in short


if __name__ == "__main__":
    main()
