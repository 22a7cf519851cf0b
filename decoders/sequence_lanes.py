"""One stream's numbering: which run of messages is in order, late, double, after a hole, or a new beginning.

docs/decisions/0007-what-counts-as-lost.md says why the rules are as they are. An attacker can make every message a run,
so runs and holes are plain tuples here: names would cost more than all the rest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WINDOW = 64
"""Messages by which one may come late; with so many more, what is missing before them is lost."""
HOLES = 64
"""Open holes of a lane; of more, the oldest are lost."""
LANES = 4
"""Exporters told apart behind one identity."""
HOLE_AGE, LANE_AGE = 10_000, 600_000
"""ms after which a hole is lost, and after which an exporter not heard behind a shared identity is gone."""
BOOT_STEP = 10_000
"""ms by which the time of boot may move from one message to the next: headers give it to the second."""
FAR = {5: 1 << 20, 9: 1 << 15, 10: 1 << 20, 105: 1 << 15}
"""Units ahead, by version, beyond which a number is no sign of loss but of another numbering."""

_USUAL_UNITS = 64
"""Records that an IPFIX message of 1,500 octets holds at most, of the usual length."""

WRAP = 1 << 32
MASK = WRAP - 1
_HALF = WRAP // 2

Run = tuple[int, int, int, int, int, int, bool, int, int]
"""Consecutive messages of one stream whose numbers continue; one of unknown units can only be its last.

