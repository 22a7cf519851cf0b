"""Bugs 2 and 3 that others had (`facts/retention.md`): a setting that nothing reads, a dry run unlike the real one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from retention.apply import Hands
from retention.classes import Categories
from retention.guard import Allowance
from retention.plan import make_plan
from retention.policy import Policy
from retention.runs import Files, Run, run
from retention.saved_plan import value
from retention.stored import look
from schema.tables import Category
from settings.config import Config, Passwords
from settings.source import Section
from storage.client import Client
from storage.embedded import Node
from storage.users import ROLES
from tests.retention.test_paths import PACKAGES, ROOT
from tests.retention.test_purge import store

NOW = datetime.now(UTC)
BY_NAME = {Categories, Passwords}
"""Sections whose settings are read by name, each of `Category` and of `ROLES`."""


def sections(of: type[Section]) -> Iterator[type[Section]]:
    """Yield all kinds of section."""
    for kind in of.__subclasses__():
        yield kind
        yield from sections(kind)


def names_read() -> set[str]:
    """Return every name that some module of ours reads as an attribute of something."""
    return {
        node.attr
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


def test_each_setting_of_policy_and_configuration_is_read_somewhere() -> None:
    kinds = set(sections(Section))
    assert {Policy, Config} <= kinds
    settings = {f"{kind.__name__}.{name}" for kind in kinds - BY_NAME for name in kind.model_fields}
    assert set(Passwords.model_fields) == set(ROLES)
    assert set(Categories.model_fields) <= {category.value for category in Category} | {"ledger", "logs", "cases"}
    read = names_read()
    assert {setting for setting in settings if setting.partition(".")[2] not in read} == set()


def stored(client: Client) -> dict[tuple[str, str, str], int]:
    """Return the rows of each partition."""
    found = look(client, (), NOW).partitions
    return {(each.table, each.retention_class, each.day.isoformat()): each.rows for each in found}


def test_what_goes_is_what_the_plan_said(enforced: Node, policy: Policy, tmp_path: Path) -> None:
    with enforced.connect("admin") as admin:
        admin.command("SYSTEM STOP TTL MERGES flows")  # which would be first, as the purge is late by days
    store(enforced, 30, 15, 16, 17)
    store(enforced, 40, 1, 60)
    this = Run("r1", policy.edition, "p1", frozenset(Allowance))
    with enforced.connect("retention") as client:
        plan = make_plan(look(client, (), NOW), policy, NOW)
        said = {(each["table"], each["class"], each["day"]): each["rows"] for each in value(plan, "")["drop"]}
        before = stored(client)
        _, certified = run(plan, policy, Hands(client, lambda: NOW), Files(tmp_path), this)
        after = stored(client)
    assert len(said) > 3
    assert {key: rows for key, rows in before.items() if key not in after} == said
    assert {key: rows for key, rows in before.items() if key in after} == after
    assert {(each["table"], each["class"], each["day"]): each["rows"] for each in certified["scope"]} == said
