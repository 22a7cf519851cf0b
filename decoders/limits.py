"""Bounds on what senders can make the decoders keep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds; `fields` is per template, `templates` and `samplers` are per exporter address."""

    fields: int = 1024
    templates: int = 4096
    samplers: int = 4096
    name_length: int = 256
