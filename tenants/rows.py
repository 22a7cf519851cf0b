"""The rows of an allocation file, CSV or YAML, as cells of text with their line numbers."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from settings.errors import ConfigError
from settings.source import read_text

COLUMNS = ("prefix", "tenant", "resource", "service", "region", "class", "valid_from", "valid_to")
REQUIRED = ("prefix", "tenant")


class Row(NamedTuple):
    """Cells in the order of `COLUMNS`, empty where absent; or no cells and a fault, where it has no such form."""

    line: int
    cells: Sequence[str]
    fault: str = ""


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of the file, its form told by its suffix; ConfigError where the file has no rows at all."""
    match path.suffix.lower():
        case ".csv":
            return _csv_rows(path)
        case ".yaml" | ".yml":
            return _yaml_rows(path)
    raise ConfigError(f"{path}: the name of an allocation file ends in .csv, .yaml or .yml")


def _csv_rows(path: Path) -> Iterator[Row]:
    """Yield the rows as they are read: a list of a million prefixes need not be in memory as text."""
    reader = None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(path, header)
            places = [header.index(name) if name in header else len(header) for name in COLUMNS]
            for cells in reader:
                if len(cells) == len(header):
                    cells.append("")
                    yield Row(reader.line_num, [cells[place].strip() for place in places])
                elif cells:
                    yield Row(reader.line_num, (), f"{len(cells)} cells, but the header has {len(header)}")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text: {error.reason}") from None
    except csv.Error as error:
        raise ConfigError(f"{path}:{reader.line_num if reader else 1}: not valid CSV: {error}") from None


def _check_header(path: Path, header: list[str]) -> None:
    faults = [_unknown("column", name) for name in header if name not in COLUMNS]
    faults += [f"the column '{name}' is given twice" for name in dict.fromkeys(header) if header.count(name) > 1]
    faults += [f"the column '{name}' is missing from the header" for name in REQUIRED if name not in header]
    if faults:
        raise ConfigError("\n".join(f"{path}:1: {fault}" for fault in faults))


def _unknown(what: str, name: str) -> str:
    near = difflib.get_close_matches(name, COLUMNS, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(COLUMNS)}"
    return f"unknown {what} '{name}'; {hint}"


def _yaml_rows(path: Path) -> Iterator[Row]:
    try:
        root = yaml.compose(read_text(path), Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem or error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(root, yaml.MappingNode) or [key.value for key, _ in root.value] != ["allocations"]:
        raise ConfigError(f"{path}:1: expected one key, 'allocations', and below it a list of allocations")
    for item in _items(path, root.value[0][1]):
        yield _yaml_row(item)


def _items(path: Path, node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    raise ConfigError(f"{path}:{node.start_mark.line + 1}: expected a list of allocations")


def _yaml_row(item: yaml.Node) -> Row:
    line = item.start_mark.line + 1
    if not isinstance(item, yaml.MappingNode):
        return Row(line, (), f"expected an allocation with the keys {', '.join(COLUMNS)}")
    cells: dict[str, str] = {}
    for key, value in item.value:
        name = str(key.value)
        if name not in COLUMNS:
            return Row(key.start_mark.line + 1, (), _unknown("key", name))
        if name in cells:
            return Row(key.start_mark.line + 1, (), f"the key '{name}' is given twice")
        if not isinstance(value, yaml.ScalarNode):
            return Row(key.start_mark.line + 1, (), f"'{name}' must be a single value")
        cells[name] = "" if value.tag.endswith(":null") else value.value.strip()
    missing = [f"'{name}'" for name in REQUIRED if name not in cells]
    if missing:
        return Row(line, (), f"missing: {', '.join(missing)}")
    return Row(line, [cells.get(name, "") for name in COLUMNS])
