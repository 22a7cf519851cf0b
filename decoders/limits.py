"""Bounds on what senders can make the decoders keep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds: `fields` is per template, `name_length` in octets, `streams` for all exporters together.

    Per exporter address are `templates`, `specifiers` (the fields of all its templates), `samplers` (sampling rates by
    sampler, interface or domain) and `starts` (observation domains whose start time is known).
    """

    fields: int = 1024
    templates: int = 4096
    specifiers: int = 131_072
    samplers: int = 16_384
    starts: int = 4096
    streams: int = 65_536
    name_length: int = 256
