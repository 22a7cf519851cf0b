"""A plan by its fingerprint: what it would do as a value that is kept, so that a later look says what has changed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from retention.owned_file import replace_file
from retention.plan import SUMMED, Plan, Step
from settings.errors import ConfigError, RefusalError

_FINGERPRINT = re.compile(r"[0-9a-f]{12}")
_KEPT = 50
"""Plans that are kept; who wants to apply an older one has to look again."""


def value(plan: Plan, policy: str) -> dict[str, Any]:
    """Return what the plan would do, as JSON values; `policy` is the fingerprint of the policy behind it.

    Octets are not among it: they change as ClickHouse merges. Nor are rows of tables whose rows merges add up.
    """
    return {
        "policy": policy,
        "drop": [_drop(step) for step in plan.steps],
        "expiry": [
            {
                "table": step.table,
                "found": dict(step.found),
                "wanted": dict(step.wanted),
                "sooner": list(step.shortened),
            }
            for step in plan.expiry
        ],
        "destroy": [_drop(step) for step in plan.destroy],
    }


def _drop(step: Step) -> dict[str, Any]:
    partition = step.partition
    rows = {} if partition.table in SUMMED else {"rows": partition.rows}
    return {
        "table": partition.table,
        "class": partition.retention_class,
        "day": partition.day.isoformat(),
        "due": step.due.isoformat(),
        **rows,
        **({"holds": list(step.holds), "held": step.held} if step.holds else {}),
    }


def fingerprint(would: Mapping[str, Any]) -> str:
    """Return 12 hex digits of the SHA-256 over what a plan would do."""
    text = json.dumps(would, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def save(directory: Path, would: Mapping[str, Any], now: datetime) -> str:
    """Keep a plan in `directory` and return its fingerprint; the oldest go."""
    name = fingerprint(would)
    replace_file(directory / f"{name}.json", json.dumps({"made": now.isoformat(), **would}))
    for old in sorted(directory.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        old.unlink(missing_ok=True)
    return name


def load(directory: Path, name: str) -> dict[str, Any]:
    """Return the plan kept under a fingerprint; ConfigError for what is none, RefusalError where there is none."""
    if not _FINGERPRINT.fullmatch(name):
        raise ConfigError(f"'{name}' is no fingerprint: it has 12 digits and letters a to f, as `plan` prints it")
    try:
        kept = json.loads((directory / f"{name}.json").read_text())
    except (FileNotFoundError, ValueError):
        raise RefusalError(f"no plan {name} is kept here; make one with `flowkeep retention plan`") from None
    return {part: kept[part] for part in ("policy", "drop", "expiry", "destroy")}


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return in words what has changed from one plan to another; nothing if they would do the same."""
    return list(_difference(old, new))


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old["policy"] != new["policy"]:
        yield f"the policy is {new['policy']}, and was {old['policy']}"
    for part, verb in (("drop", "dropped"), ("destroy", "destroyed")):
        before, after = ({(one["table"], one["class"], one["day"]): one for one in of[part]} for of in (old, new))
        for key in sorted(before.keys() | after.keys(), key=lambda key: (key[2], key)):
            what = f"day {key[2]} of {key[1]} in {key[0]}"
            if key not in after:
                yield f"{what} is no longer to be {verb}: it is gone, or not due any more"
            elif key not in before:
                yield f"{what} is to be {verb} now, and was not: {after[key].get('rows', 'its')} rows"
            else:
                yield from _changed(what, before[key], after[key])
    yield from _expiry_difference(old, new)


def _changed(what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name, said in (("rows", "{} rows"), ("due", "due {}"), ("holds", "under holds {}"), ("held", "{} rows held")):
        if before.get(name) != after.get(name):
            words = [said.format(_words(one.get(name))) for one in (after, before)]
            yield f"{what} has now {words[0]}, and had {words[1]}"


def _words(one: Any) -> str:
    return ", ".join(one) if isinstance(one, list) else "none" if one is None else str(one)


def _expiry_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, after = ({one["table"]: one for one in of["expiry"]} for of in (old, new))
    for table in sorted(before.keys() | after.keys()):
        if table not in after:
            yield f"the expiry of {table} is as the policy wants it, and was not"
        elif table not in before:
            yield f"the expiry of {table} is to change, and was as the policy wanted it"
        elif before[table] != after[table]:
            yield f"the expiry of {table} is to change otherwise than it was"
