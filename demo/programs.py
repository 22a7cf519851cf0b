"""Real exporters over a capture: softflowd, and pmacctd with its NetFlow/IPFIX and sFlow probes, where installed.

Each reads the whole file, sends every flow in it, and ends by itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from settings.errors import RefusalError

NetFlowVersion = Literal[5, 9, 10]
_SYSTEM_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"  # where distributions put them and where users' PATH often ends short
_PLUGIN_LEFT = "no more plugins active. Shutting down."
_PACKAGES = {"softflowd": "softflowd", "pmacctd": "pmacct"}


class Run(NamedTuple):
    """How a program ended: its exit status (negative: ended by that signal, at the time limit) and what it printed."""

    status: int
    log: str


def find(program: str) -> Path | None:
    """Return where a program is, None where it is not installed."""
    found = shutil.which(program) or shutil.which(program, path=_SYSTEM_PATHS)
    return Path(found) if found else None


def softflowd(capture: Path, host: str, port: int, version: NetFlowVersion, *, limit: float = 30.0) -> Run:
    """Export the flows of `capture` as NetFlow v5, v9 or IPFIX (10) to host and port; it takes milliseconds.

    Version 5 leaves out IPv6. More than 8192 flows are sent oldest first, not at the end.
    """
    options = ["-r", str(capture), "-n", f"{host}:{port}", "-v", str(version), "-d"]
    # 1.1.0 reading a file waits for ever in accept() on its control socket, unless it has none.
    options += ["-c", "none"]
    # Without -a the uptime in the header is 0 and every flow lies before boot.
    options += ["-a"]
    if version == 10:
        # Otherwise flow times are relative to a systemInitTimeMilliseconds that only an options record tells.
        options += ["-A", "milli"]
    return _run("softflowd", options, limit)


def nfprobe(
    capture: Path, host: str, port: int, version: NetFlowVersion, *, source_id: int = 0, limit: float = 30.0
) -> Run:
    """Export the flows of `capture` by pmacctd's nfprobe as NetFlow v5, v9 or IPFIX (10); it takes 4 seconds.

    Version 5 leaves out IPv6 and takes no `source_id`, which is the v9 source id or the observation domain.
    """
    settings = {
        "plugins": "nfprobe[probe]",
        "nfprobe_receiver": f"{host}:{port}",
        "nfprobe_version": str(version),
        "aggregate": "src_host, dst_host, src_port, dst_port, proto, tos",
    }
    if version != 5:
        settings["nfprobe_engine"] = str(source_id)
    return _pmacctd(capture, settings, limit)


def sfprobe(
    capture: Path, host: str, port: int, *, agent: str = "127.0.0.1", sampling_rate: int = 1, limit: float = 30.0
) -> Run:
    """Export samples of the packets in `capture` by pmacctd's sfprobe as sFlow v5; it takes 4 seconds.

    At `sampling_rate` 1 every packet is a sample; otherwise pmacctd chooses at random. For captures of some megabytes
    at most: it takes 16 times the memory, and sends all at once, which overruns a small receive buffer.
    """
    buffer = 8 * capture.stat().st_size + 65536
    settings = {
        "plugins": "sfprobe[probe]",
        "sfprobe_receiver": f"{host}:{port}",
        "sfprobe_agentip": agent,
        "sampling_rate": str(sampling_rate),
        # sfprobe sends its last, partly filled datagram only where a second passes before it has read all there is:
        # one buffer for the whole file (8 times its size holds it with pmacct's headers) makes sure of that.
        "plugin_buffer_size": str(buffer),
        "plugin_pipe_size": str(2 * buffer),
    }
    return _pmacctd(capture, settings, limit)


def _pmacctd(capture: Path, settings: Mapping[str, str], limit: float) -> Run:
    # pmacctd sleeps 2 s before it reads a file and 2 s before it ends; nfprobe sends everything at the end.
    lines = {"daemonize": "false", "pcap_savefile": str(capture.resolve()), **settings}
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "pmacctd.conf"
        config.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
        run = _run("pmacctd", ["-f", str(config)], limit)
    # At the end of the file plugin and core leave at once. Where the core sees the plugin leave first, it calls that an
    # end with status 1, though everything was sent; a plugin that failed has said ERROR.
    if run.status == 1 and _PLUGIN_LEFT in run.log and "ERROR" not in run.log:
        return run._replace(status=0)
    return run


def _run(program: str, options: list[str], limit: float) -> Run:
    """Run to the end, or for `limit` seconds; RefusalError where the program is not installed."""
    path = find(program)
    if path is None:
        raise RefusalError(f"{program} is not installed: apt-get install {_PACKAGES[program]}")
    command = [str(path), *options]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            log, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its own session: pmacctd's plugins are processes too
            log, _ = process.communicate()
        return Run(process.returncode, log)
