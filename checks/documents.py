"""Writes the reference pages in docs/, and the grants in deploy/clickhouse/, from the code that they describe.

`python -m checks.documents` exits 1 and names the stale files; with `--write` it brings them up to date.
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from xml.sax.saxutils import escape

import typer
from prometheus_client.metrics import MetricWrapperBase
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from cli.main import application
from collector.metrics import Metrics
from decoders.faults import Fault
from query.guide import ENTRIES, INTRODUCTION
from query.words import ABSENT
from retention.classes import Days, TimeOfDay
from retention.disclosed import Notice
from retention.policy import ClassName, Policy
from schema.aliases import ALIASES
from schema.columns import FLOW_COLUMNS, Column
from schema.tables import STORED_TABLES
from settings.config import Config, Endpoint, Name, Prefix, Size
from settings.errors import FINDING, UNREACHABLE, USAGE
from settings.source import Section
from storage.users import ROLES, grants, user_name

ROOT = Path(__file__).parents[1]
_USERS = "deploy/clickhouse/users.d/flowkeep.xml"
_NOTE = "<!-- Written by `python -m checks.documents --write` from {source}; do not edit. -->"
_WORDS = (
    (Size, "a size: `512MiB`, `4GiB`"),
    (Endpoint, "`ADDRESS:PORT`"),
    (Prefix, "an IPv4 or IPv6 prefix"),
    (Name, "a name: letters, digits, `_.-`"),
    (Days, "whole days: `14d`"),
    (TimeOfDay, "a time of day, UTC: `03:15`"),
    (Notice, "a list of disclosure categories, or each with its sentence of the notice"),
    (ClassName, "the name of a class"),
    (Path, "a path"),
    (str, "text"),
    (int, "a whole number"),
    (float, "a number"),
    (bool, "`true` or `false`"),
)
"""What people call the types of settings; they are looked up by identity, since an alias of one is another word."""


def pages() -> dict[str, str]:
    """Return each generated file's text by its path."""
    return {
        "docs/columns.md": _page("Stored columns", "schema/columns.py and schema/tables.py", _columns()),
        "docs/faults.md": _page("Faults", "decoders/faults.py", _faults()),
        "docs/metrics.md": _page("Metrics", "collector/metrics.py", _metrics()),
        "docs/configuration.md": _page("Configuration", "settings/config.py and retention/policy.py", _configuration()),
        "docs/filter.md": _page("Filters", "query/guide.py", _filter()),
        "docs/cli.md": _page("Commands", "cli/", _commands()),
        _USERS: _users((ROOT / _USERS).read_text()),
    }


