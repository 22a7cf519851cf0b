"""The retention policy: which classes of flows there are, how long each is kept and why, and which flow is of which.

Beside flows there are categories of rows, such as counters: each is kept as the policy says of it, or not stored. Of
both, no column is stored that the published notice does not name.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from retention.classes import (
    MOST_DAYS,
    MOST_MARGIN,
    WRAPS,
    Categories,
    Days,
    Kept,
    Overdue,
    PurgeSettings,
    RetentionClass,
    overdue,
)
from retention.disclosed import HINT, Notice, lacking
from retention.rules import Assignment, Assignments, Chosen, LineOf, place, repeated, selected
from schema.tables import STORED_TABLES, Category
from settings.config import Name
from settings.errors import ConfigError
from settings.source import Section, load_yaml
from storage.audit import DEFAULT_DAYS
from storage.ddl import FLOWS
from tenants.allocations import Allocations

_MAX_FAULTS = 20
_DAY = timedelta(days=1)
_CASE_DAYS = 365

CATEGORIES: Mapping[str, Category] = {table.name: table.category for table in STORED_TABLES}
"""The category of each table that is not the flows'."""


def _known_class(value: str, info: ValidationInfo) -> str:
    classes = info.data.get("classes")  # absent where the classes themselves are at fault
    if classes is not None and value not in classes:
        raise ValueError(_no_such_class(value, classes))
    return value


