"""Every path by which rows can be destroyed, enumerated: a new one fails here until it goes past the one guard.

Others' bug 1 (`facts/retention.md`): a hold that the age sweep honoured, and the other delete paths did not.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "abuse", "cli", "collector", "decoders", "demo", "enrichment", "intake", "ledger", "query", "retention", "rollups",
    "schema", "settings", "sources", "storage", "tenants",
)  # fmt: skip
DESTROYS = re.compile(
    r"\b(?:DROP|TRUNCATE|DETACH|DELETE FROM|ALTER DELETE|DELETE WHERE|REPLACE PARTITION|MOVE PARTITION|CLEAR COLUMN|"
    r"MODIFY TTL|MATERIALIZE TTL|REMOVE TTL|UPDATE|OPTIMIZE)\b"
)
KNOWN = {
    ("retention/apply.py", "DROP"): "retention.apply._take, past permit and permit_drop",
    ("retention/apply.py", "MOVE PARTITION"): "the same with a grace, and undo, which brings back",
    ("storage/ddl.py", "MODIFY TTL"): "modify_ttl, whose callers are enumerated too",
    ("storage/migrate.py", "DROP"): "tables of earlier versions, whose rows were carried over",
    ("storage/users.py", "ALTER DELETE"): "the grant that DROP PARTITION needs",
    ("storage/users.py", "MOVE PARTITION"): "the grant that a grace needs",
    ("storage/users.py", "MATERIALIZE TTL"): "the grant that a change of TTL needs",
    ("storage/migrate.py", "REMOVE TTL"): "of a table of held rows, to which somebody gave one",
    ("storage/users.py", "DROP"): "the grant for staging tables of copies",
    (
        "retention/held.py",
        "DROP",
    ): "staging, and what no active hold covers any more; REPLACE for what one still covers",
    ("retention/certificate.py", "DROP"): "words of the certificate",
    ("abuse/store.py", "DELETE FROM"): "closed cases in their own file, when the policy keeps them no longer",
    ("abuse/store.py", "DROP"): "a column of cases whose values were carried over to reports, in the same file",
    ("abuse/store.py", "UPDATE"): "what a case is, in the same file; no flows are in it",
}
"""File and statement, and why it may be there."""


def found() -> set[tuple[str, str]]:
    """Return each file of ours with each word in its strings that destroys."""
    statements = set()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            documents = _documents(tree := ast.parse(path.read_text()))
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documents:
                    name = str(path.relative_to(ROOT))
                    statements |= {(name, word) for word in DESTROYS.findall(node.value)}
    return statements


def _documents(tree: ast.AST) -> set[ast.expr]:
    """Return the strings that are documentation: statements of nothing but a string."""
    return {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def test_every_statement_that_destroys_is_known() -> None:
    assert found() == set(KNOWN)


def test_every_caller_that_changes_an_expiry_is_known() -> None:
    callers = {
        str(path.relative_to(ROOT)): path.read_text().count("modify_ttl(")
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "modify_ttl(" in path.read_text()
    }
    assert callers == {
        "storage/ddl.py": 1,  # which makes the statement
        "retention/apply.py": 1,  # change_expiry, past permit
        "storage/migrate.py": 1,  # the daemon's own, for a schema of retention.expiry.lasting: never shorter
    }


def test_only_apply_goes_past_the_guard_and_only_once() -> None:
    """What drops a stored partition is one function, and the guard is before it."""
    text = (ROOT / "retention" / "apply.py").read_text()
    take = text[text.index("def _take(") : text.index("def _secured(")]
    assert take.index("permit_drop(step)") < take.index("hands.client.command(")
    assert text.count("_drop(table, step)") == 1
    apply = text[text.index("def apply(") : text.index("def _take(")]
    assert apply.index("permit(plan") < apply.index("change_expiry(change") < apply.index("_take(step")
