"""`mrbench list`: tasks, tracks, datasets, methods and metrics."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from mrbench.cli.group import Group
from mrbench.cli.options import Task

FOLDED = 2
"""How many times as wide as the terminal a table may be and still be folded into columns."""

app = typer.Typer(cls=Group, no_args_is_help=True, help="List tasks, tracks, datasets, methods and metrics.")


@app.command("tasks")
def list_tasks() -> None:
    """Tasks and their tracks."""
    from mrbench.core.registry import find_task, task_names

    tasks = [find_task(name) for name in task_names()]
    print_table(
        ["task", "track", "what"],
        [(task.name, track.name, track.description) for task in tasks for track in task.tracks.values()],
    )


@app.command("datasets")
def list_datasets() -> None:
    """Datasets, their licence and citation."""
    from mrbench.core.case import SPLITS
    from mrbench.core.registry import dataset_names, find_dataset

    rows = []
    for name, representations in dataset_names().items():
        data = find_dataset(name)
        sizes = "/".join(str(len(data.subjects(split))) for split in SPLITS)
        rows.append((name, data.title, ", ".join(representations), sizes, data.licence, data.citation))
    print_table(["dataset", "what", "comes as", "train/val/test", "licence", "cite"], rows)


@app.command("methods")
def list_methods(task: Task) -> None:
    """Methods of a task: parameters with their defaults, citation, and what is missing here."""
    from mrbench.core.registry import find_task, method_names
    from mrbench.engine.describing import described

    name = find_task(task).name
    rows = [
        (method, "", "", "", said)
        if isinstance(said, str)
        else (method, said.kind, said.parameters, said.reference, said.missing or "ready")
        for method, said in described(method_names(name), name).items()
    ]
    print_table(["method", "kind", "parameters", "cite", "here"], rows)


@app.command("metrics")
def list_metrics(task: Task) -> None:
    """Metrics of a task: unit, direction and definition."""
    from mrbench.core.registry import find_task

    rows = [(metric.name, metric.unit, metric.arrow, metric.description) for metric in find_task(task).metrics]
    print_table(["metric", "unit", "better", "what"], rows)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under headings; where a terminal is too narrow for columns, each row as a paragraph."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from mrbench.report import escape
    from mrbench.report.console import WHOLE, uncut

    console = Console()
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    cells = [[escape.terminal(str(cell)) for cell in row] for row in rows]
    for row in cells:
        table.add_row(*row)
    with uncut(console):
        whole = console.measure(table, options=console.options.update(width=WHOLE)).maximum
        if whole <= FOLDED * console.width:
            console.print(table)
            return
        for name, *rest in cells:
            name.stylize("bold")
            console.print(name)
            for column, cell in zip(columns[1:], rest, strict=True):
                if cell:
                    console.print(Padding(Text.assemble((f"{column}: ", "dim"), cell), (0, 0, 0, 2)))
