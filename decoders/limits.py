"""Bounds on what senders can make the decoders keep, and on the work that one datagram can ask for."""

from __future__ import annotations

from dataclasses import dataclass

_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds.

    `fields` is per template, `name_length` in octets. Per exporter address are `templates`, `specifiers` (the fields of
    all its templates), `samplers` (sampling rates by sampler, interface, template or domain), `starts` (observation
    domains whose start time is known) and `waiting_octets` (data sets kept until their template comes). For all
    exporters together are `streams` (and as many data sources of sFlow), `connections` (of firewalls), and those that
    begin with `all_`.

    `template_lifetime` and `waiting_time` are ms: a template that is not sent again for so long is forgotten (UDP only,
    RFC 7011 section 8.4), and a data set waits no longer. `lifetime_of_late` is for how long a redefined template still
    serves data exported before.

    A datagram of n octets is decoded by at most `layouts + n / octets_per_layout` templates, and tells at most
    `layouts + n / octets_per_name` names.

    `inner` bounds nothing: it says that of a packet inside another the inner addresses are the flow's, not the outer.
    """

    fields: int = 1024
    templates: int = 4096
    all_templates: int = 65_536
    specifiers: int = 131_072
    all_specifiers: int = 524_288
    samplers: int = 16_384
    starts: int = 4096
    streams: int = 65_536
    connections: int = 131_072
    name_length: int = 256
    waiting_octets: int = 2**20
    all_waiting_octets: int = 2**24
    template_lifetime: int = 120 * _MINUTE
    waiting_time: int = 30 * _MINUTE
    lifetime_of_late: int = _MINUTE
    layouts: int = 12
    octets_per_layout: int = 512
    octets_per_name: int = 16
    inner: bool = False
