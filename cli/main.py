"""The `flowkeep` command: one file per group of verbs, composed here; every error a person can mend is one message."""

from __future__ import annotations

import os
import signal
import sys

_interrupt = signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while the rest is loaded: no traceback

import typer  # noqa: E402

from cli import capturing, helping, holding, interfaces, ledgering, querying, retaining, running, tenancy  # noqa: E402
from settings.errors import FINDING, UserError  # noqa: E402

signal.signal(signal.SIGINT, _interrupt)

app = typer.Typer(
    help="Keep every flow exactly as long as the policy says.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
running.add_to(app)
capturing.add_to(app)
querying.add_to(app)
interfaces.add_to(app)
helping.add_to(app)
app.add_typer(tenancy.app, name="tenants")
app.add_typer(retaining.app, name="retention")
app.add_typer(ledgering.app, name="ledger")
app.add_typer(holding.app, name="hold")


def main() -> None:
    """Run the command line; exit codes are those of `settings.errors`."""
    try:
        try:
            app()
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
