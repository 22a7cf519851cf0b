"""YAML files into typed values, with errors that name file, line and the nearest valid key.

`${NAME}` and `${NAME:-default}` in values are taken from the environment that the caller passes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from settings.errors import ConfigError
from settings.explain import Lines, explain

Model = TypeVar("Model", bound="Section")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_TAG = "tag:yaml.org,2002:"


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
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text ({error.reason}); save it as UTF-8") from None


def load_yaml(
    path: Path, model: type[Model], environ: Mapping[str, str], context: Mapping[str, Any] = MappingProxyType({})
) -> Model:
    """Read `path` and return it as `model`; ConfigError lists every fault, one a line, each with its line number.

    Validators find in their context what is given as `context`, and as `line_of` the `settings.explain.Lines` of the
    file.
    """
    text = read_text(path)
    try:
        root = yaml.compose(text, Loader=_Loader)
        if not isinstance(root, yaml.MappingNode):
            raise ConfigError(f"{path}:1: expected keys and values, as in the files under configs/")
        _prepare(path, root, environ)
        values = _construct(root)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{path}:{_describe(error, text)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{path}:{line}: not valid YAML: the character U+{int(error.character):04X}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    try:
        return model.model_validate(values, context={**context, "line_of": Lines(root)})
    except ValidationError as error:
        faults = sorted((explain(root, model, fault) for fault in error.errors()), key=lambda fault: fault[0])
        raise ConfigError("\n".join(f"{path}:{line}: {words}" for line, words in faults)) from None


class _Loader(yaml.SafeLoader):
    """Scalars as in YAML 1.2, where `no` and `1:50` are text; so is a date, which the model reads, with its line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError):  # what an explicit tag on the wrong text raises
            kind = node.tag.removeprefix(_TAG)
            raise yaml.MarkedYAMLError(problem=f"no {kind}", problem_mark=node.start_mark) from None


_Loader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,18})", list("-+0123456789")),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


def _construct(root: yaml.Node) -> Any:
    loader = _Loader("")
    try:
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _describe(error: yaml.MarkedYAMLError, text: str) -> str:
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    words = f"{line}: not valid YAML: {error.problem or error}"
    if error.context and error.context_mark and error.context_mark.line + 1 != line:
        words += f", {error.context} that begins in line {error.context_mark.line + 1}"
    if "${" in "".join(text.splitlines()[line - 1 : line]):
        words += "; inside {} or [] a ${NAME} stands in quotes"
    return words


def _prepare(path: Path, node: yaml.Node, environ: Mapping[str, str]) -> None:
    """Below `node`, in place: keys are text and given once (YAML lets the last win), variables are replaced."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _prepare(path, item, environ)
    elif isinstance(node, yaml.ScalarNode) and "${" in node.value:
        _expand(path, node, environ)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"{path}:{line}: a list or a mapping cannot be a key")
        if key.value in seen:
            raise ConfigError(f"{path}:{line}: '{key.value}' is given twice (first in line {seen[key.value]})")
        seen[key.value] = line
        if key.tag != _TAG + "merge":
            key.tag = _TAG + "str"
        _prepare(path, value, environ)


def _expand(path: Path, node: yaml.ScalarNode, environ: Mapping[str, str]) -> None:
    """Replace `${NAME}` in a scalar, which is text from then on: a password of digits is no number."""

    def replace(match: re.Match[str]) -> str:
        name, default = match.groups()
        value = environ.get(name) or default
        if value is None:
            state = "is empty" if name in environ else "is not set"
            raise ConfigError(
                f"{path}:{node.start_mark.line + 1}: the environment variable {name} {state}; export it, or write "
                f"${{{name}:-a default}}"
            )
        return str(value)

    node.value = _VARIABLE.sub(replace, node.value)
    node.tag = _TAG + "str"
