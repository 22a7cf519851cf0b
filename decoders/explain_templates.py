"""Explains template sets, specifier by specifier, and learns what they define for the data that follows.

RFC 3954 sections 5.2 and 6.1, RFC 7011 section 3.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from decoders.elements import SCOPE_ENTERPRISE
from decoders.explain_octets import Cursor, Line, octets
from decoders.explain_values import Clock
from decoders.layout import VARIABLE, Field, Template
from decoders.limits import Limits
from decoders.registry import name_of

Known = dict[tuple[int, int, int], Template]
"""Templates by version, observation domain or source id, and template id."""

_MOST_FIELDS = Limits().fields


class Message(NamedTuple):
    """What a message's header says to its sets, and the templates known so far."""

    version: int
    domain: int
    clock: Clock
    known: Known

    def template(self, id_: int) -> Template | None:
        """Return the template that records of `id_` are read by."""
        return self.known.get((self.version, self.domain, id_))


def explain_templates(cursor: Cursor, stop: int, depth: int, message: Message, options: bool) -> Iterator[Line]:
    """Explain the definitions in the body of a template set that ends at `stop`."""
    while stop - cursor.at >= 4:
        id_, count = cursor.peek(2), cursor.peek(2, 2)
        if message.version == 10 and count == 0 and id_ > 0:
            yield cursor.heading(depth, f"withdrawal of template {id_}: ignored over UDP (RFC 7011 section 8.4)")
            yield from cursor.number(2, depth + 1, "template id")
            yield from cursor.number(2, depth + 1, "field count")
        elif (id_, count) == (0, 0) or (options and stop - cursor.at < 6):
            break
        else:
            yield from _definition(cursor, stop, depth, message, options)
    yield from cursor.leave(stop, depth, "padding")


def _definition(cursor: Cursor, stop: int, depth: int, message: Message, options: bool) -> Iterator[Line]:
    id_, count = cursor.peek(2), cursor.peek(2, 2)
    scopes, uneven = 0, False
    if options and message.version == 9:
        both = (count, cursor.peek(2, 4))
        scopes, count, uneven = both[0] // 4, sum(length // 4 for length in both), any(length % 4 for length in both)
    elif options:
        scopes = cursor.peek(2, 4)
    yield cursor.heading(depth, f"{'options template' if options else 'template'} {id_}, {count} fields")
    yield from cursor.number(2, depth + 1, "template id")
    for name, unit in _heads(message.version, options):
        yield from cursor.number(2, depth + 1, name, unit)
    if uneven:
        yield cursor.wrong(depth + 1, "a specifier has 4 octets, and these lengths are no multiple of it")
    fields: list[Field] = []
    while len(fields) < count:
        whole = 8 if _names_enterprise(cursor, message.version) else 4
        if stop - cursor.at < whole:
            wrong = f"the set ends after {len(fields)} of the template's {count} fields: the template is not learnt"
            yield from cursor.give_up(stop, depth + 1, wrong)
            return
        field = _specifier(cursor, message.version, len(fields) < scopes)
        role = "scope field" if len(fields) < scopes else "field"
        yield from cursor.field(whole, depth + 1, f"{role} {len(fields)}", described(field))
        fields.append(field)
    yield from _learn(cursor, depth + 1, message, id_, Template(tuple(fields), options), scopes)


def _heads(version: int, options: bool) -> tuple[tuple[str, str], ...]:
    """Return the names and units of the 16-bit words between a template's id and its first specifier."""
    if not options:
        return (("field count", ""),)
    if version == 9:
        return (("option scope length", "octets"), ("option length", "octets"))
    return (("field count", ""), ("scope field count", ""))


def _names_enterprise(cursor: Cursor, version: int) -> bool:
    return version == 10 and bool(cursor.peek(2) & 0x8000)


def _specifier(cursor: Cursor, version: int, scope: bool) -> Field:
    id_, length = cursor.peek(2), cursor.peek(2, 2)
    if version == 9:
        return Field(SCOPE_ENTERPRISE if scope else 0, id_, length)
    return Field(cursor.peek(4, 4) if id_ & 0x8000 else 0, id_ & 0x7FFF, length)


def described(field: Field) -> str:
    """Return a field specifier in words."""
    where = f", enterprise {field.enterprise}" if field.enterprise > 0 else ""
    length = "variable length" if field.length == VARIABLE else octets(field.length)
    return f"{name_of(field.enterprise, field.id)} ({field.id}{where}), {length}"


def _learn(cursor: Cursor, depth: int, message: Message, id_: int, template: Template, scopes: int) -> Iterator[Line]:
    """Keep a template that the decoders would keep, or say why they would not."""
    count = len(template.fields)
    if id_ < 256:
        yield cursor.wrong(depth, f"template id {id_} is below 256: the template is not learnt")
    elif not count:
        yield cursor.wrong(depth, "no fields: the template is not learnt")
    elif count > _MOST_FIELDS:
        yield cursor.wrong(depth, f"{count} fields are more than {_MOST_FIELDS}: the template is not learnt")
    elif scopes > count:
        yield cursor.wrong(depth, f"{scopes} scope fields are more than the {count} fields: the template is not learnt")
    else:
        key = (message.version, message.domain, id_)
        if message.known.get(key, template) != template:
            yield cursor.heading(depth, f"takes the place of another template {id_}")
        message.known[key] = template
