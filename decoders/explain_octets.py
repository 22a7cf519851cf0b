"""The lines that explain a datagram, and the cursor that gives out its octets for them: each one once, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

WIDTH = 16
"""Octets on a line, at most; a longer field goes on in lines without text."""


class Line(NamedTuple):
    """What `octets`, from `offset` in the datagram on, mean; `depth` is how deep they are nested.

    A line without octets is a heading. A text that begins with `! ` says what is wrong.
    """

    offset: int
    octets: bytes
    depth: int
    text: str


class Cursor:
    """A place in a datagram: only by its methods that yield lines does it move, and never back."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.at = 0

    def ahead(self, length: int, skip: int = 0) -> bytes:
        """Return octets ahead of the cursor: fewer than `length` at the datagram's end."""
        return self.payload[self.at + skip : self.at + skip + length]

    def peek(self, length: int, skip: int = 0) -> int:
        """Return octets ahead of the cursor as an unsigned integer."""
        return int.from_bytes(self.ahead(length, skip), "big")

    def heading(self, depth: int, text: str) -> Line:
        """Return a line about what follows."""
        return Line(self.at, b"", depth, text)

    def wrong(self, depth: int, text: str) -> Line:
        """Return a line that says what is wrong here."""
        return Line(self.at, b"", depth, f"! {text}")

    def take(self, length: int, depth: int, text: str) -> Iterator[Line]:
        """Yield the next `length` octets under `text`."""
        start, self.at = self.at, min(self.at + length, len(self.payload))
        for at in range(start, self.at, WIDTH):
            yield Line(at, self.payload[at : min(at + WIDTH, self.at)], depth, text if at == start else "")

    def field(self, length: int, depth: int, name: str, value: str) -> Iterator[Line]:
        """Yield the next `length` octets as a field and its value, empty where the octets say it all."""
        yield from self.take(length, depth, f"{name}: {value}" if value else name)

    def number(self, length: int, depth: int, name: str, meaning: str = "") -> Iterator[Line]:
        """Yield the next `length` octets as a field that is a number, followed by what it means."""
        yield from self.field(length, depth, name, f"{self.peek(length)}{meaning and ' '}{meaning}")

    def leave(self, end: int, depth: int, text: str) -> Iterator[Line]:
        """Yield all octets up to `end`, if any, as one field that is not taken apart."""
        if self.at < end:
            yield from self.take(end - self.at, depth, text)

    def give_up(self, end: int, depth: int, wrong: str) -> Iterator[Line]:
        """Say what is wrong, and yield all octets up to `end` as they are."""
        yield self.wrong(depth, wrong)
        yield from self.leave(end, depth, "not read")


def octets(count: int) -> str:
    """Return a number of octets in words."""
    return f"{count} octet" if count == 1 else f"{count} octets"
