"""What the decoders remember between blocks, and its form on disk."""

from __future__ import annotations

from collections import Counter
from typing import Any

from decoders.layout import Field, Template, compile_layout
from decoders.limits import Limits
from decoders.sampling import Samplers, Table
from decoders.sequence import Sequences
from decoders.stream import Stream
from decoders.templates import Key, Templates

FORMAT = 2


class State:
    """Templates, samplers, start times and sequence numbers of every exporter."""

    def __init__(self) -> None:
        self.templates = Templates()
        self.samplers = Samplers()
        self.sequences = Sequences()
        self.started: dict[Stream, int] = {}
        """systemInitTimeMilliseconds (IANA 160) by stream, ms since 1970."""
        self.starts: Counter[bytes] = Counter()
        self._revision = 0

    @property
    def revision(self) -> int:
        """Grows with every change that a restart must not forget (sequence numbers it may)."""
        return self.templates.revision + self.samplers.revision + self._revision

    def learn_start(self, stream: Stream, started: int, limits: Limits) -> None:
        """Keep when an exporter's uptime began, ms since 1970; for no more than `limits.starts` of its domains."""
        if stream not in self.started:
            if self.starts[stream.exporter] >= limits.starts:
                return
            self.starts[stream.exporter] += 1
        self._revision += self.started.get(stream) != started
        self.started[stream] = started

    def dump(self) -> dict[str, Any]:
        """Return all but the sequence numbers as a JSON-ready value."""
        return {
            "format": FORMAT,
            "templates": [
                [
                    *_flat(key.stream),
                    key.id,
                    layout.template.options,
                    [list(field) for field in layout.template.fields],
                ]
                for key, layout in self.templates.by_key.items()
            ],
            "plain": [[*_flat(stream), rate] for stream, rate in self.samplers.plain.items()],
            "by_sampler": [[*_flat(stream), table.items()] for stream, table in self.samplers.by_sampler.items()],
            "by_interface": [[*_flat(stream), table.items()] for stream, table in self.samplers.by_interface.items()],
            "started": [[*_flat(stream), at] for stream, at in self.started.items()],
        }

    @classmethod
    def load(cls, saved: dict[str, Any]) -> State:
        """Return the state that `dump` gave; an empty one for another format."""
        state = cls()
        if saved.get("format") != FORMAT:
            return state
        for exporter, scope, version, domain, id_, options, fields in saved["templates"]:
            key = Key(Stream(bytes.fromhex(exporter), scope, version, domain), id_)
            template = Template(tuple(Field(*field) for field in fields), bool(options))
            state.templates.keep(key, compile_layout(template))
        samplers = state.samplers
        samplers.plain = {_stream(row): row[4] for row in saved["plain"]}
        samplers.per_exporter.update(stream.exporter for stream in samplers.plain)
        for tables, kept in ((samplers.by_sampler, "by_sampler"), (samplers.by_interface, "by_interface")):
            for row in saved[kept]:
                tables[_stream(row)] = Table(row[4])
                samplers.per_exporter[_stream(row).exporter] += len(row[4])
        state.started = {_stream(row): row[4] for row in saved["started"]}
        state.starts.update(stream.exporter for stream in state.started)
        return state


def _flat(stream: Stream) -> tuple[str, int, int, int]:
    return stream.exporter.hex(), *stream[1:]


def _stream(row: list[Any]) -> Stream:
    return Stream(bytes.fromhex(row[0]), row[1], row[2], row[3])
