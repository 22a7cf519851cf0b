"""NetFlow v9 (RFC 3954): flows into datagrams by templates, with options that tell sampling and interface names."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from demo.encode_records import (
    MAX_OCTETS,
    Field,
    Options,
    Template,
    TemplateExporter,
    a_set,
    port_or_icmp,
    specifiers,
    uptime,
)
from schema.batch import Array, Flows

_HEADER = 20
_SYSTEM, _INTERFACE = 1, 2
_NAME, _DESCRIPTION = 32, 64
_SYSTEMATIC, _RANDOM = 1, 2

_COMMON = (
    Field(1, "bytes", 8), Field(2, "packets", 4), Field(4, "proto", 1), Field(5, "tos", 1), Field(6, "tcp_flags", 1),
    Field(7, "src_port", 2), Field(11, "dst_port", 2), Field(10, "in_if", 4), Field(14, "out_if", 4),
    Field(16, "src_as", 4), Field(17, "dst_as", 4), Field(21, "last", 4), Field(22, "first", 4),
    Field(48, "sampler", 1), Field(61, "flow_direction", 1),
)  # fmt: skip
TEMPLATES = {
    4: Template(256, (Field(8, "src_addr", 4), Field(12, "dst_addr", 4), Field(15, "next_hop", 4),
                      Field(9, "src_mask", 1), Field(13, "dst_mask", 1), *_COMMON)),
    6: Template(257, (Field(27, "src_addr", 16), Field(28, "dst_addr", 16), Field(62, "next_hop", 16),
                      Field(29, "src_mask", 1), Field(30, "dst_mask", 1), *_COMMON)),
}  # fmt: skip
SYSTEM_SAMPLING, SAMPLERS, INTERFACES = 260, 261, 262
# (scope fields, option fields) by template id; a scope field's element is one of RFC 3954's scope types
_OPTIONS = {
    SYSTEM_SAMPLING: ((Field(_SYSTEM, "", 4),), (Field(34, "", 4), Field(35, "", 1))),
    SAMPLERS: ((Field(_SYSTEM, "", 4),), (Field(48, "", 1), Field(49, "", 1), Field(50, "", 4))),
    INTERFACES: ((Field(_INTERFACE, "", 4),), (Field(82, "", _NAME), Field(83, "", _DESCRIPTION))),
}


class NetFlow9Exporter(TemplateExporter):
    """A router that exports NetFlow v9 as one source id.

    `boot_ms` is when it booted, `sequence` the number of export packets sent so far, `max_octets` the bound of a
    datagram. A flow names the sampler of `options` that has the flow's `sampling_rate`. Interface names are cut at 32
    octets, descriptions at 64.
    """

    def __init__(
        self,
        source_id: int,
        boot_ms: int,
        *,
        options: Options | None = None,
        sequence: int = 0,
        max_octets: int = MAX_OCTETS,
    ) -> None:
        self._source_id = source_id
        self._boot_ms = boot_ms
        self._sequence = sequence
        super().__init__(options, max_octets - _HEADER - 4, TEMPLATES)

    def templates(self, now_ms: int) -> bytes:
        """Return one datagram with all templates and options templates."""
        templates = b"".join(template.record for template in TEMPLATES.values())
        options = b"".join(_options_template(template_id) for template_id in _OPTIONS)
        return self._datagram(a_set(0, templates) + a_set(1, options), len(TEMPLATES) + len(_OPTIONS), now_ms)

    def datagrams(self, flows: Flows, now_ms: int) -> list[bytes]:
        """Return the flows as datagrams of one data set each, IPv4 first; ValueError where a value does not fit."""
        own: dict[str, Array] = {
            "first": uptime(flows.column("flow_start"), self._boot_ms),
            "last": uptime(flows.column("flow_end"), self._boot_ms),
            "dst_port": port_or_icmp(flows),
            "sampler": self._options.sampler_ids(flows.column("sampling_rate")),
        }
        return self._flow_datagrams(flows, own, now_ms)

    def _option_records(self) -> Iterator[tuple[int, list[bytes]]]:
        options = self._options
        if options.system_rate:
            yield SYSTEM_SAMPLING, [struct.pack("!IIB", 0, options.system_rate, _SYSTEMATIC)]
        yield (
            SAMPLERS,
            [struct.pack("!IBBI", 0, number, _RANDOM, rate) for number, rate in enumerate(options.sampler_rates, 1)],
        )
        yield (
            INTERFACES,
            [
                struct.pack(f"!I{_NAME}s{_DESCRIPTION}s", index, name.encode(), description.encode())
                for index, (name, description) in options.interfaces.items()
            ],
        )

    def _datagram(self, sets: bytes, records: int, now_ms: int) -> bytes:
        # The header's time has no milliseconds: uptime is that of the same whole second, or flow times would be off.
        seconds = now_ms // 1000
        sys_uptime = (seconds * 1000 - self._boot_ms) % 2**32
        header = struct.pack("!HHIIII", 9, records, sys_uptime, seconds, self._sequence, self._source_id)
        self._sequence = (self._sequence + 1) % 2**32
        return header + sets


def _options_template(template_id: int) -> bytes:
    """Return the options template record: unlike IPFIX, the two lengths count octets of field specifiers."""
    scope, options = (specifiers(fields) for fields in _OPTIONS[template_id])
    return struct.pack("!HHH", template_id, len(scope), len(options)) + scope + options
