"""The `flowkeep` command: one file per group of verbs, composed here; every error a person can mend is one message."""

from __future__ import annotations

import sys

import typer

from cli import capturing, querying, retaining, running, tenancy
from settings.errors import UserError

app = typer.Typer(
    help="Keep every flow exactly as long as the policy says.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
running.add_to(app)
capturing.add_to(app)
querying.add_to(app)
app.add_typer(tenancy.app, name="tenants")
app.add_typer(retaining.app, name="retention")


def main() -> None:
    """Run the command line; exit codes are those of `settings.errors`."""
    try:
        app()
    except UserError as error:
        print(f"flowkeep: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing to say, and nowhere to say it
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
