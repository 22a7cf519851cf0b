"""The templates in force, by stream and template id: bounded, expiring, the one used longest ago the first to go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from decoders.layout import Layout, Template, compile_layout
from decoders.limits import Limits
from decoders.stream import Stream

_SWEEP = 60_000


class Key(NamedTuple):
    """What a template belongs to (RFC 3954 section 9, RFC 7011 section 8.4)."""

    stream: Stream
    id: int


@dataclass(slots=True)
class Known:
    """A template as it was defined: `exported` is the export time of the message that defined it, `seen` when it was
    last received, `used` when data came for it; ms since 1970."""

    template: Template
    exported: int
    seen: int
    used: int = 0
    compiled: Layout | None = None

    @property
    def layout(self) -> Layout:
        """How its records are read; compiled when data first asks for it, since most templates of a flood never do."""
        if self.compiled is None:
            self.compiled = compile_layout(self.template)
        return self.compiled


class _Order:
    """Keys in the order in which they go; those that no data used stand apart, so that a flood drowns itself."""

    def __init__(self) -> None:
        self.fresh: dict[Key, None] = {}
        self.used: dict[Key, None] = {}

    def __len__(self) -> int:
        return len(self.fresh) + len(self.used)

    def __iter__(self) -> Iterator[Key]:
        return chain(self.fresh, self.used)

    def use(self, key: Key) -> None:
        """Put a key last."""
        self.remove(key)
        self.used[key] = None

    def remove(self, key: Key) -> None:
        """Take a key out."""
        (self.fresh if key in self.fresh else self.used).pop(key, None)

    def first_to_go(self) -> Key:
        """Return the key used longest ago, or where many were never used, the oldest of these."""
        return next(iter(self.fresh if len(self.fresh) * 4 > len(self) or not self.used else self.used))


class Templates:
    """`by_key` holds the templates in force; `revision` grows with every change of a definition."""

    def __init__(self) -> None:
        self.by_key: dict[Key, Known] = {}
        self.late: dict[Key, tuple[Known, int]] = {}
        """What was redefined lately, and when (time received): it still serves data that was exported before."""
        self.specifiers: Counter[bytes] = Counter()
        self.revision = 0
        self._specifiers = 0
        self._order = _Order()
        self._of: dict[bytes, _Order] = {}
        self._streams: dict[Stream, dict[int, None]] = {}
        self._swept = 0

    def keep(self, key: Key, known: Known) -> None:
        """Put a template in force, in the place of another of the same key."""
        if key in self.by_key:
            self.drop(key)
        self.by_key[key] = known
        for order in (self._order, self._of.setdefault(key.stream.exporter, _Order())):
            order.fresh[key] = None
        self._streams.setdefault(key.stream, {})[key.id] = None
        self.specifiers[key.stream.exporter] += len(known.template.fields)
        self._specifiers += len(known.template.fields)
        self.revision += 1

    def drop(self, key: Key) -> None:
        """Forget the template of `key`, if there is one."""
        known = self.by_key.pop(key, None)
        if known is None:
            return
        order = self._of[key.stream.exporter]
        order.remove(key)
        self._order.remove(key)
        ids = self._streams[key.stream]
        del ids[key.id]
        if not ids:
            del self._streams[key.stream]
        self.specifiers[key.stream.exporter] -= len(known.template.fields)
        self._specifiers -= len(known.template.fields)
        if not order:
            del self._of[key.stream.exporter], self.specifiers[key.stream.exporter]
        self.revision += 1

    def use(self, key: Key) -> None:
        """Say that data came for the template of `key`: it is now the last to go."""
        self._order.use(key)
        self._of[key.stream.exporter].use(key)

    def make_room(self, exporter: bytes, limits: Limits) -> int:
        """Forget templates until those of `exporter`, and all, are within bounds; return how many went.

        An exporter that floods loses its own, and those in use stay.
        """
        gone = 0
        own = self._of.get(exporter, _Order())
        while len(own) > limits.templates or self.specifiers[exporter] > limits.specifiers:
            self.drop(own.first_to_go())
            gone += 1
        while len(self.by_key) > limits.all_templates or self._specifiers > limits.all_specifiers:
            self.drop(self._order.first_to_go())
            gone += 1
        return gone

    def of(self, stream: Stream) -> list[Key]:
        """Return the keys of a stream's templates."""
        return [Key(stream, id_) for id_ in self._streams.get(stream, ())]

    def serve_late(self, key: Key, known: Known, now: int, limits: Limits) -> None:
        """Keep for a while a template that was redefined at `now`."""
        self.late.pop(key, None)
        while len(self.late) >= limits.templates:
            del self.late[next(iter(self.late))]
        self.late[key] = known, now

    def of_session(self, exporter: bytes, scope: int) -> list[Key]:
        """Return the keys of a transport session's templates."""
        return [key for key in self._of.get(exporter, ()) if key.stream.scope == scope]

    def forget_session(self, exporter: bytes, scope: int) -> None:
        """Forget what belongs to a transport session that has ended."""
        for key in self.of_session(exporter, scope):
            self.drop(key)

    def sweep(self, now: int, limits: Limits) -> None:
        """Forget, once a minute, what was not sent again for its lifetime, and what was redefined long ago."""
        if 0 <= now - self._swept < _SWEEP:
            return
        self._swept = now
        for key in [key for key, known in self.by_key.items() if is_expired(key, known, now, limits)]:
            self.drop(key)
        self.late = {
            key: (known, since) for key, (known, since) in self.late.items() if now - since < limits.lifetime_of_late
        }

    def oldest(self) -> dict[bytes, int]:
        """Return, by exporter, when the template was received that was not sent again for longest; ms since 1970.

        Templates of TCP sessions, which are sent once, do not count.
        """
        found: dict[bytes, int] = {}
        for key, known in self.by_key.items():
            if not key.stream.is_tcp:
                exporter = key.stream.exporter
                found[exporter] = min(known.seen, found.get(exporter, known.seen))
        return found

    def __iter__(self) -> Iterator[tuple[Key, Known]]:
        return iter(self.by_key.items())


def is_expired(key: Key, known: Known, now: int, limits: Limits) -> bool:
    """Return whether a template was not sent again for its lifetime; those of TCP sessions last as long as these."""
    return not key.stream.is_tcp and now - known.seen > limits.template_lifetime
