"""Templates of NetFlow v9 and IPFIX: parsed from template sets, kept by (exporter, version, domain, id).

A data set is bound to the template in force where it stands: templates that arrive inside a block count from their own
position on.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from decoders.elements import SCOPE_ENTERPRISE
from decoders.faults import Fault
from decoders.layout import Field, Layout, Template, compile_layout
from decoders.limits import Limits
from decoders.stream import Stream

_WORDS = struct.Struct(">HH")


class Key(NamedTuple):
    """What a template belongs to (RFC 3954 section 9, RFC 7011 section 8.4)."""

    stream: Stream
    id: int


TEMPLATE_SETS = {(9, 0): False, (9, 1): True, (10, 2): False, (10, 3): True}
"""(version, set id) of the sets that hold templates -> whether they are options templates."""


class Templates:
    """The layouts of the templates in force; `revision` grows with every change of a definition."""

    def __init__(self) -> None:
        self.by_key: dict[Key, Layout] = {}
        self.per_exporter: Counter[bytes] = Counter()
        self.specifiers: Counter[bytes] = Counter()
        self.revision = 0

    def keep(self, key: Key, layout: Layout) -> None:
        """Put a layout in force, in the place of another of the same key."""
        self.drop(key)
        self.by_key[key] = layout
        self.per_exporter[key.stream.exporter] += 1
        self.specifiers[key.stream.exporter] += len(layout.template.fields)

    def drop(self, key: Key) -> None:
        """Forget the layout of `key`, if there is one."""
        layout = self.by_key.pop(key, None)
        if layout is not None:
            self.per_exporter[key.stream.exporter] -= 1
            self.specifiers[key.stream.exporter] -= len(layout.template.fields)

    def learn(self, key: Key, template: Template, limits: Limits) -> Fault | None:
        """Keep `template`, replacing another of the same key; return a fault where the exporter has too many.

        Another of the same key is gone even then: the exporter no longer sends by it.
        """
        known = self.by_key.get(key)
        if known is not None and known.template == template:
            return None
        self.drop(key)
        self.revision += known is not None
        specifiers = self.specifiers[key.stream.exporter] + len(template.fields)
        if self.per_exporter[key.stream.exporter] >= limits.templates or specifiers > limits.specifiers:
            return Fault.TEMPLATE_LIMIT
        self.keep(key, compile_layout(template))
        self.revision += 1
        return None


def parse(body: bytes, version: int, options: bool, limits: Limits) -> Iterator[tuple[int, Template] | Fault]:
    """Yield (template id, template) for each definition in a template set's body, and a fault where it ends badly.

    Withdrawals (no fields) are skipped: over UDP they must be ignored (RFC 7011 section 8.4). An options template's
    header counts octets in NetFlow v9 (RFC 3954 section 6.1) and fields in IPFIX (RFC 7011 section 3.4.2.2).
    """
    at, end = 0, len(body)
    header = 6 if options else 4
    while end - at >= header:
        id_, count = _WORDS.unpack_from(body, at)
        if id_ == 0 and count == 0:
            return  # padding
        scopes = 0
        if options and version == 9:
            scopes, others = count // 4, _WORDS.unpack_from(body, at + 2)[1] // 4
            count = scopes + others
        elif options and count:
            scopes = _WORDS.unpack_from(body, at + 2)[1]
        elif options:
            at += 4  # an IPFIX options withdrawal has no scope count
            continue
        fields, at = _fields(body, at + header, count, version, scopes)
        if len(fields) < count or (count and id_ < 256) or count > limits.fields or scopes > count:
            yield Fault.TEMPLATE_MALFORMED
            if len(fields) < count:
                return
        elif count:
            yield id_, Template(tuple(fields), options)


def _fields(body: bytes, at: int, count: int, version: int, scopes: int) -> tuple[list[Field], int]:
    """Read up to `count` field specifiers from `at`; return those that are whole, and where they end."""
    fields: list[Field] = []
    end = len(body)
    while len(fields) < count and end - at >= 4:
        id_, length = _WORDS.unpack_from(body, at)
        at += 4
        enterprise = 0
        if version == 9 and len(fields) < scopes:
            enterprise = SCOPE_ENTERPRISE
        elif version == 10 and id_ & 0x8000:
            if end - at < 4:
                break
            enterprise = int.from_bytes(body[at : at + 4], "big")
            id_ &= 0x7FFF
            at += 4
        fields.append(Field(enterprise, id_, length))
    return fields, at
