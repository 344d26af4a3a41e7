"""`mrbench score` and `mrbench export`: predictions as files, in and out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mrbench.cli.options import Board as Folder
from mrbench.cli.options import Dataset, Out, Split, Task, Track

if TYPE_CHECKING:
    import pandas as pd


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(epilog="Example: mrbench score -t registration -d folder:brains --predictions warps --name Ours")(score)
    app.command(
        epilog="Example: mrbench export mrbench-results/registration/inter-subject/icbm-sim --out warps --format itk"
    )(export)


def score(
    task: Task,
    predictions: Annotated[
        Path, typer.Option("--predictions", "-p", help="Folder with a file for each case, named by the case.")
    ],
    track: Track = None,
    dataset: Dataset = "icbm-sim",
    split: Split = "test",
    name: Annotated[str | None, typer.Option(help="What tables call them; default: the folder's name.")] = None,
    format: Annotated[
        str | None,
        typer.Option(
            help="learn2reg, itk, itk-transform, fsl or npy for fields; nifti, fastmri or npy for images; nifti or npy "
            "for label maps. Default: what the files look like."
        ),
    ] = None,
    convention: Annotated[
        str | None,
        typer.Option(help="Of fields: such as mm-xyz-lps-pull, or auto. Default: as their format defines."),
    ] = None,
    out: Out = Path("mrbench-results"),
) -> None:
    """Score predictions that were made elsewhere, and add them to the board.

    A case without a file, or with one that does not fit, is a failure; the others are scored. A table times.csv
    (case,seconds) in the folder gives times.
    """
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.cli.progress import progress_bar
    from mrbench.cli.results import show

    console = Console()
    with progress_bar(console) as listener:
        board = api.score(
            task,
            predictions=predictions,
            dataset=dataset,
            track=track,
            split=split,
            name=name,
            format=format,
            convention=convention,
            out=out,
            progress=listener,
        )
    show(console, board)
    for notice in board.notices:
        console.print(f"[yellow]{escape(notice)}[/]", soft_wrap=True)
    label = name or predictions.resolve().name
    own = [row for row in board.rows if row.method == label]
    failed = [row for row in own if row.failed]
    if failed:
        scored = len(own) - len(failed)
        words = f"{scored} of {len(own)} cases of {label} are scored; of {len(failed)} that failed the first is "
        words += f"{failed[0].case}: {failed[0].message} Mend it and score again."
        console.print(f"[red]{escape(words)}[/]", soft_wrap=True)
    raise typer.Exit(code=int(bool(failed)))


def export(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="Folder to write to: a folder in it for each method.")],
    format: Annotated[
        str | None, typer.Option(help="learn2reg, itk, nifti, fastmri or npy, as the task allows.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option("--method", "-m", help="Name as on the board; repeat. Default: all.")
    ] = None,
) -> None:
    """Write the predictions of a board as files named by case; runs no method. What is left out is named."""
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.api.exporting import NOT_AT_HAND

    console = Console()
    table = api.export(folder, out, format=format, methods=method or None)
    for name, lines in table.groupby("method", sort=False):
        left = lines[lines["left_out"] != ""]
        where = {Path(path).parent for path in lines["path"] if path}
        text = f"{name}: {len(lines) - len(left)} of {len(lines)} files{''.join(f' in {one}' for one in where)}"
        console.print(escape("; left out: ".join([text, *_by_reason(left)])), soft_wrap=True)
    if (table["left_out"] == NOT_AT_HAND).any():
        console.print(
            "What a run made is made again by the same run with --repredict; what was scored, by scoring it again."
        )
    raise typer.Exit(code=int((table["left_out"] != "").any()))


def _by_reason(left: pd.DataFrame) -> list[str]:
    """``case, case (why)`` for each reason."""
    return [f"{', '.join(lines['case'])} ({why})" for why, lines in left.groupby("left_out", sort=False)]
