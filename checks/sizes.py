"""Fails where a module or a function has outgrown the house: 400 lines, 60 lines."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

MODULE, FUNCTION = 400, 60
TABLES = {"schema/columns.py", "decoders/elements.py", "decoders/registry.py"}
"""Tables of data, which may be longer."""


def oversized(path: Path) -> list[str]:
    """Return what is too long in one module."""
    text = path.read_text()
    found = []
    lines = len(text.splitlines())
    if lines > MODULE and str(path) not in TABLES:
        found.append(f"{path}: {lines} lines, more than {MODULE}: is there a second room inside?")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION:
                found.append(f"{path}:{node.lineno}: {node.name} has {length} lines, more than {FUNCTION}")
    return found


def main() -> int:
    """Check every Python file that git knows or would take."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    found = [fault for name in names if Path(name).exists() for fault in oversized(Path(name))]
    print("\n".join(found) or f"sizes: {len(names)} modules within bounds")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
