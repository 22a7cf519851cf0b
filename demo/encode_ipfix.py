"""IPFIX (RFC 7011): flows into messages by templates, one enterprise element and variable-length options among them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from demo.encode_records import (
    MAX_OCTETS,
    Field,
    Options,
    Template,
    TemplateExporter,
    a_set,
    icmp,
    specifiers,
)
from schema.batch import Array, Flows

_HEADER = 16
_VARIABLE = 0xFFFF
_SYSTEMATIC = 1
EXAMPLE_ENTERPRISE = 32473
"""The enterprise number kept for examples (RFC 5612); our element 1 of it is the flow's number in its export."""

_COMMON = (
    Field(1, "bytes", 8), Field(2, "packets", 4), Field(4, "proto", 1), Field(5, "tos", 1), Field(6, "tcp_flags", 2),
    Field(7, "src_port", 2), Field(11, "dst_port", 2), Field(10, "in_if", 4), Field(14, "out_if", 4),
    Field(16, "src_as", 4), Field(17, "dst_as", 4), Field(58, "src_vlan", 2), Field(61, "flow_direction", 1),
    Field(89, "forwarding_status", 1), Field(152, "flow_start", 8), Field(153, "flow_end", 8),
    Field(302, "sampler", 1), Field(1, "number", 4, EXAMPLE_ENTERPRISE),
)  # fmt: skip
TEMPLATES = {
    4: Template(256, (Field(8, "src_addr", 4), Field(12, "dst_addr", 4), Field(15, "next_hop", 4),
                      Field(9, "src_mask", 1), Field(13, "dst_mask", 1), Field(32, "icmp", 2), *_COMMON)),
    6: Template(257, (Field(27, "src_addr", 16), Field(28, "dst_addr", 16), Field(62, "next_hop", 16),
                      Field(29, "src_mask", 1), Field(30, "dst_mask", 1), Field(139, "icmp", 2), *_COMMON)),
}  # fmt: skip
SYSTEM_SAMPLING, SAMPLERS, INTERFACES = 260, 261, 262
# the fields by template id; the first is the scope: observationDomainId, selectorId, ingressInterface
_OPTIONS = {
    SYSTEM_SAMPLING: (Field(149, "", 4), Field(34, "", 4), Field(35, "", 1)),
    SAMPLERS: (Field(302, "", 1), Field(304, "", 2), Field(305, "", 4), Field(306, "", 4)),
    INTERFACES: (Field(10, "", 4), Field(82, "", _VARIABLE), Field(83, "", _VARIABLE)),
}


class IpfixExporter(TemplateExporter):
    """A router that exports IPFIX as one observation domain.

    `sequence` is the number of data records sent so far, `max_octets` the bound of a message. A flow names the
    selector of `options` that has the flow's `sampling_rate`.
    """

    def __init__(
        self, domain: int, *, options: Options | None = None, sequence: int = 0, max_octets: int = MAX_OCTETS
    ) -> None:
        self._domain = domain
        self._sequence = sequence
        super().__init__(options, max_octets - _HEADER - 4, TEMPLATES)
        self._flows = 0

    def templates(self, now_ms: int) -> bytes:
        """Return one message with all templates and options templates."""
        templates = b"".join(template.record for template in TEMPLATES.values())
        options = b"".join(
            struct.pack("!HHH", template_id, len(fields), 1) + specifiers(fields)
            for template_id, fields in _OPTIONS.items()
        )
        return self._datagram(a_set(2, templates) + a_set(3, options), 0, now_ms)

    def datagrams(self, flows: Flows, now_ms: int) -> list[bytes]:
        """Return the flows as messages of one data set each, IPv4 first; ValueError where a value does not fit."""
        own: dict[str, Array] = {
            "icmp": icmp(flows),
            "sampler": self._options.sampler_ids(flows.column("sampling_rate")),
            "number": (np.arange(flows.rows) + self._flows).astype(np.uint32),
        }
        self._flows += flows.rows
        return self._flow_datagrams(flows, own, now_ms)

    def _option_records(self) -> Iterator[tuple[int, list[bytes]]]:
        options = self._options
        if options.system_rate:
            yield SYSTEM_SAMPLING, [struct.pack("!IIB", self._domain, options.system_rate, _SYSTEMATIC)]
        yield (
            SAMPLERS,
            [
                struct.pack("!BHII", number, _SYSTEMATIC, 1, rate - 1)
                for number, rate in enumerate(options.sampler_rates, 1)
            ],
        )
        yield (
            INTERFACES,
            [
                struct.pack("!I", index) + _variable(name) + _variable(description)
                for index, (name, description) in options.interfaces.items()
            ],
        )

    def _datagram(self, sets: bytes, records: int, now_ms: int) -> bytes:
        length = _HEADER + len(sets)
        header = struct.pack("!HHIII", 10, length, now_ms // 1000, self._sequence, self._domain)
        self._sequence = (self._sequence + records) % 2**32
        return header + sets


def _variable(text: str) -> bytes:
    """Return a variable-length string with its length before it (RFC 7011 section 7)."""
    octets = text.encode()
    return (bytes([len(octets)]) if len(octets) < 255 else struct.pack("!BH", 255, len(octets))) + octets
