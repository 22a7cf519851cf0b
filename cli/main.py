"""The `flowkeep` command: one file per group of verbs, composed here; every error a person can mend is one message.

Of the files only the one with the command that was given is loaded, for a start is most of what a short question takes.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib import import_module

_interrupt = signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while the rest is loaded: no traceback

import typer  # noqa: E402

from settings.errors import FINDING, UserError  # noqa: E402

signal.signal(signal.SIGINT, _interrupt)

FILES = {
    "cli.running": ("run", "check", "status", "demo"),
    "cli.capturing": ("decode", "replay"),
    "cli.querying": ("flows", "top", "live"),
    "cli.over_time": ("series",),
    "cli.direct": ("sql", "shell"),
    "cli.analysing": ("matrix", "compare", "percentile"),
    "cli.interfaces": ("interfaces",),
    "cli.fetching": ("names",),
    "cli.holder": ("who",),
    "cli.helping": ("help",),
    "cli.tenancy": ("tenants",),
    "cli.retaining": ("retention",),
    "cli.ledgering": ("ledger",),
    "cli.holding": ("hold",),
    "cli.casework": ("case",),
}
"""The commands that each file's `add_to` adds."""


def application(command: str = "") -> typer.Typer:
    """Return the command line as far as it is needed for a command; all of it for none, or one that is unknown."""
    app = typer.Typer(
        help="Keep every flow exactly as long as the policy says.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(lambda: None)  # or a single command would need no name
    for file in [file for file, commands in FILES.items() if command in commands] or FILES:
        import_module(file).add_to(app)
    return app


def _command() -> str:
    """Return the command that is given, or that a shell wants to complete."""
    words = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS")
    given = words.split() if words and "_FLOWKEEP_COMPLETE" in os.environ else sys.argv
    return given[1] if len(given) > 1 else ""


def _load(command: str) -> typer.Typer:
    interrupt = signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # a tenth of the time: there is no garbage yet
    try:
        return application(command)
    finally:
        gc.enable()
        signal.signal(signal.SIGINT, interrupt)


def main() -> None:
    """Run the command line; exit codes are those of `settings.errors`."""
    try:
        try:
            _load(_command())()
        finally:
            sys.stdout.flush()
    except UserError as error:
        print(f"flowkeep: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader has gone; Python would flush once more at its end, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FINDING)


if __name__ == "__main__":
    main()
