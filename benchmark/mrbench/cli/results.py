"""`mrbench report` and `mrbench compare`: what is made from rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mrbench.cli.options import Board as Folder

if TYPE_CHECKING:
    from rich.console import Console

    from mrbench.api import Board


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(epilog="Example: mrbench report mrbench-results/registration/inter-subject/icbm-sim")(report)
    app.command(
        epilog="Example: mrbench compare results/denoising/rician-10/ixi-hh-2mm "
        "results/denoising/rician-10/ixi-hh-2mm/train --out comparison"
    )(compare)


def show(console: Console, board: Board) -> None:
    """Print a board's table and where its page is."""
    from rich.markup import escape

    from mrbench.report.render.terminal import print_leaderboard

    if board.report is None:
        console.print("no rows yet.")
        return
    print_leaderboard(console, board.report)
    if board.page is not None:
        console.print(f"page, tables, figures and rows: {escape(str(board.page))}", soft_wrap=True)


def report(folder: Folder) -> None:
    """Rebuild tables, figures and page of a board from its rows; runs no method.

    Of a task's folder, such as results/reconstruction: the train on / test on table of its learned methods.
    """
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.markup import escape

    from mrbench import api

    console = Console()
    if (folder / api.ROWS).is_file():
        show(console, api.rebuild(folder))
        return
    path = api.transfer_table(folder)
    console.print(Markdown(path.read_text()))
    console.print(f"wrote {escape(str(path))}", soft_wrap=True)


def compare(
    first: Folder,
    second: Annotated[Path, typer.Argument(help="Folder of another board of the same task.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write comparison.md, .csv and a figure to.")] = None,
) -> None:
    """Set two boards of a task side by side: other subjects, another track, another dataset.

    Of a test and a train split, it shows what a network gains on the subjects that it was trained on.
    """
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.report.side_by_side import comparison, write_comparison

    console, shown = Console(), comparison(*api.compare(first, second))
    shown.sheet.show(console)
    if out is not None:
        console.print(f"wrote {escape(str(write_comparison(out, shown)))}", soft_wrap=True)