def _page(title: str, source: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", _NOTE.format(source=source), "", *lines]).rstrip() + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"


def _code(text: object) -> str:
    return f"`{text}`"


def _users(text: str) -> str:
    """Return users.d/flowkeep.xml with each role's grants of today; the rest of it is written by hand."""
    for role in ROLES:
        queries = "".join(f"{' ' * 16}<query>{escape(grant)}</query>\n" for grant in grants(role, "flowkeep"))
        block = rf"(?s)(<{user_name(role)}>\s*<password.*?<grants>\n).*?( *</grants>)"
        text = re.sub(block, lambda found, new=queries: found[1] + new + found[2], text, count=1)  # type: ignore[misc]
    return text


def _filter() -> Iterator[str]:
    yield from INTRODUCTION.splitlines()
    yield ""
    rows = ((", ".join(map(_code, entry.examples)), entry.meaning) for entry in ENTRIES)
    yield from _table(("filter", "selects"), rows)
    yield from ("", "What nfdump's language has and this one has not:", "")
    yield from _table(("word", "why"), ((_code(word), why) for word, why in ABSENT.items()))


def _columns() -> Iterator[str]:
    yield "The names in `flowkeep decode`, `flowkeep flows --json` and the table `flows`. What an export lacks is zero."
    yield ""
    yield from _columns_of(FLOW_COLUMNS)
    yield ""
    yield "ClickHouse computes these from them when SQL asks for them, in `flows` and in every table that has what they"
    yield "are made of:"
    yield ""
    computed = ((_code(one.name), one.doc, _code(one.type)) for one in ALIASES)
    yield from _table(("column", "meaning", "ClickHouse type"), computed)
    yield ""
    yield "What is no traffic has tables of its own, laid out like `flows`; the policy keeps them by category."
    yield "What an agent does not tell is NULL where the type has it, and zero or empty elsewhere."
    for table in STORED_TABLES:
        yield from ("", f"## {table.name}", "", f"{table.doc}. Retention category `{table.category}`.", "")
        yield from _columns_of(table.columns)


def _columns_of(columns: Iterable[Column]) -> Iterator[str]:
    rows = ((_code(c.name), c.doc, _code(c.clickhouse), c.unit, c.category) for c in columns)
    yield from _table(("column", "meaning", "ClickHouse type", "unit", "category"), rows)


def _faults() -> Iterator[str]:
    yield "Why octets that arrived gave no flow: values of the label `reason` of `flowkeep_datagrams_rejected_total`,"
    yield "where the unit is a datagram, and of `flowkeep_faults_total`."
    yield ""
    yield from _table(("reason", "counted in", "meaning"), ((_code(f.value), f.unit + "s", f.doc) for f in Fault))


def _metrics() -> Iterator[str]:
    yield "On `/metrics` of the address `metrics` in the configuration. `deploy/prometheus/alerts.yml` watches them."
    yield ""
    yield from _table(("metric", "kind", "labels", "meaning"), _metric_rows())


def _metric_rows() -> Iterator[tuple[str, ...]]:
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = ", ".join(map(_code, metric._labelnames))
            yield _code(name), family.type, labels, family.documentation


def _configuration() -> Iterator[str]:
    for title, model, example in (
        ("flowkeep.yaml", Config, "configs/flowkeep.yaml"),
        ("retention.yaml", Policy, "configs/retention.yaml"),
    ):
        yield f"## {title}"
        yield ""
        for section in dict.fromkeys(_sections(model)):
            yield from ([] if section is model else [f"### {section.__name__}", ""])
            yield " ".join((section.__doc__ or "").split())
            yield ""
            yield from _table(("key", "value", "default"), _keys(section))
            yield ""
        text = (ROOT / example).read_text().rstrip()
        yield from ("### Example", "", "```yaml", f"# file: {example}", text, "```", "")


def _sections(model: type[Section]) -> Iterator[type[Section]]:
    yield model
    for hint in get_type_hints(model).values():
        for found in _models(hint):
            yield from _sections(found)


def _models(hint: Any) -> Iterator[type[Section]]:
    if isinstance(hint, type) and issubclass(hint, Section):
        yield hint
    for argument in get_args(hint):
        yield from _models(argument)


def _keys(model: type[Section]) -> Iterator[tuple[str, ...]]:
    hints = get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        yield _code(field.alias or name), _kind(hints[name]) + _bounds(field), _default(field)


def _kind(hint: Any) -> str:
    for known, words in _WORDS:
        if hint is known:
            return words
    if isinstance(hint, type) and issubclass(hint, Section):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _kind(arguments[0])
    if origin is Literal:
        return " or ".join(map(_code, arguments))
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(argument) for argument in arguments if argument is not type(None))
    if origin is list:
        return f"a list, each {_kind(arguments[0])}"
    if origin is dict:
        return f"keys ({_kind(arguments[0])}) with {_kind(arguments[1])}"
    return hint.__name__  # type: ignore[no-any-return]


def _bounds(field: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most"}
    # A size of zero or less is no size: not worth a word.
    said = [(words[name], getattr(rule, name)) for rule in field.metadata for name in words if hasattr(rule, name)]
    return "".join(f", {word} {bound}" for word, bound in said if (word, bound) != ("above", 0))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Section):
        return "its defaults"
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return _code(str(value).lower())
    if isinstance(value, int) and value >= 2**20:
        return _code(f"{value // 2**30}GiB" if value % 2**30 == 0 else f"{value // 2**20}MiB")
    return _code(value)


def _commands() -> Iterator[str]:
    yield (
        f"Exit status: 0 done, {FINDING} a finding or a refusal, {USAGE} wrong use or configuration, {UNREACHABLE} a "
        "service does not answer."
    )
    yield ""
    yield from _command(typer.main.get_command(application()), None, "flowkeep")


def _command(command: Any, parent: typer.Context | None, name: str) -> Iterator[str]:
    context = typer.Context(command, info_name=name, parent=parent)
    if isinstance(command, TyperGroup):
        children = {child: command.get_command(context, child) for child in command.list_commands(context)}
        for child, found in children.items():
            if found and not found.hidden:
                yield from _command(found, context, child)
        return
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from (f"## {context.command_path}", "", *(command.help or "").splitlines(), "", "```", usage, "```", "")
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [
        (_code(record[0]), " ".join(record[1].split())) for record in records if record and "--help" not in record[0]
    ]
    if rows:
        yield from (*_table(("option", "meaning"), rows), "")


def main() -> int:
    """Write or compare; return the exit status."""
    write = "--write" in sys.argv[1:]
    stale = []
    for name, text in pages().items():
        path = ROOT / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if write:
                path.write_text(text)
    if write:
        print("written: " + (", ".join(stale) or "nothing, all were current"))
        return 0
    if stale:
        print(f"stale: {', '.join(stale)}; `make docs` writes them anew", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
