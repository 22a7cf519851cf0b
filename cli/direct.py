"""`flowkeep sql` and `shell`: SQL of people's own, as the user that can only read; each query is in the ledger."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.options import ConfigOption, configuration, ledger_of
from cli.progress import watched
from cli.tables import print_table
from ledger.entry import Action
from settings.config import Config
from settings.errors import ConfigError, UserError
from settings.personal import personal
from storage.client import Client, connect

_PROMPT, _MORE = "flowkeep> ", "      ... "
_TABLES = "SELECT name, comment FROM system.tables WHERE database = currentDatabase() ORDER BY name"
_COLUMNS = "SELECT name, type, comment FROM system.columns WHERE database = currentDatabase() AND table = '{table}'"
_HELP = """\
A statement ends with ; and may go over several lines. TAB completes tables, columns and words. Ctrl-C gives up what
is typed or running. \\d lists tables, \\d TABLE columns, \\h shows this, \\q or Ctrl-D ends. More: docs/sql.md."""
_WORDS = (
    "SELECT FROM WHERE GROUP ORDER BY LIMIT PREWHERE HAVING WITH AND OR NOT IN AS JOIN LEFT USING DESC ASC FORMAT "
    "count sum avg min max uniq quantile toStartOfHour toStartOfMinute toStartOfDay now toIPv6"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HISTORY = 1000


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(sql)
    app.command()(shell)


def sql(
    statement: Annotated[str, typer.Argument(help="A SELECT on the stored tables.", show_default=False)],
    config: ConfigOption = None,
    names: Annotated[bool, typer.Option("--names", help="Print the columns' names first.")] = False,
) -> None:
    """Run a read-only query and print tab-separated rows; who asked is on record, before and after."""
    loaded = configuration(config)
    with connect(loaded.storage, loaded.data_dir, "query") as client:
        sys.stdout.write(_recorded(loaded, client, statement, names))


def shell(config: ConfigOption = None) -> None:
    """Ask in SQL, one statement after the other, each ended by ; as the user that can only read."""
    loaded = configuration(config)
    with connect(loaded.storage, loaded.data_dir, "query") as client:
        if not sys.stdin.isatty():
            for statement in _statements(sys.stdin):
                sys.stdout.write(_recorded(loaded, client, statement, names=False))
            return
        print(_HELP)
        with _editing(client):
            for statement in _typed():
                with _survived():
                    _print(_recorded(loaded, client, _command(statement), names=True))


def _recorded(config: Config, client: Client, statement: str, names: bool) -> str:
    """Return the answer as tab-separated text; the ledger has the question before it is asked, then what came of it."""
    ledger = ledger_of(config)
    asked = ledger.append_query(statement, {"role": "query"}, now=datetime.now(UTC))
    try:
        with watched(config) as query_id:
            answer = client.text(statement, names, query_id)
    except UserError:
        ledger.append(Action.REFUSAL, {"query": asked.seq, "by": "the database"}, now=datetime.now(UTC))
        raise
    lines = answer.count("\n") - names if answer else 0
    given = {"query": asked.seq, "lines": lines, "octets": len(answer.encode())}
    ledger.append(Action.PRIVILEGED_QUERY, given, now=datetime.now(UTC))
    return answer


def _statements(lines: Iterator[str]) -> Iterator[str]:
    """Yield the statements of lines, each up to the ; at the end of a line; the last may lack it."""
    text = ""
    for line in lines:
        text += line
        if line.rstrip().endswith(";"):
            yield text.strip().rstrip(";")
            text = ""
    if text.strip():
        yield text.strip()


def _typed() -> Iterator[str]:
    """Yield what a person types, a statement or a command, until the end."""
    typed: list[str] = []
    while True:
        try:
            line = input(_MORE if typed else _PROMPT)
        except KeyboardInterrupt:
            print()
            typed = []
            continue
        except EOFError:
            print()
            return
        if not typed and line.strip() in ("\\q", "exit", "quit", "exit;", "quit;"):
            return
        if not typed and line.startswith("\\"):
            yield line.strip()
            continue
        typed += [line] if line.strip() or typed else []
        if line.rstrip().endswith(";"):
            yield "\n".join(typed).rstrip().rstrip(";")
            typed = []


def _command(typed: str) -> str:
    """Return the SQL of a command with a backslash, or what was typed."""
    if not typed.startswith("\\"):
        return typed
    word, _, name = typed.partition(" ")
    if word == "\\d" and not name:
        return _TABLES
    if word == "\\d" and _NAME.fullmatch(name):
        return _COLUMNS.format(table=name)
    raise ConfigError(_HELP)


@contextmanager
def _survived() -> Iterator[None]:
    """Keep the shell alive: what goes wrong with one statement is told, and the next one is asked for."""
    try:
        yield
    except UserError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("given up; ClickHouse ends it too", file=sys.stderr)


def _print(answer: str) -> None:
    titles, *rows = [line.split("\t") for line in answer.splitlines()] or [[""]]
    print_table(titles, rows)
    print(f"{len(rows):,} rows" if len(rows) != 1 else "1 row")


@contextmanager
def _editing(client: Client) -> Iterator[None]:
    """Edit lines with readline: history, and completion of words, tables and columns."""
    import readline  # it sets up the terminal: only where there is one

    history = (personal("XDG_STATE_HOME", ".local/state") or Path(os.devnull)) / "sql_history"
    names = "SELECT name FROM system.{} WHERE database = currentDatabase()"
    found = (client.query(names.format(what)).rows for what in ("tables", "columns"))
    with suppress(OSError):
        history.parent.mkdir(parents=True, exist_ok=True)
        readline.read_history_file(history)
    readline.set_history_length(_HISTORY)
    readline.set_completer_delims(" \t\n,()=<>+-*/;")
    readline.set_completer(completer([*_WORDS.split(), *(row[0] for rows in found for row in rows)]))
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        with suppress(OSError):
            readline.write_history_file(history)
            history.chmod(0o600)  # what was asked may name persons


def completer(words: list[str]) -> Callable[[str, int], str | None]:
    """Return readline's completer for these words, in whatever case they are begun."""

    def complete(begun: str, turn: int) -> str | None:
        found = sorted({word for word in words if word.lower().startswith(begun.lower())})
        return found[turn] if turn < len(found) else None

    return complete
