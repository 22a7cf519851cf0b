"""Explains data records by their template, and the lists inside them (RFC 6313) as deep as they go, within bounds."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from decoders.explain_octets import Cursor, Line, octets
from decoders.explain_templates import Message, described
from decoders.explain_values import value_text
from decoders.layout import VARIABLE, Field, Template
from decoders.registry import DataType, name_of, type_of

_DEEPEST = 4
_MOST_ELEMENTS = 1000
_SEMANTICS = {0: "noneOf", 1: "exactlyOneOf", 2: "oneOrMoreOf", 3: "allOf", 4: "ordered", 255: "undefined"}


def explain_records(
    cursor: Cursor, stop: int, depth: int, message: Message, template: Template, lists: int = 0
) -> Iterator[Line]:
    """Explain the records of `template` up to `stop`; `lists` is how many lists they lie in.

    Fields of no length are left out, so that no template makes more lines than the records have octets.
    """
    fields = [field for field in template.fields if field.length]
    shortest = sum(1 if field.length == VARIABLE else field.length for field in fields)
    if not shortest:
        yield from cursor.give_up(stop, depth, "the template's records have no octets: none is read")
        return
    left_out = len(template.fields) - len(fields)
    more = f", without {left_out} of its fields, which have no length" if left_out else ""
    number = 0
    while stop - cursor.at >= shortest and (number < _MOST_ELEMENTS or not lists):
        number += 1
        yield cursor.heading(depth, f"{'options record' if template.options else 'record'} {number}{more}")
        for field in fields:
            whole = yield from _field(cursor, stop, depth + 1, message, field, lists)
            if not whole:
                return
    left = stop - cursor.at
    if left >= shortest:
        yield from cursor.give_up(stop, depth, f"more than {_MOST_ELEMENTS} records in a list: {octets(left)} are left")
    elif left and not number:
        yield from cursor.give_up(stop, depth, f"a record has {octets(shortest)} or more, and {left} are there")
    yield from cursor.leave(stop, depth, "padding")


def _field(
    cursor: Cursor, stop: int, depth: int, message: Message, field: Field, lists: int
) -> Generator[Line, None, bool]:
    """Explain one field, with the length before it if that is variable; False where it does not fit before `stop`."""
    name, length = name_of(field.enterprise, field.id), field.length
    if length == VARIABLE:
        prefix = 3 if cursor.peek(1) == 0xFF else 1
        if prefix > stop - cursor.at:
            yield from _out_of_bounds(cursor, stop, depth, f"the length of {name}", prefix, lists)
            return False
        length = cursor.peek(2, 1) if prefix == 3 else cursor.peek(1)
        yield from cursor.field(prefix, depth, f"length of {name}", octets(length))
    if length > stop - cursor.at:
        yield from _out_of_bounds(cursor, stop, depth, name, length, lists)
        return False
    if not length:
        return True
    explain_list = _LISTS.get(type_of(field.enterprise, field.id))
    if explain_list is None:
        value = value_text(field.enterprise, field.id, cursor.ahead(length), message.clock)
        if value.startswith("! "):
            yield cursor.wrong(depth, f"{name}: {value[2:]}")
            value = ""
        yield from cursor.field(length, depth, name, value)
        return True
    end = cursor.at + length
    yield cursor.heading(depth, f"{name}, {octets(length)}")
    if lists == _DEEPEST:
        yield from cursor.give_up(end, depth + 1, f"lists are taken apart only {_DEEPEST} deep")
    else:
        yield from explain_list(cursor, end, depth + 1, message, lists + 1)
    return True


def _out_of_bounds(cursor: Cursor, stop: int, depth: int, name: str, length: int, lists: int) -> Iterator[Line]:
    holder = "list" if lists else "set"
    wrong = f"{name} has {octets(length)}, and the {holder} {stop - cursor.at} more"
    yield from cursor.give_up(stop, depth, f"{wrong}: the rest of the {holder} is not read")


def _basic_list(cursor: Cursor, end: int, depth: int, message: Message, lists: int) -> Iterator[Line]:
    """Explain a basicList: one element, many values (RFC 6313 section 4.5.1)."""
    head = 9 if cursor.peek(1, 1) & 0x80 else 5
    if end - cursor.at < head:
        yield from cursor.give_up(end, depth, f"{octets(end - cursor.at)} are too few for a basicList")
        return
    field = Field(cursor.peek(4, 5) if head == 9 else 0, cursor.peek(2, 1) & 0x7FFF, cursor.peek(2, 3))
    yield from _semantic(cursor, depth)
    yield from cursor.field(head - 1, depth, "elements", described(field))
    number = 0
    while cursor.at < end and field.length and number < _MOST_ELEMENTS:
        number += 1
        whole = yield from _field(cursor, end, depth, message, field, lists)
        if not whole:
            return
    if cursor.at < end:
        why = f"there are more than {_MOST_ELEMENTS} elements" if field.length else "the elements have no length"
        yield from cursor.give_up(end, depth, f"{why}: {octets(end - cursor.at)} are left")


def _sub_template_list(cursor: Cursor, end: int, depth: int, message: Message, lists: int) -> Iterator[Line]:
    """Explain a subTemplateList: many records of one template (RFC 6313 section 4.5.2)."""
    if end - cursor.at < 3:
        yield from cursor.give_up(end, depth, f"{octets(end - cursor.at)} are too few for a subTemplateList")
        return
    yield from _semantic(cursor, depth)
    id_ = cursor.peek(2)
    yield from cursor.number(2, depth, "template id")
    yield from _records_of(cursor, end, depth, message, id_, lists)


def _sub_template_multi_list(cursor: Cursor, end: int, depth: int, message: Message, lists: int) -> Iterator[Line]:
    """Explain a subTemplateMultiList: records of several templates, each with a length (RFC 6313 section 4.5.3)."""
    yield from _semantic(cursor, depth)
    while end - cursor.at >= 4:
        id_, length = cursor.peek(2), cursor.peek(2, 2)
        stop = cursor.at + length
        yield from cursor.number(2, depth, "template id")
        yield from cursor.number(2, depth, "length", "octets, with these four")
        if not cursor.at <= stop <= end:
            why = "is below 4" if stop < cursor.at else f"is {octets(stop - end)} more than the list has left"
            yield from cursor.give_up(end, depth, f"the length {length} {why}: the rest of the list is not read")
            return
        yield from _records_of(cursor, stop, depth + 1, message, id_, lists)
    yield from cursor.leave(end, depth, "padding")


def _records_of(cursor: Cursor, stop: int, depth: int, message: Message, id_: int, lists: int) -> Iterator[Line]:
    template = message.template(id_)
    if template is None:
        yield from cursor.give_up(stop, depth, f"template {id_} is not known")
    else:
        yield from explain_records(cursor, stop, depth, message, template, lists)


def _semantic(cursor: Cursor, depth: int) -> Iterator[Line]:
    yield from cursor.number(1, depth, "semantic", _SEMANTICS.get(cursor.peek(1), "unassigned"))


_LISTS = {
    DataType.BASIC_LIST: _basic_list,
    DataType.SUB_TEMPLATE_LIST: _sub_template_list,
    DataType.SUB_TEMPLATE_MULTI_LIST: _sub_template_multi_list,
}
