"""Moves the clock of a Python process while it runs, by the seconds in the file that FLOWKEEP_MOVED_CLOCK names.

Python imports this by itself where the folder is in PYTHONPATH. libfaketime, which moves any program's clock, fails the
sleeping of ours (clock_nanosleep, 0.9.10), or moves the monotonic clock too, which no step of a real clock does.
"""

import mmap
import os
import time

_PATH = os.environ.get("FLOWKEEP_MOVED_CLOCK")
if _PATH:
    with open(_PATH, "rb") as _file:
        _seconds = memoryview(mmap.mmap(_file.fileno(), 8, prot=mmap.PROT_READ)).cast("q")
    _time, _time_ns = time.time, time.time_ns
    time.time = lambda: _time() + _seconds[0]
    time.time_ns = lambda: _time_ns() + _seconds[0] * 10**9
