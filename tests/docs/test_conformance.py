"""docs/conformance.md has every row of the checklist, and the tests it names exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = [line for line in (ROOT / "docs" / "conformance.md").read_text().splitlines() if line.startswith("| ")]
ROWS = {cells[0]: cells for line in LINES if (cells := [cell.strip() for cell in line.strip("|").split(" | ")])}
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
CHECKLIST = [
    *(f"F{number}" for number in range(1, 7)),
    *(f"V5-{number}" for number in range(1, 9)),
    *(f"V9-{number}" for number in range(1, 11)),
    *(f"O-{number}" for number in range(1, 7)),
    *(f"I-{number}" for number in range(1, 15)),
    *(f"S-{number}" for number in range(1, 12)),
    *("1.6 NSEL", "1.6 NAT", "1.6 MPLS", "1.6 sections", "1.6 status", "1.8", "1.9", "4.2"),
]


@cache
def functions(path: Path) -> set[str]:
    """The names of a file's test functions."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("row", CHECKLIST)
def test_the_row_is_there_and_its_tests_exist(row: str) -> None:
    *_, rule, source, tests = ROWS[row]
    assert rule
    assert source or row == "4.2"
    named = TEST.findall(tests)
    assert named, f"{row} names no test"
    for file, name in named:
        assert name in functions(ROOT / "tests" / file), f"{row}: there is no {file}::{name}"


def test_no_row_is_there_that_nobody_checks() -> None:
    assert set(ROWS) - {"row", "---"} == set(CHECKLIST)
