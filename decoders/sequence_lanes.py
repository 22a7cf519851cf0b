"""One stream's numbering: which run of messages is in order, late, double, after a hole, or a new beginning.

docs/decisions/0007-what-counts-as-lost.md says why the rules are as they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

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
"""Units ahead, by version, from which on a number is no sign of loss but of another numbering."""

MASK = (1 << 32) - 1
_HALF = 1 << 31
_MOST_UNITS = 1 << 14
"""More records than a message holds: 65,535 octets with at least one for each, and headers; rounded down."""


class Run(NamedTuple):
    """Consecutive messages of one stream whose numbers continue; one of unknown units can only be its last.

    `first` is the place of its first message, of `messages`; `number` and `boot` are that one's, `last` and `boot_after`
    those of the last. `units` are all that are known, `largest` the most of one message; `known` is false where the last
    message's units are not.
    """

    first: int
    messages: int
    number: int
    last: int
    units: int
    largest: int
    known: bool
    boot: int
    boot_after: int


Beyond = Callable[[Run, int], int]
"""How many messages of a run begin at so many units from its start, or later, or reach beyond there."""


class Hole(NamedTuple):
    """Positions [start, end) that did not come, found when `mark` messages of the lane had, at `opened` (ms)."""

    start: int
    end: int
    mark: int
    opened: int


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
    """One exporter's numbering since it began. Positions are its numbers, counted on beyond 2**32.

    `next` is the position expected; where `known` is false it is that of a message of unknown units. What lies before
    `first` was not followed. `after` is the number that continues the message heard last, whose number is `last`.
    `messages` counts those that moved `next` on. `missing` is the size of all holes, which stand in order.
    """

    __slots__ = ("after", "boot", "first", "heard", "holes", "known", "last", "messages", "missing", "next")

    def __init__(self, number: int) -> None:
        self.first = self.next = self.after = self.last = number
        self.known = True
        self.boot = -1
        self.heard = self.messages = self.missing = 0
        self.holes: list[Hole] = []

    def near(self, number: int, distance: int, reach: int) -> bool:
        """Tell whether a message so far from `next` can be one of this numbering that came a little early or late.

        0 before or at the beginning is another beginning, unless it repeats the message heard last.
        """
        if distance > 0:
            return distance <= reach
        position = self.next + distance
        if -distance <= reach + self.missing and (number or position > self.first or not self.last):
            return True
        at = bisect_left(self.holes, (position + 1,)) - 1
        return at >= 0 and position < self.holes[at].end

    def hear(self, run: Run, distance: int, now: int, tally: Tally, beyond: Beyond) -> None:
        """Account for a run that begins `distance` from `next`."""
        start = self.next + distance
        end = start + run.units
        ahead = run.messages
        if distance < 0:
            ahead = beyond(run, -distance) if end >= self.next else 0
            self._late(start, min(end, self.next), tally)
            if not (run.known or ahead):
                self._doubt(end)
        elif distance and self.known:
            self._open(start, now, tally)
        elif distance:
            self.first = start
        if ahead:
            self.next, self.known = end, run.known
            self.messages += ahead
            while self.holes and self.messages - self.holes[0].mark > WINDOW:
                self._lose(tally)
        self.after = end & MASK if run.known else -1
        self.last, self.boot, self.heard = run.last, run.boot_after, now

    def settle(self, now: int | None, tally: Tally) -> None:
        """Holes too old at `now` are lost, or all; those from a time to come too, for then the clock was put back."""
        while self.holes and (now is None or abs(now - self.holes[0].opened) > HOLE_AGE):
            self._lose(tally)

    def _lose(self, tally: Tally) -> None:
        hole = self.holes.pop(0)
        self.missing -= hole.end - hole.start
        tally.lost += hole.end - hole.start
        tally.gaps += 1

    def _open(self, end: int, now: int, tally: Tally) -> None:
        self.holes.append(Hole(self.next, end, self.messages, now))
        self.missing += end - self.next
        if len(self.holes) > HOLES:
            self._lose(tally)

    def _late(self, start: int, end: int, tally: Tally) -> None:
        """Count [start, end), all before `next`: late where it was missing or not followed, else heard before."""
        if start >= end:
            return
        if start < self.first:
            unfollowed = min(end, self.first)
            self._fill(start, unfollowed, tally)
            tally.reordered += unfollowed - start
            start = unfollowed
        filled = self._fill(start, end, tally)
        tally.reordered += filled
        tally.duplicates += end - start - filled

    def _fill(self, start: int, end: int, tally: Tally) -> int:
        """Take [start, end) out of the holes and return how much of it was in them."""
        holes = self.holes
        if not holes or start >= end:
            return 0
        at = self._split(start, tally)
        filled = 0
        while at < len(holes) and holes[at].start < end:
            hole = holes[at]
            if hole.end > end:
                holes[at] = Hole(end, hole.end, hole.mark, hole.opened)
                filled += end - hole.start
                break
            del holes[at]
            filled += hole.end - hole.start
        self.missing -= filled
        return filled

    def _split(self, position: int, tally: Tally) -> int:
        """Return the index of the first hole that begins at `position` or later, parting one that reaches over it.

        The bound is kept here, whatever becomes of the second part: so it does not matter how messages form runs.
        """
        holes = self.holes
        at = bisect_left(holes, (position,))
        if at and holes[at - 1].end > position:
            hole = holes[at - 1]
            holes[at - 1] = Hole(hole.start, position, hole.mark, hole.opened)
            holes.insert(at, Hole(position, hole.end, hole.mark, hole.opened))
            if len(holes) > HOLES:
                self._lose(tally)
                at -= 1
        return at

    def _doubt(self, position: int) -> None:
        """Give up what a late message of unknown units may have filled: the rest of its hole, from `position` on."""
        at = bisect_left(self.holes, (position + 1,)) - 1
        if at < 0 or self.holes[at].end <= position:
            return
        hole = self.holes.pop(at)
        if hole.start < position:
            self.holes.insert(at, Hole(hole.start, position, hole.mark, hole.opened))
        self.missing -= hole.end - position
        self.first = max(self.first, hole.end)


class Numbering:
    """The lanes of one stream, the one heard last at the end, and the most units seen in one of its messages."""

    __slots__ = ("_far", "lanes", "largest", "shared")

    def __init__(self, version: int) -> None:
        self._far = FAR[version]
        self.lanes: list[Lane] = []
        self.largest = 1
        self.shared = False

    @property
    def unsettled(self) -> bool:
        """Whether time alone can change something: there are holes, or lanes that may be given up."""
        return len(self.lanes) > 1 or bool(self.lanes[0].holes)

    @property
    def due(self) -> int:
        """When, in ms, it is next worth to `settle`; to be asked only where something is unsettled."""
        holes = [lane.holes[0].opened + HOLE_AGE for lane in self.lanes if lane.holes]
        return min(holes + [lane.heard + LANE_AGE for lane in self.lanes[:-1]])

    def hear(self, run: Run, now: int, tally: Tally, beyond: Beyond) -> bool:
        """Account for a run; return whether with it the exporter is another run of itself."""
        lanes = self.lanes
        found = self._find(run.number, run.boot) if lanes else None
        begins = found is None
        lane, distance = found or (Lane(run.number), 0)
        if begins:
            tally.resets += len(lanes) > 0
            lanes.append(lane)
            if len(lanes) > LANES:
                lanes.pop(0).settle(None, tally)
        elif lane is not lanes[-1]:
            tally.turned |= not self.shared
            self.shared = True
            lanes.remove(lane)
            lanes.append(lane)
        if distance > 0 and not lane.known:
            self.largest = max(self.largest, min(distance, _MOST_UNITS))  # it may have taken as many
        lane.hear(run, distance, now, tally, beyond)
        self.largest = max(self.largest, run.largest)
        return begins and len(lanes) > 1

    def _find(self, number: int, boot: int) -> tuple[Lane, int] | None:
        """Return the lane that a message belongs to, and its signed distance from the position expected there.

        That is the lane it continues, else one it is near, else, as long as it is not far, the one heard last. In a
        shared stream any lane will do, and the nearest is taken.
        """
        heard = self.lanes[-1]
        reach = (WINDOW + 1) * self.largest  # a message that stands WINDOW messages late begins so far back
        near = ahead = None
        for lane in reversed(self.lanes):
            if boot >= 0 and lane.boot >= 0 and (boot - lane.boot + BOOT_STEP) & MASK > 2 * BOOT_STEP:
                continue
            distance = ((number - lane.next + _HALF) & MASK) - _HALF
            if not distance or (lane is heard and number == lane.after):
                return lane, distance
            if lane.near(number, distance, reach):
                if near is None or (self.shared and abs(distance) < abs(near[1])):
                    near = lane, distance
            elif 0 < distance <= self._far and number and (self.shared or lane is heard):
                ahead = min(ahead or (lane, distance), (lane, distance), key=lambda found: found[1])
        return near or ahead

    def settle(self, now: int | None, tally: Tally) -> None:
        """Holes too old at `now` are lost, or all; lanes not heard for long are given up, but for the last."""
        for lane in self.lanes:
            lane.settle(now, tally)
        if now is None or len(self.lanes) == 1:
            return
        gone = [lane for lane in self.lanes[:-1] if abs(now - lane.heard) > LANE_AGE]
        for lane in gone:
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
        numbering.largest, numbering.shared, lanes = saved
        for values in lanes:
            lane = Lane(0)
            for name, value in zip(Lane.__slots__, values, strict=True):
                setattr(lane, name, value)
            lane.holes = [Hole(*hole) for hole in lane.holes]
            numbering.lanes.append(lane)
        return numbering
