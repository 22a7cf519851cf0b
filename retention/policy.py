"""The retention policy: which classes of flows there are, how long each is kept and why, and which flow is of which.

Beside flows there are categories of rows, such as counters: each is kept as the policy says of it, or not stored.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from schema.tables import STORED_TABLES, Category
from settings.config import Name
from settings.errors import ConfigError
from settings.source import Section, load_yaml
from storage.ddl import FLOWS
from tenants.allocations import Allocations

_DAYS = re.compile(r"(\d{1,6})d")
_MAX_FAULTS = 20
_TAKEN = PydanticCustomError(
    "category_name", "this is the name of a category; name the class otherwise, or move it to 'categories'"
)

CATEGORIES: Mapping[str, Category] = {table.name: table.category for table in STORED_TABLES}
"""The category of each table that is not the flows'."""

Purpose = Literal["attack_detection", "abuse", "troubleshooting", "capacity", "legal_process", "dsr", "audit"]
LegalBasis = Literal["consent", "contract", "legal_obligation", "legitimate_interest"]


def _days(value: Any) -> int:
    match = _DAYS.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"expected whole days, such as 14d, not '{value}'; there is no 'forever'")
    return int(match[1])


def _known_class(value: str, info: ValidationInfo) -> str:
    classes = info.data.get("classes")  # absent where the classes themselves are at fault
    if classes is not None and value not in classes:
        raise ValueError(_no_such_class(value, classes))
    return value


def _no_such_class(name: str, classes: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, classes, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"the policy has {', '.join(classes)}"
    return f"there is no class '{name}'; {hint}"


Days = Annotated[int, BeforeValidator(_days)]
ClassName = Annotated[str, AfterValidator(_known_class)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]


class RetentionClass(Section):
    """How long flows of a class, or rows of a category, are kept, and what justifies it.

    Ages are whole days after the day of `time_received`.
    """

    keep_for: Days = Field(ge=1, le=3650)
    purpose: Purpose
    legal_basis: LegalBasis
    owner: Text
    justification: Text
    review: date


class Categories(Section):
    """What is kept beside flows: sFlow agents' counters, packets that they discarded, and rollups, the sums of flows.

    A category that is not named is not stored. Each is a class of its own, whichever tenant its rows are of.
    """

    counters: RetentionClass | None = None
    discards: RetentionClass | None = None
    rollups: RetentionClass | None = None


class Policy(Section):
    """The file configs/retention.yaml.

    `ttl_margin` is how many days after `keep_for` ClickHouse itself drops what no purge has dropped. Its age counts
    from each row and ours from the end of the row's day, so one day goes to the partition's width and one to the purge.
    """

    version: Literal[1]
    ttl_margin: Days = Field(ge=2, le=365)
    classes: dict[Name, RetentionClass] = Field(min_length=1)
    categories: Categories = Categories()
    default_class: ClassName
    unassigned_class: ClassName
    between_tenants: Literal["shortest", "longest"]
    tenants: dict[str, ClassName] = Field(default_factory=dict)

    @field_validator("classes")
    @classmethod
    def _are_no_categories(cls, classes: dict[str, RetentionClass]) -> dict[str, RetentionClass]:
        taken = [InitErrorDetails(type=_TAKEN, loc=(name,), input=name) for name in classes if name in set(Category)]
        if taken:  # raised as pydantic's own, so that each has its line
            raise ValidationError.from_exception_data("classes", taken)
        return classes

    @property
    def named(self) -> dict[str, RetentionClass]:
        """The categories that the policy names; what is of another is not stored."""
        found = {category.value: getattr(self.categories, category) for category in Category}
        return {category: kept for category, kept in found.items() if kept is not None}

    def kept(self, table: str, retention_class: str) -> RetentionClass | None:
        """Return what is said of rows of a class in a table; None of those that the policy does not explain."""
        if table == FLOWS:
            return self.classes.get(retention_class)
        return self.named.get(retention_class) if CATEGORIES.get(table) == retention_class else None

    def class_of(self, tenant: str, allocation_class: str | None) -> str:
        """Return the class of a tenant's flows: the policy's own word on the tenant, the allocation's, the default."""
        return self.tenants.get(tenant) or allocation_class or self.default_class

    def between(self, one: str, other: str) -> str:
        """Return the class of flows between tenants of the two classes; by name where both keep as long."""
        choose = min if self.between_tenants == "shortest" else max
        return choose(one, other, key=lambda name: (self.classes[name].keep_for, name))

    def ttl_days(self) -> dict[str, int]:
        """Return the days after which ClickHouse's own TTL ends each class."""
        return {name: kept.keep_for + self.ttl_margin for name, kept in self.classes.items()}

    def category_days(self) -> dict[str, int]:
        """Return the same of the tables of each category that the policy names."""
        return {category: kept.keep_for + self.ttl_margin for category, kept in self.named.items()}

    def check_classes(self, allocations: Allocations) -> None:
        """Raise ConfigError where allocations name a class that the policy has not, with file and line of each."""
        names = allocations.classes.names
        unknown = [bool(name) and name not in self.classes for name in names]
        if not any(unknown):
            return
        faults = [
            f"{allocations.path}:{line}: {_no_such_class(names[code], self.classes)}"
            for line, code in zip(allocations.lines.tolist(), allocations.classes.codes.tolist(), strict=True)
            if unknown[code]
        ]
        more = len(faults) - _MAX_FAULTS
        raise ConfigError(
            "\n".join(faults[:_MAX_FAULTS] + ([f"{allocations.path}: and {more} more"] if more > 0 else []))
        )


def load_policy(path: Path, environ: Mapping[str, str]) -> Policy:
    """Read the policy at `path`; ConfigError lists every fault with its line."""
    return load_yaml(path, Policy, environ)
