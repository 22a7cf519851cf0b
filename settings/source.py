"""YAML files into typed values, with errors that name file, line and the nearest valid key.

`${NAME}` and `${NAME:-default}` in string values are taken from the environment that the caller passes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from settings.errors import ConfigError

Model = TypeVar("Model", bound="Section")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class Section(BaseModel):
    """Base of every configuration model: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_text(path: Path) -> str:
    """Return the file's text; ConfigError where it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (octet {error.start})") from None


def load_yaml(path: Path, model: type[Model], environ: Mapping[str, str]) -> Model:
    """Read `path` and return it as `model`; ConfigError lists every fault, one a line, each with its line number."""
    text = read_text(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem or error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}:1: expected keys and values, as in the files under configs/")
    _expand(path, root, environ)
    try:
        return model.model_validate(_Unique.construct(path, root))
    except ValidationError as error:
        raise ConfigError("\n".join(_describe(path, root, model, fault) for fault in error.errors())) from None


class _Unique(yaml.SafeLoader):
    """A loader that refuses a key given twice, which YAML would let the last one win."""

    @classmethod
    def construct(cls, path: Path, root: yaml.Node) -> Any:
        loader = cls("")
        try:
            _refuse_twins(path, root)
            return loader.construct_document(root)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ConfigError(f"{path}:{line}: {error.problem or error}") from None
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from None
        finally:
            loader.dispose()


def _refuse_twins(path: Path, node: yaml.Node) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_twins(path, item)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.value in seen:
            raise ConfigError(f"{path}:{line}: '{key.value}' is given twice (first in line {seen[key.value]})")
        seen[str(key.value)] = line
        _refuse_twins(path, value)


def _expand(path: Path, node: yaml.Node, environ: Mapping[str, str]) -> None:
    """Replace `${NAME}` in every scalar below `node`, in place."""
    if isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            _expand(path, value, environ)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _expand(path, value, environ)
    elif isinstance(node, yaml.ScalarNode) and "${" in node.value:

        def replace(match: re.Match[str]) -> str:
            name, default = match.groups()
            value = environ.get(name) or default
            if value is None:
                line = node.start_mark.line + 1
                raise ConfigError(
                    f"{path}:{line}: the environment variable {name} is not set; export it, or write "
                    f"${{{name}:-a default}}"
                )
            return str(value)

        node.value = _VARIABLE.sub(replace, node.value)
        resolver: Any = yaml.SafeLoader("")
        node.tag = resolver.resolve(yaml.ScalarNode, node.value, (True, False))


def _describe(path: Path, root: yaml.Node, model: type[BaseModel], fault: Any) -> str:
    location: tuple[str | int, ...] = fault["loc"]
    line, found = _line(root, location)
    where = ".".join(str(part) for part in location[:found])
    last = str(location[-1]) if location else ""
    if fault["type"] == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        near = difflib.get_close_matches(last, known, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
        return f"{path}:{line}: unknown key '{last}'; {hint}"
    if fault["type"] == "missing":
        return f"{path}:{line}: the key '{last}' is missing" + (f" in '{where}'" if where else "")
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{path}:{line}: {where}: {message[:1].lower()}{message[1:]}"


def _line(node: yaml.Node, location: tuple[str | int, ...]) -> tuple[int, int]:
    """Return the line of the deepest node on `location`, and how many of its parts were found."""
    line = node.start_mark.line + 1
    for depth, part in enumerate(location):
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if str(key.value) == str(part):
                    child, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            child = node.value[part]
            line = child.start_mark.line + 1
        if child is None:
            return line, depth
        node = child
    return line, len(location)


def _keys_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Return the keys that are valid at `location` below `model`, following nested models, lists and mappings."""
    candidates: list[Any] = [model]
    for part in location:
        found: list[Any] = []
        for candidate in candidates:
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                field = candidate.model_fields.get(str(part))
                found += _models_in(field.annotation) if field else []
            else:
                found.append(candidate)
        candidates = found or candidates
    keys: list[str] = []
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            keys += candidate.model_fields
    return keys


def _models_in(annotation: Any) -> list[Any]:
    """Return the model classes inside an annotation such as `dict[str, Model]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)]
