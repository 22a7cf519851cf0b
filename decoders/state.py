"""What the decoders remember between blocks, and its form on disk."""

from __future__ import annotations

from collections import Counter
from typing import Any

from decoders.connections import Connections
from decoders.layout import Field, Template
from decoders.limits import Limits
from decoders.restarts import Restarts
from decoders.sampling import By, Samplers, Table
from decoders.sequence import Sequences
from decoders.sflow_sources import Sources
from decoders.stream import Stream
from decoders.templates import Key, Known, Templates
from decoders.waiting import Waiting

FORMAT = 5
_WITHOUT_SOURCES = 4
"""The format before, which had all but the data sources of sFlow."""


class State:
    """Templates, samplers, start times, sequence numbers, and what waits, of every exporter."""

    def __init__(self) -> None:
        self.templates = Templates()
        self.samplers = Samplers()
        self.sequences = Sequences()
        self.sources = Sources()
        self.restarts = Restarts()
        self.waiting = Waiting()
        self.connections = Connections()
        self.started: dict[Stream, int] = {}
        """systemInitTimeMilliseconds (IANA 160) by stream, ms since 1970."""
        self.starts: Counter[bytes] = Counter()
        self.broken: set[tuple[bytes, int]] = set()
        """TCP sessions, by exporter and scope, that broke the rules and have not ended yet."""
        self.swept = 0
        """When what has waited too long was last given up, ms."""
        self._revision = 0

    @property
    def revision(self) -> int:
        """Grows with every change that a restart must not forget."""
        return self.templates.revision + self.samplers.revision + self.waiting.revision + self._revision

    def learn_start(self, stream: Stream, started: int, limits: Limits) -> None:
        """Keep when an exporter's uptime began, ms since 1970; for no more than `limits.starts` of its domains."""
        if stream not in self.started:
            if self.starts[stream.exporter] >= limits.starts:
                return
            self.starts[stream.exporter] += 1
        self._revision += self.started.get(stream) != started
        self.started[stream] = started

    def forget(self, stream: Stream) -> None:
        """Forget what a stream told of itself: its exporter has begun anew (RFC 3954 section 7)."""
        self.samplers.forget(stream)
        self.connections.forget(stream)
        if self.started.pop(stream, None) is not None:
            self.starts[stream.exporter] -= 1
            self._revision += 1

    def end_session(self, exporter: bytes, scope: int) -> int:
        """Forget a TCP session that has ended; return how many sets still waited for templates of it."""
        self.templates.forget_session(exporter, scope)
        self.broken.discard((exporter, scope))
        mine = {stream for stream in (*self.started, *self.samplers.streams()) if stream[:2] == (exporter, scope)}
        for stream in mine:
            self.forget(stream)
        waited = {key.stream for key in self.waiting.by_key if key.stream[:2] == (exporter, scope)}
        return sum(1 for _ in self.waiting.forget(waited))

    def dump(self) -> dict[str, Any]:
        """Return all of it as a JSON-ready value."""
        return {
            "format": FORMAT,
            "templates": [
                [*key.stream.saved, key.id, known.exported, known.seen, known.template.options,
                 [list(field) for field in known.template.fields]]
                for key, known in self.templates.by_key.items()
            ],
            "late": [
                [*key.stream.saved, key.id, known.exported, known.seen, since, known.template.options,
                 [list(field) for field in known.template.fields]]
                for key, (known, since) in self.templates.late.items()
            ],
            "samplers": {
                by.value: [[*stream.saved, table.items()] for stream, table in tables.items()]
                for by, tables in self.samplers.tables.items()
            },
            "started": [[*stream.saved, at] for stream, at in self.started.items()],
            "broken": [[exporter.hex(), scope] for exporter, scope in sorted(self.broken)],
            "waiting": self.waiting.dump(),
            "connections": self.connections.dump(),
            "restarts": self.restarts.dump(),
            "sequences": self.sequences.dump(),
            "sources": self.sources.dump(),
        }  # fmt: skip

    @classmethod
    def load(cls, saved: dict[str, Any], current: bool = True) -> State:
        """Return the state that `dump` gave; an empty one for another format.

        Sequence numbers and sample pools are taken up only where `saved` is `current`: of the very place where decoding
        goes on.
        """
        state = cls()
        if saved.get("format") not in (_WITHOUT_SOURCES, FORMAT):
            return state
        for *stream, id_, exported, seen, options, fields in saved["templates"]:
            template = Template(tuple(Field(*field) for field in fields), bool(options))
            state.templates.keep(Key(Stream.load(stream), id_), Known(template, exported, seen))
        for *stream, id_, exported, seen, since, options, fields in saved["late"]:
            template = Template(tuple(Field(*field) for field in fields), bool(options))
            state.templates.late[Key(Stream.load(stream), id_)] = Known(template, exported, seen), since
        for by in By:
            for *stream, rows in saved["samplers"][by.value]:
                state.samplers.tables[by][Stream.load(stream)] = Table(rows)
                state.samplers.per_exporter[Stream.load(stream).exporter] += len(rows)
        state.started = {Stream.load(stream): at for *stream, at in saved["started"]}
        state.starts.update(stream.exporter for stream in state.started)
        state.broken = {(bytes.fromhex(exporter), scope) for exporter, scope in saved["broken"]}
        state.waiting.load(saved["waiting"])
        state.connections.load(saved["connections"])
        state.restarts.load(saved["restarts"], numbered=current)
        if current:
            state.sequences = Sequences.load(saved["sequences"])
            state.sources = Sources.load(saved.get("sources", []))
        return state