(place of the first message, messages, number of the first, number of the last, all units that are known, most units of
one message, whether the last message's units are known, boot of the first, boot of the last).
"""
Hole = tuple[int, int, int, int]
"""Positions from start to before end that did not come, found after so many of the lane's messages, at ms.

(start, end, messages, ms).
"""
Beyond = Callable[[int, int, int, int], int]
"""`_Runs.beyond` of `decoders.sequence`: how many messages of a run move the numbering on."""


@dataclass(slots=True)
class Tally:
    """What became of a stream's numbers, in its unit; `turned` when the stream became shared, or ceased to be."""

    lost: int = 0
    gaps: int = 0
    reordered: int = 0
    duplicates: int = 0
    resets: int = 0
    turned: bool = False

    def __bool__(self) -> bool:
        return bool(self.resets or self.lost or self.reordered or self.duplicates or self.turned)


class Lane:
    """One exporter's numbering since it began with a run. Positions are its numbers, counted on beyond 2**32.

    `next` is the position expected; where `known` is false it is that of a message of unknown units. What lies before
    `first` was not followed. `after` is the number that continues the message heard last, whose number is `last`.
    `messages` counts those that moved `next` on. `missing` is the size of all `holes`, which stand in order.
    """

    __slots__ = ("after", "boot", "first", "heard", "holes", "known", "last", "messages", "missing", "next")

    def __init__(self, run: Run, now: int) -> None:
        _, self.messages, self.first, self.last, units, _, self.known, _, self.boot = run
        self.next = self.first + units
        self.after = self.next & MASK
        self.heard = now
        self.missing = 0
        self.holes: list[Hole] = []

    def booted(self, boot: int) -> bool:
        """Tell whether a message's boot can be that of this numbering, or one of both is not known."""
        return boot < 0 or self.boot < 0 or (boot - self.boot + BOOT_STEP) & MASK <= 2 * BOOT_STEP

    def holds(self, number: int, distance: int, reach: int) -> bool:
        """Tell whether a message that begins before `next` is of this numbering, late or once more.

        0 before or at the beginning is another beginning, unless it repeats the message heard last.
        """
        position = self.next + distance
        if -distance <= reach + self.missing and (number or position > self.first or not self.last):
            return True
        at = bisect_left(self.holes, (position + 1,)) - 1
        return at >= 0 and position < self.holes[at][1]

    def hear(self, run: Run, distance: int, now: int, tally: Tally, beyond: Beyond) -> None:
        """Account for a run that begins `distance` from `next`."""
        first, ahead, _, self.last, units, _, known, _, self.boot = run
        start = self.next + distance
        end = start + units
        if distance < 0:
            ahead = beyond(first, ahead, units, -distance) if end >= self.next else 0
            self._late(start, self.next if end > self.next else end, tally)
            if not (known or ahead):
                self._doubt(end)
        elif distance and self.known:
            self.holes.append((self.next, start, self.messages, now))
            self.missing += distance
            if len(self.holes) > HOLES:
                self._lose(tally)
        elif distance:
            self.first = start
        if ahead:
            self.next, self.known = end, known
            self.messages += ahead
            while self.holes and self.messages - self.holes[0][2] > WINDOW:
                self._lose(tally)
        self.after = end & MASK
        self.heard = now

    def settle(self, now: int | None, tally: Tally) -> None:
        """Holes too old at `now` are lost, or all; those from a time to come too, for then the clock was put back."""
        while self.holes and (now is None or abs(now - self.holes[0][3]) > HOLE_AGE):
            self._lose(tally)

    def _lose(self, tally: Tally) -> None:
        start, end, _, _ = self.holes.pop(0)
        self.missing -= end - start
        tally.lost += end - start
        tally.gaps += 1

    def _late(self, start: int, end: int, tally: Tally) -> None:
        """Count [start, end), all before `next`: late where it was missing or not followed, else heard before."""
        if start < self.first:
            followed = max(min(end, self.first), start)
            self._fill(start, followed, tally)
            tally.reordered += followed - start
            start = followed
        filled = self._fill(start, end, tally) if self.holes else 0
        tally.reordered += filled
        tally.duplicates += end - start - filled

    def _fill(self, start: int, end: int, tally: Tally) -> int:
        """Take [start, end) out of the holes and return how much of it was in them."""
        if start >= end:
            return 0
        holes, filled = self.holes, 0
        at = self._split(start, tally)
        while at < len(holes) and holes[at][0] < end:
            begin, stop, messages, opened = holes[at]
            if stop > end:
                holes[at] = (end, stop, messages, opened)
                filled += end - begin
                break
            del holes[at]
            filled += stop - begin
        self.missing -= filled
        return filled

    def _split(self, position: int, tally: Tally) -> int:
        """Return the index of the first hole that begins at `position` or later, parting one that reaches over it.

        The bound is kept here, whatever becomes of the second part: so it does not matter how messages form runs.
        """
        holes = self.holes
        at = bisect_left(holes, (position,))
        if at and holes[at - 1][1] > position:
            start, end, messages, opened = holes[at - 1]
            holes[at - 1 : at] = [(start, position, messages, opened), (position, end, messages, opened)]
            if len(holes) > HOLES:
                self._lose(tally)
                at -= 1
        return at

    def _doubt(self, position: int) -> None:
        """Give up what a late message of unknown units may have filled: the rest of its hole, from `position` on."""
        at = bisect_left(self.holes, (position + 1,)) - 1
        if at < 0 or self.holes[at][1] <= position:
            return
        start, end, messages, opened = self.holes[at]
        self.holes[at : at + 1] = [(start, position, messages, opened)] if start < position else []
        self.missing -= end - position
        self.first = max(self.first, end)


class Numbering:
    """The lanes of one stream, the one heard last at the end, and the most units seen in one of its messages."""

    __slots__ = ("_far", "_reach", "lanes", "largest", "shared")

    def __init__(self, version: int) -> None:
        self._far = FAR[version]
        self.lanes: list[Lane] = []
        self.shared = False
        self._widen(1)

    def _widen(self, largest: int) -> None:
        self.largest = largest
        self._reach = min((WINDOW + 1) * largest, self._far)  # a message WINDOW messages late begins so far back

    @property
    def unsettled(self) -> bool:
        """Whether time alone can change something: there are holes, or lanes that may be given up."""
        return len(self.lanes) > 1 or bool(self.lanes[0].holes)

    @property
    def due(self) -> int:
        """When, in ms, to `settle` next; to be asked only of what is unsettled."""
        holes = [lane.holes[0][3] + HOLE_AGE for lane in self.lanes if lane.holes]
        return min(holes + [lane.heard + LANE_AGE for lane in self.lanes[:-1]])

    def hear(self, run: Run, now: int, tally: Tally, beyond: Beyond) -> bool:
        """Account for a run; return whether with it the exporter is another run of itself."""
        lanes, largest = self.lanes, run[5]
        found = self._find(run[2], run[7]) if lanes else None
        if found is not None:
            lane, distance = found
            if lane is not lanes[-1]:
                tally.turned |= not self.shared
                self.shared = True
                lanes.remove(lane)
                lanes.append(lane)
            if distance > 0 and not lane.known:
                largest = max(largest, min(distance, _USUAL_UNITS))  # the message before may have taken as many
            lane.hear(run, distance, now, tally, beyond)
        else:
            lanes.append(Lane(run, now))
            tally.resets += len(lanes) > 1
            if len(lanes) > LANES:
                lanes.pop(0).settle(None, tally)
        if largest > self.largest:
            self._widen(largest)
        return found is None and len(lanes) > 1

    def _find(self, number: int, boot: int) -> tuple[Lane, int] | None:
        """Return the lane that a message belongs to, and its signed distance from the position expected there.

        That is the lane it continues, else one it is near, else, as long as it is not far, the one heard last. In a
        shared stream any lane will do, and the nearest is taken.
        """
        far, reach, heard = self._far, self._reach, self.lanes[-1]
        back = WRAP - reach
        if number == heard.after and heard.booted(boot):
            return heard, (number - heard.next + _HALF & MASK) - _HALF
        near: tuple[Lane, int] | None = None
        ahead: tuple[Lane, int] | None = None
        ahead_by = WRAP
        for lane in reversed(self.lanes):
            distance = number - lane.next & MASK
            if (far < distance < back and not lane.holes) or not lane.booted(boot):
                continue
            if not distance:
                return lane, 0
            signed = distance - WRAP if distance > _HALF else distance
            if near is not None and (not self.shared or abs(signed) >= abs(near[1])):
                continue
            if distance <= reach or (signed < 0 and lane.holds(number, signed, reach)):
                near = lane, signed
            elif distance <= far and number and (lane is heard or (self.shared and distance < ahead_by)):
                ahead, ahead_by = (lane, distance), distance
        return near or ahead

    def settle(self, now: int | None, tally: Tally) -> None:
        """Holes too old at `now` are lost, or all; lanes not heard for long are given up, but for the last."""
        for lane in self.lanes:
            lane.settle(now, tally)
        if now is None or len(self.lanes) == 1:
            return
        for lane in [lane for lane in self.lanes[:-1] if abs(now - lane.heard) > LANE_AGE]:
            lane.settle(None, tally)
            self.lanes.remove(lane)
        if self.shared and len(self.lanes) == 1:
            self.shared, tally.turned = False, True

    def dump(self) -> list[Any]:
        """Return a JSON-ready value."""
        return [self.largest, self.shared, [[getattr(lane, name) for name in Lane.__slots__] for lane in self.lanes]]

    @classmethod
    def load(cls, version: int, saved: list[Any]) -> Numbering:
        """Return what `dump` gave."""
        numbering = cls(version)
        largest, numbering.shared, lanes = saved
        numbering._widen(largest)
        for values in lanes:
            lane = Lane.__new__(Lane)
            for name, value in zip(Lane.__slots__, values, strict=True):
                setattr(lane, name, value)
            lane.holes = [(start, end, messages, opened) for start, end, messages, opened in lane.holes]
            numbering.lanes.append(lane)
        return numbering
