"""`mrbench doctor`, `mrbench new` and `mrbench cite`: what helps with methods of one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from mrbench.cli.options import Board as Folder
from mrbench.cli.options import Dataset, Task, Track


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(epilog="Example: mrbench doctor mine.py:register --task registration")(doctor)
    app.command(epilog="Example: mrbench new method register --task registration")(new)
    app.command(epilog="Example: mrbench cite results/registration/inter-subject/icbm-sim > board.bib")(cite)


def doctor(
    method: Annotated[str, typer.Argument(help="A method, as `mrbench run --method` takes it.")],
    task: Task,
    dataset: Dataset = "icbm-sim",
    track: Track = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds that each check may take.")] = 600,
) -> None:
    """Check a method on one small case: shape, units, axes, determinism, inputs unchanged, device, time.

    Says of each check whether it was made, and if not, why. Exits with 1 where something is wrong.
    """
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.cli.progress import progress_bar

    console = Console()
    with progress_bar(console) as listener:
        findings = api.doctor(method, task=task, dataset=dataset, track=track, timeout=timeout, progress=listener)
    for finding in findings:
        mark = "[red]fault[/]" if not finding.passed else "[green]ok[/]  " if finding.made else "[yellow]skip[/] "
        if not finding.passed and finding.message:
            lines = [finding.message, f"What is asked: {finding.what}"]
        else:
            lines = [finding.what, *filter(None, [finding.message])]
        console.print(f"{mark} [bold]{finding.name}[/]: {escape(lines[0])}", soft_wrap=True)
        for line in lines[1:]:
            console.print(f"      {escape(line)}", soft_wrap=True)
    raise typer.Exit(code=int(not all(finding.passed for finding in findings)))


def new(
    kind: Annotated[str, typer.Argument(help="method, learned-method, dataset or task.")],
    name: Annotated[str, typer.Argument(help="What to call it: lower case, such as my_method.")],
    task: Annotated[str, typer.Option("--task", "-t", help="Of a method: the task that it solves.")] = "registration",
    dataset: Dataset = "icbm-sim",
) -> None:
    """Write a working plug-in of at most 40 lines with its test, to start from."""
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api

    console = Console()
    for path in api.new(kind, name, task=task, dataset=dataset):
        console.print(f"wrote {escape(str(path))}", soft_wrap=True)


def cite(folder: Folder) -> None:
    """Print BibTeX of every method, dataset and metric of a board."""
    from mrbench import api

    typer.echo(api.cite(folder), nl=False)
