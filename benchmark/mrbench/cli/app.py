"""The command ``mrbench`` and its exit codes."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from mrbench.cli import caching, data, helping, lists, results, running, scoring, training
from mrbench.cli.group import Group
from mrbench.core.errors import MrbenchError

app = typer.Typer(
    name="mrbench",
    cls=Group,
    no_args_is_help=True,
    context_settings={"max_content_width": 120},
    rich_markup_mode=None,  # drawing the help with Rich takes twice as long as all the rest
    pretty_exceptions_enable=False,
    help="""Benchmark and evaluate methods for MRI beyond segmentation, classical and learned.

    \b
    Start here:
      mrbench run --task registration --quick       a leaderboard in two minutes, on simulated brains
      mrbench run --task registration --method elastix --method mine.py:register
      mrbench run --task reconstruction --dataset folder:path/to/kspace       your own raw data
      mrbench list methods --task registration      what there is, and how to cite it

    Exit codes: 0 all rows are fine, 1 some rows failed (the table says which), 2 the request was wrong.
    """,
)


def _version(asked: bool) -> None:
    if asked:
        from mrbench import __version__

        typer.echo(f"mrbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


running.add_to(app)
training.add_to(app)
results.add_to(app)
scoring.add_to(app)
helping.add_to(app)
app.add_typer(lists.app, name="list")
app.add_typer(data.app, name="data")
app.add_typer(caching.app, name="cache")


def main() -> NoReturn:
    """Entry point: faults that the user can mend are one sentence and their exit code."""
    try:
        app()
    except MrbenchError as error:
        typer.secho(f"mrbench: {error}", fg="red", err=True)
        sys.exit(error.exit_code)
    sys.exit(0)
