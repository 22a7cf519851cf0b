"""What pydantic finds wrong with a file, in words that a person mends it by: line, key, and what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

Location = Sequence[str | int]

_KEYS = "expected keys and values"
_EXPECTED = {
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "date_from_datetime_inexact": "expected a day, such as 2027-06-30",
    "date_from_datetime_parsing": "expected a day, such as 2027-06-30",
    "date_type": "expected a day, such as 2027-06-30",
    "dict_type": _KEYS,
    "float_parsing": "expected a number",
    "float_type": "expected a number",
    "int_from_float": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_parsing_size": "expected a smaller number",
    "int_type": "expected a whole number",
    "list_type": "expected a list",
    "model_attributes_type": _KEYS,
    "model_type": _KEYS,
    "string_type": "expected text; put it in quotes",
    "too_short": "expected at least one",
    "string_too_short": "expected some text",
}
_OURS = {
    "Input should be": "expected",
    "greater than or equal to": "at least",
    "greater than": "more than",
    "less than or equal to": "at most",
}


class Lines:
    """Where in a file something stands: called with the keys and indexes that lead to it."""

    def __init__(self, root: yaml.Node) -> None:
        self._root = root

    def __call__(self, *location: str | int) -> int | None:
        """Return its line, counted from 1; None where the file does not have it."""
        line, _, names = _find(self._root, location)
        return line if len(names) == len(location) else None


def explain(root: yaml.Node, model: type[BaseModel], fault: Any) -> tuple[int, str]:
    """Return the line and the words of one of pydantic's faults with the file that `root` stands for."""
    location: Location = fault["loc"]
    line, node, names = _find(root, location)
    last = str(location[-1]) if location else ""
    inside = f" in '{'.'.join(names)}'" if names else ""
    kind = fault["type"]
    if kind == "extra_forbidden":
        return line, f"unknown key '{last}'{_nearest(last, _keys_at(model, location[:-1]))}"
    if kind == "missing":
        return line, f"the key '{last}' is missing{inside}{_wanted(model, location)}"
    if kind == "union_tag_not_found":
        return line, f"the key {fault['ctx']['discriminator']} is missing{inside}"
    if kind == "union_tag_invalid":
        context = fault["ctx"]
        line, node, names = _find(root, [*location, context["discriminator"].strip("'")])
        words = f"expected {context['expected_tags'].replace(', ', ' or ')}, not '{context['tag']}'"
    elif isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
        words = "has no value"
    else:
        message = str(fault["msg"]).removeprefix("Value error, ")
        for theirs, ours in _OURS.items():
            message = message.replace(theirs, ours)
        words = _EXPECTED.get(kind, message[:1].lower() + message[1:])
    return line, f"{'.'.join(names)}: {words}" if names else words


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    return f"; did you mean '{near[0]}'?" if near else f"; known here: {', '.join(known)}"


def _wanted(model: type[BaseModel], location: Location) -> str:
    """Return what a field's description says that a person is to write, if it has one."""
    fields = (field for one in _models_at(model, location[:-1]) for field in _fields(one).items())
    return next((f"; {field.description}" for key, field in fields if key == location[-1] and field.description), "")


def _find(node: yaml.Node, location: Location) -> tuple[int, yaml.Node, list[str]]:
    """Return line, node and name of the deepest node on `location`, of which some parts only tell one model of many."""
    line = node.start_mark.line + 1
    names: list[str] = []
    for part in location:
        if isinstance(node, yaml.MappingNode):
            children = {key.value: (key, value) for key, value in node.value}
        elif isinstance(node, yaml.SequenceNode):
            children = {index: (value, value) for index, value in enumerate(node.value)}
        else:
            children = {}
        if part in children:
            key, node = children[part]
            line = key.start_mark.line + 1
            names.append(str(part))
    return line, node, names


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that are valid at `location` below `model`."""
    return list(dict.fromkeys(key for one in _models_at(model, location) for key in _fields(one)))


def _models_at(model: type[BaseModel], location: Location) -> list[type[BaseModel]]:
    """Return what can be at `location` below `model`, following nested models, lists and mappings."""
    candidates = [model]
    for part in location:
        fields = [_fields(one)[str(part)] for one in candidates if str(part) in _fields(one)]
        if fields:
            candidates = [found for field in fields for found in _models_in(field.annotation)]
        else:  # an index, a name of the user's, or the tag that tells one model of many
            candidates = [one for one in candidates if _has_tag(one, part)] or candidates
    return candidates


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields by the keys that files have for them."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _has_tag(model: type[BaseModel], tag: object) -> bool:
    return any(tag in get_args(field.annotation) for field in model.model_fields.values())


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the model classes inside an annotation such as `dict[str, Model]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
