"""Policy cases as folders: a policy and a state of the database in, a plan as text and as a value out.

`python -m tests.retention.golden_cases` writes the outcomes anew; read what has changed before you keep it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from cli.plan_text import plan_lines
from retention.expiry import Expiry
from retention.guard import permit
from retention.plan import Database, Plan, make_plan
from retention.policy import Policy, load_policy
from retention.saved_plan import fingerprint, value
from settings.errors import RefusalError
from storage.observe import Partition

CASES = Path(__file__).parent / "goldens"


@dataclass(frozen=True)
class Covered:
    """What holds cover of a partition."""

    holds: tuple[str, ...]
    rows: int
    copied: bool


@dataclass(frozen=True)
class Case:
    """A folder, and what a plan of it comes to."""

    path: Path

    @property
    def text(self) -> str:
        """The plan as people read it."""
        policy, made = self._made()
        name = fingerprint(value(made, policy.edition))
        return "\n".join(plan_lines(made, self._tenants(made), policy, name, _refused(made, policy))) + "\n"

    @property
    def value(self) -> dict[str, Any]:
        """The plan as a value."""
        policy, made = self._made()
        return value(made, policy.edition)

    def _made(self) -> tuple[Policy, Plan]:
        policy = load_policy(self.path / "policy.yaml", {})
        state = self._state()
        stored = tuple(_partition(one) for one in state["partitions"])
        expiry = {table: Expiry(days) for table, days in state.get("expiry", {}).items()}
        covers = {
            (table, name, date.fromisoformat(day)): Covered(tuple(held["holds"]), held["rows"], held["copied"])
            for key, held in state.get("held", {}).items()
            for table, name, day in [key.split("/")]
        }
        return policy, make_plan(Database(stored, expiry, covers), policy, datetime.fromisoformat(state["now"]))

    def _tenants(self, made: Plan) -> dict[Partition, list[tuple[str, int]]]:
        named = self._state().get("tenants", {})
        return {
            step.partition: list(named[key].items())
            for step in made.steps
            if (key := f"{step.partition.table}/{step.partition.retention_class}/{step.partition.day}") in named
        }

    def _state(self) -> dict[str, Any]:
        return dict(yaml.safe_load((self.path / "state.yaml").read_text()))


def _partition(line: str) -> Partition:
    """Return a partition of a line such as `flows/basic/2026-11-01 1000 20000`: rows, octets."""
    key, rows, size = line.split()
    table, name, day = key.split("/")
    return Partition("id", name, date.fromisoformat(day), int(rows), int(size), None, None, table=table)


def _refused(made: Plan, policy: Policy) -> str | None:
    try:
        permit(made, policy, made.now)
    except RefusalError as refusal:
        return str(refusal)
    return None


def cases() -> Iterator[Case]:
    """Yield every case."""
    yield from (Case(path) for path in sorted(CASES.iterdir()) if path.is_dir())


if __name__ == "__main__":
    for case in cases():
        (case.path / "plan.txt").write_text(case.text)
        (case.path / "plan.json").write_text(json.dumps(case.value, indent=1) + "\n")
