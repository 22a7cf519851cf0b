"""Inputs for which something did not hold: found alone, made smaller, kept as files, and read again."""

from __future__ import annotations

import hashlib
import json
import random
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from decoders import Limits, State, decode
from fuzzing.anatomy import kind
from fuzzing.checks import BrokenError, check, check_rendering, check_state
from fuzzing.inputs import FEW, Block, Sending, gather

SLOW = "slow"
"""The reason of what took longer than it may; other reasons are what did not hold."""

_TRIES = 400
_TRYING = 30.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What did not hold: `reason` in few words, and one sending (datagrams in hex) that shows it.

    `campaign` is the campaign's seed, `block` the block's number; `few` whether the limits are `FEW`; `lasting` is the
    saved state to begin with, where it takes one; `alone` says that the sending by itself shows it. `ratio` is how many
    times longer than allowed it took, `times` how many inputs of the campaign showed the same.
    """

    reason: str
    name: str
    campaign: int
    block: int
    time: int
    few: bool
    exporter: str
    port: int
    session: int
    entry: int
    datagrams: list[str]
    lasting: dict[str, Any] | None = None
    alone: bool = True
    ratio: float = 0.0
    times: int = 1

    @property
    def sending(self) -> Sending:
        """The datagrams as a campaign's input."""
        payloads = tuple(bytes.fromhex(datagram) for datagram in self.datagrams)
        return Sending(self.name, payloads, bytes.fromhex(self.exporter), self.port, self.session, self.entry)

    @property
    def limits(self) -> Limits:
        """The limits to decode under."""
        return FEW if self.few else Limits()

    def state(self) -> State:
        """Return the state to begin with."""
        return State() if self.lasting is None else State.load(json.loads(json.dumps(self.lasting)))

    def keep(self, folder: Path) -> Path:
        """Write the finding to a file of `folder`, whose name follows from reason and octets, and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256("".join([self.reason, *self.datagrams]).encode()).hexdigest()[:16]
        path = folder / f"{digest}.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")
        return path


def read(path: Path) -> Finding:
    """Return the finding that `keep` wrote."""
    return Finding(**json.loads(path.read_text()))


def of(reason: str, sending: Sending, block: Block, campaign: int, lasting: dict[str, Any] | None) -> Finding:
    """Return the finding that a sending of a block is."""
    return Finding(
        reason, sending.name, campaign, block.number, block.time, block.lasting,
        sending.exporter.hex(), sending.port, sending.session, sending.entry,
        [datagram.hex() for datagram in sending.datagrams], lasting,
    )  # fmt: skip


def reason_of(error: Exception) -> str:
    """Return what went wrong, and for an exception where: the same for the same cause."""
    if isinstance(error, BrokenError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/decoders/" in frame.filename or "/schema/" in frame.filename] or frames
    place = f"{'/'.join(ours[-1].filename.split('/')[-2:])}:{ours[-1].lineno}" if ours else "nowhere"
    return f"{type(error).__name__} at {place}: {str(error)[:120]}"


def broken(found: Finding) -> str | None:
    """Decode a finding's datagrams by themselves, one after another, and return the reason why something breaks."""
    state, rng = found.state(), random.Random(1)
    try:
        for datagram in found.sending.datagrams:
            block = gather([(found.sending, datagram)], found.time)
            decoded = decode(block, state, found.limits)
            check(block, decoded)
            check_rendering(decoded.flows, rng)
        check_state(state)
    except Exception as error:
        return reason_of(error)
    return None


def smaller(found: Finding) -> Finding:
    """Return the finding with the fewest datagrams and octets that half a minute of tries leave it to show with."""
    tries, until = iter(range(_TRIES)), time.monotonic() + _TRYING

    def shows(datagrams: list[bytes]) -> bool:
        next(tries)
        if time.monotonic() > until:
            raise StopIteration
        return broken(replace(found, datagrams=[one.hex() for one in datagrams])) == found.reason

    datagrams = list(found.sending.datagrams)
    try:
        for index in reversed(range(len(datagrams))):
            rest = datagrams[:index] + datagrams[index + 1 :]
            if rest and shows(rest):
                datagrams = rest
        for index in range(len(datagrams)):
            _shorten(datagrams, index, shows)
    except StopIteration:
        pass
    return replace(found, datagrams=[one.hex() for one in datagrams])


def _shorten(datagrams: list[bytes], index: int, shows: Callable[[list[bytes]], bool]) -> None:
    """Take octets out of one of the datagrams, in place: large pieces first, from its end."""
    size = len(datagrams[index]) // 2
    while size:
        at = len(datagrams[index]) - size
        while at >= 0:
            left = datagrams[index][:at] + datagrams[index][at + size :]
            for shorter in (left, left[:2] + len(left).to_bytes(2, "big") + left[4:]) if kind(left) == 10 else (left,):
                if shows([*datagrams[:index], shorter, *datagrams[index + 1 :]]):
                    datagrams[index] = shorter
                    break
            at = min(at, len(datagrams[index])) - size
        size //= 2
