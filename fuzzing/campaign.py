"""A campaign: worker processes, their progress, and what became of those that hung or died."""

from __future__ import annotations

import faulthandler
import gc
import multiprocessing
import resource
import sys
import time
import warnings
from multiprocessing.connection import Connection
from typing import Any

from fuzzing.tally import Tally
from fuzzing.worker import Plan, Worker

_STUCK = 300.0
"""Seconds after which a block hangs: the worker ends with a traceback, and its block is a finding."""

_MEMORY = 6 * 2**30
"""Octets of address space of a worker: what wants more fails in its block, and is a finding."""

_COLLECTED = (100_000, 20, 50)
"""Thresholds of the garbage collector: the usual ones cost a fifth of the time."""


def run(plan: Plan, report_every: float | None = None) -> tuple[Tally, list[str]]:
    """Run a campaign; return its books, and what became of workers that did not come to their end.

    `report_every` so many seconds, the progress is told on standard error.
    """
    context = multiprocessing.get_context("spawn")
    total, died, started = Tally(), [], []
    for index in range(plan.workers):
        block, done = context.Value("q", 0, lock=False), context.Value("q", 0, lock=False)
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(plan, index, block, done, theirs))
        process.start()
        theirs.close()
        started.append((process, ours, block, done))
    begun = time.monotonic()
    for index, (process, ours, block, _) in enumerate(started):
        while not ours.poll(report_every):
            inputs = sum(done.value for *_, done in started)
            print(f"{time.monotonic() - begun:.0f} s: {inputs:,} datagrams", file=sys.stderr, flush=True)
        try:
            total.add(ours.recv())
        except EOFError:
            process.join()
            died.append(f"worker {index} ended in block {block.value} of seed {plan.seed} ({process.exitcode})")
        process.join()
    return total, died


def _work(plan: Plan, index: int, block: Any, done: Any, out: Connection) -> None:
    """Be a worker process: warnings are errors here, and a block that hangs ends the process."""
    warnings.simplefilter("error")
    gc.set_threshold(*_COLLECTED)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))

    def progress(number: int, inputs: int) -> None:
        faulthandler.dump_traceback_later(_STUCK, exit=True)
        block.value, done.value = number, inputs

    out.send(Worker(plan, index).run(progress))