def _no_such_class(name: str, classes: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, classes, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"the policy has {', '.join(classes)}"
    return f"there is no class '{name}'; {hint}"


def _fault(location: tuple[str | int, ...], words: str) -> InitErrorDetails:
    """Return a fault below what is validated; raised as pydantic's own, each has its line."""
    return InitErrorDetails(type=PydanticCustomError("policy", "{words}", {"words": words}), loc=location, input=None)


ClassName = Annotated[str, AfterValidator(_known_class)]


class Policy(Section):
    """The file configs/retention.yaml.

    `ttl_margin` is how many days after `keep_for` ClickHouse itself drops what no purge has dropped. Its age counts
    from each row and ours from the end of the row's day, so one day goes to the partition's width and one to the purge.
    """

    version: Literal[1]
    ttl_margin: Days = Field(ge=2, le=MOST_MARGIN)
    classes: dict[Name, RetentionClass] = Field(min_length=1)
    categories: Categories = Categories()
    notice: Notice = Field(alias="disclosed", description=HINT)
    default_class: ClassName
    unassigned_class: ClassName
    between_tenants: Literal["shortest", "longest"]
    tenants: dict[str, ClassName] = Field(default_factory=dict)
    assign: list[Assignment] = Field(default_factory=list)
    purge: PurgeSettings = PurgeSettings()

    _lines: LineOf | None = PrivateAttr(default=None)
    _assignments: Assignments | None = PrivateAttr(default=None)

    @field_validator("classes")
    @classmethod
    def _are_no_categories(cls, classes: dict[str, RetentionClass]) -> dict[str, RetentionClass]:
        words = "this is the name of a category; name the class otherwise, or move it to 'categories'"
        taken = [_fault((name,), words) for name in classes if name in Categories.model_fields]
        if taken:
            raise ValidationError.from_exception_data("classes", taken)
        return classes

    @field_validator("notice")
    @classmethod
    def _suffices(cls, notice: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        categories = info.data.get("categories") or Categories()
        faults = list(lacking(notice, _named(categories)))
        if faults:
            raise ValueError("; ".join(faults))
        return notice

    @field_validator("assign")
    @classmethod
    def _assigns_once(cls, assign: list[Assignment], info: ValidationInfo) -> list[Assignment]:
        classes = info.data.get("classes")
        faults = [
            _fault((at, "class"), _no_such_class(rule.retention_class, classes))
            for at, rule in enumerate(assign)
            if classes is not None and rule.retention_class not in classes
        ]
        line_of = (info.context or {}).get("line_of", lambda *_: None)
        twice = repeated(assign, info.data.get("tenants", {}), line_of)
        faults += [_fault((at,), words) for at, words in twice.items()]
        if faults:
            raise ValidationError.from_exception_data("assign", faults)
        return assign

    @model_validator(mode="after")
    def _ends(self, info: ValidationInfo) -> Policy:
        self._lines = (info.context or {}).get("line_of")
        today = (info.context or {}).get("today")
        if today is not None:
            faults = [
                _fault((*location, "keep_for"), f"{kept.keep_for}d from {today} on end after {WRAPS}, which {_WRAPPED}")
                for location, kept in self._all()
                if location[1] not in ("ledger", "cases")  # which are no tables of ClickHouse's
                and today + (1 + kept.keep_for + self.ttl_margin) * _DAY >= WRAPS
            ]
            if faults:
                raise ValidationError.from_exception_data("policy", faults)
        return self

    def _all(self) -> Iterator[tuple[tuple[str, str], Kept]]:
        """Yield where each class and category that is named stands, and what is said of it."""
        yield from ((("classes", name), kept) for name, kept in self.classes.items())
        for name in Categories.model_fields:
            kept = getattr(self.categories, name)
            if kept is not None:
                yield ("categories", name), kept

    @property
    def named(self) -> dict[str, RetentionClass]:
        """The categories that the policy names of those with tables of their own; what is of another is not stored."""
        return _named(self.categories)

    @property
    def disclosed(self) -> frozenset[str]:
        """The disclosure categories that the published notice names: see `schema.disclosure`."""
        return frozenset(self.notice)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, over what the policy means: not over how its file spells that, nor in which order."""
        meaning = self.model_dump(mode="json", exclude={"tenants", "assign"})
        rules = [rule.model_dump(mode="json") for rule in self.assign]
        rules += [Assignment(tenant=name, **{"class": of}).model_dump(mode="json") for name, of in self.tenants.items()]
        meaning["assign"] = sorted(json.dumps(rule, sort_keys=True) for rule in rules)
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()

    @property
    def edition(self) -> str:
        """The first 12 digits of the fingerprint: the policy's version wherever one is shown."""
        return self.fingerprint[:12]

    @property
    def ledger_days(self) -> int:
        """For how many days an entry of the audit ledger is kept: as long as can be where the policy does not say."""
        return self.categories.ledger.keep_for if self.categories.ledger else MOST_DAYS

    @property
    def case_days(self) -> int:
        """For how many days an abuse case is kept that is closed."""
        return self.categories.cases.keep_for if self.categories.cases else _CASE_DAYS

    @property
    def log_days(self) -> int:
        """For how many days ClickHouse's own logs are kept: `storage.audit.with_audit`.

        There is no margin: no purge comes before their TTL, which drops whole days.
        """
        return self.categories.logs.keep_for if self.categories.logs else DEFAULT_DAYS

    @property
    def assignments(self) -> Assignments:
        """The rules of `assign` and `tenants`."""
        made = self._assignments
        if made is None or made.assign is not self.assign or made.tenants is not self.tenants:  # or a copy's
            made = self._assignments = Assignments(self.assign, self.tenants)
        return made

    def line_of(self, *location: str | int) -> int | None:
        """Return the line of what stands there in the file, as `line_of("classes", "basic")`; None if it does not."""
        return self._lines(*location) if self._lines else None

    def kept(self, table: str, retention_class: str) -> RetentionClass | None:
        """Return what is said of rows of a class in a table; None of those that the policy does not explain."""
        if table == FLOWS:
            return self.classes.get(retention_class)
        return self.named.get(retention_class) if CATEGORIES.get(table) == retention_class else None

    def due(self, table: str, retention_class: str, day: date) -> datetime | None:
        """Return when a day of a class is to go: `keep_for` after its end, UTC; None of what is not explained."""
        kept = self.kept(table, retention_class)
        return datetime.combine(day, time(), UTC) + (1 + kept.keep_for) * _DAY if kept else None

    def class_for(
        self, tenant: str, service: str | None = None, region: str | None = None, allocation_class: str | None = None
    ) -> Chosen:
        """Return the class of a tenant's flows: by the most specific rule, else the allocation's own, else the default.

        Service, region and class are those of the allocation, None where it is silent.
        """
        selectors = self.assignments.find(tenant, service, region)
        if selectors:
            name, location = self.assignments.rules[selectors]
            return Chosen(name, f"the rule for {selected(selectors)} ({place(self.line_of, *location)})")
        if allocation_class:
            return Chosen(allocation_class, "the class that the allocation names")
        return Chosen(self.default_class, place(self.line_of, "default_class"))

    def class_of(self, tenant: str, service: str | None, region: str | None, allocation_class: str | None) -> str:
        """Return the class alone of `class_for`, fast: there may be a million allocations."""
        assignments = self.assignments
        selectors = assignments.find(tenant, service, region)
        return assignments.rules[selectors][0] if selectors else allocation_class or self.default_class

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

    def overdue(self, today: date) -> list[Overdue]:
        """Return what was to be reviewed before `today`, longest ago first."""
        return overdue(self._all(), today)

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


_WRAPPED = "ClickHouse's 32 bits of seconds cannot hold: such rows would go at once; keep them for less"


def _named(categories: Categories) -> dict[str, RetentionClass]:
    found = {category.value: getattr(categories, category) for category in Category}
    return {category: kept for category, kept in found.items() if kept is not None}


def load_policy(path: Path, environ: Mapping[str, str], today: date | None = None) -> Policy:
    """Read the policy at `path`; ConfigError lists every fault with its line.

    With `today` it also refuses what ends when ClickHouse's times of expiry cannot tell it any more; the bounds of
    `keep_for` and `ttl_margin` see to that by themselves until 2095.
    """
    return load_yaml(path, Policy, environ, {"today": today})
