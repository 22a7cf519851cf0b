"""What the published notice names, and the register of stored columns that follows from it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from schema.disclosure import CATEGORIES, FLOWS, NAMES, NEEDED, REGISTER, Disclosure
from schema.tables import STORED_TABLES

PASTE = f"[{', '.join(CATEGORIES)}]"
"""The list of all disclosure categories, as a policy has it."""

HINT = f"take from this list what your notice names: disclosed: {PASTE}"

_OF_TABLE = {table.name: table.category.value for table in STORED_TABLES}


def _notice(value: Any) -> Any:
    """Return the sentence of each category, empty where the file has none: from a list of names or from a mapping."""
    if isinstance(value, dict):
        faults = [_fault(name, words) for name, text in value.items() if (words := _unfit(name, text))]
        notice = value
    elif isinstance(value, list):
        names = [str(name) for name in value]
        faults = [_fault(at, _unknown(name)) for at, name in enumerate(names) if name not in CATEGORIES]
        faults += [_fault(at, f"'{name}' is given twice") for at, name in enumerate(names) if name in names[:at]]
        notice = dict.fromkeys(names, "")
    else:
        raise ValueError(f"expected a list of disclosure categories; {HINT}")
    if faults:  # raised as pydantic's own, so that each has its line
        raise ValidationError.from_exception_data("disclosed", faults)
    return notice


def _unfit(name: str, text: object) -> str:
    if name not in CATEGORIES:
        return _unknown(name)
    return "" if isinstance(text, str) and text.strip() else "expected the sentence of your notice, as text"


def _fault(at: str | int, words: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("disclosed", "{words}", {"words": words}), loc=(at,), input=None)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, CATEGORIES, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"they are {PASTE}"
    return f"there is no disclosure category '{name}'; {hint}"


Notice = Annotated[dict[str, str], BeforeValidator(_notice)]


def lacking(disclosed: Collection[str], named: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with a policy that discloses some categories and keeps the `named` ones beside flows.

    Without flows nothing works; of a category one table at least must be possible.
    """
    missing = NEEDED[FLOWS] - set(disclosed)
    if missing:
        yield f"no flow can be kept without the {_listed(missing)}: flows are partitioned and sorted by them"
    for category in named:
        tables = [table for table, of in _OF_TABLE.items() if of == category]
        lacks = [NEEDED[table] - missing - set(disclosed) for table in tables]
        if all(lacks):
            yield (
                f"no rows of 'categories.{category}' can be kept without the {_listed(min(lacks, key=len))}: they are "
                f"partitioned and sorted by them; add them, or take 'categories.{category}' out"
            )


def _listed(categories: Collection[str]) -> str:
    return f"{'category' if len(categories) == 1 else 'categories'} {' and '.join(sorted(categories))}"


@dataclass(frozen=True, slots=True)
class Registered:
    """A column of the register: whether it is stored, and if not, why."""

    table: str
    column: str
    category: str
    stored: bool
    reason: str
    doc: str


def register(disclosed: Collection[str], named: Collection[str]) -> list[Registered]:
    """Return every column that could be stored, for a policy with these categories, of disclosure and beside flows."""
    disclosure = Disclosure(disclosed)
    found = []
    for one in REGISTER:
        reason = _reason(one.table, one.category, disclosure, named)
        found.append(Registered(one.table, one.name, one.category, not reason, reason, one.doc))
    return found


def _reason(table: str, category: str, disclosure: Disclosure, named: Collection[str]) -> str:
    """Return why a column is not stored; empty if it is."""
    if table not in (FLOWS, NAMES) and _OF_TABLE[table] not in named:
        return f"the policy keeps no {_OF_TABLE[table]}"
    if category not in disclosure.categories:
        return f"{category} is not disclosed"
    if not disclosure.stores(table):
        return f"{table} needs the {_listed(NEEDED[table] - disclosure.categories)}, not disclosed"
    return ""
