"""The verbs. Thin: parse, call, print. Heavy imports wait until a verb needs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from mrbench.core.errors import MrbenchError

app = typer.Typer(
    name="mrbench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="""Benchmark and evaluate methods for MRI beyond segmentation, classical and learned.

    [bold]Start here:[/]

      mrbench run --task registration --limit 1        a leaderboard in minutes, on simulated brains

      mrbench run --task registration --dataset ixi-hh-2mm --method elastix --method mine.py:register

      mrbench run --task reconstruction --dataset folder:path/to/kspace      your own raw data

      mrbench run --task super-resolution --track 3d-x2 --limit 1

      mrbench run --task denoising --limit 1

      mrbench run --task synthesis --limit 1

      mrbench run --task segmentation --limit 1

      mrbench list methods --task registration         what there is, and how to cite it

    Exit codes: 0 all rows are fine, 1 some rows failed (the table says which), 2 the request was wrong.
    """,
)
data_app = typer.Typer(no_args_is_help=True, help="List, fetch, verify and prepare datasets.")
list_app = typer.Typer(no_args_is_help=True, help="List tasks, tracks, datasets, methods and metrics.")
app.add_typer(list_app, name="list")
app.add_typer(data_app, name="data")

Task = Annotated[str, typer.Option("--task", "-t", help="What to benchmark: see `mrbench list tasks`.")]
Track = Annotated[str | None, typer.Option("--track", "-k", help="Setting of the task; default: its first.")]
Data = Annotated[str, typer.Option("--dataset", "-d", help="See `mrbench list datasets`.")]
Split = Annotated[str, typer.Option(help="train, validation or test.")]
Out = Annotated[Path, typer.Option(help="Folder of results.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads that a method may use.")]
Device = Annotated[str, typer.Option(help="cpu, or cuda for learned methods.")]


@app.command(
    epilog="Example: mrbench run -t registration -d ixi-hh-2mm -m voxelmorph -m 'elastix\\[grid_mm=10]' --timeout 600"
)
def run(
    task: Task,
    track: Track = None,
    dataset: Data = "icbm-sim",
    method: Annotated[
        list[str] | None,
        typer.Option("--method", "-m", help="name, name\\[param=value] or file.py:function; repeat. Default: all."),
    ] = None,
    split: Split = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N cases; every table says so.")] = None,
    device: Device = "cpu",
    threads: Threads = 1,
    workers: Annotated[int, typer.Option(min=1, help="Cases side by side; times are then marked contended.")] = 1,
    timeout: Annotated[float | None, typer.Option(min=0.001, help="Kill a case after this many seconds.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run failed rows again.")] = False,
    all_weights: Annotated[
        bool, typer.Option("--all-weights", help="Run learned methods with foreign weights, too: do they generalise?")
    ] = False,
    out: Out = Path("results"),
) -> None:
    """Run what is missing of a board, then show its leaderboard and where the files are."""
    from mrbench.core.method import Resources
    from mrbench.engine.run import Options
    from mrbench.session import run_and_report

    _check_device(device)
    options = Options(Resources(threads, device), workers, timeout, retry)
    failed = run_and_report(task, track, dataset, split, method or [], limit, options, out, all_weights=all_weights)
    raise typer.Exit(code=failed)


@app.command(
    epilog="Example: mrbench train -t registration -m 'voxelmorph\\[diffeomorphic=true]' -d ixi-hh-2mm --steps 4500"
)
def train(
    task: Task,
    method: Annotated[str, typer.Option("--method", "-m", help="A learned method, with its parameters.")],
    track: Annotated[
        str | None, typer.Option("--track", "-k", help="Setting of the task; A+B trains one set of weights for both.")
    ] = None,
    dataset: Data = "icbm-sim",
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps in all, resumed ones included.")] = 4000,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Peak of warm-up and cosine.")] = 1e-3,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations.")] = 250,
    validation_limit: Annotated[int | None, typer.Option(min=1, help="Validate on the first N cases a track.")] = None,
    keep_last: Annotated[bool, typer.Option("--keep-last", help="Keep the last weights, not the best.")] = False,
    extra_subjects: Annotated[
        int, typer.Option(min=0, help="Train on N more simulated people, who stand in no split.")
    ] = 0,
    start_from: Annotated[Path | None, typer.Option(help="Weights to start from.")] = None,
    seed: int = 0,
    device: Device = "cpu",
    threads: Threads = 1,
    out: Annotated[Path, typer.Option(help="Folder of the weights and their manifest.")] = Path("weights"),
    checkpoints: Annotated[Path, typer.Option(help="Where a stopped training resumes from.")] = Path("checkpoints"),
) -> None:
    """Train a learned method on the train split; weights are chosen on the validation split.

    Stopped? The same command resumes from the last checkpoint, about a minute back.
    """
    from mrbench.core.method import Resources
    from mrbench.session import train_and_report
    from mrbench.training.loop import Schedule

    _check_device(device)
    schedule = Schedule(steps, learning_rate, validate_every=min(validate_every, steps), keep_last=keep_last)
    resources = Resources(threads, device)
    train_and_report(
        task, track, dataset, method, schedule, start_from, seed, resources, out, checkpoints, validation_limit,
        extra_subjects,
    )  # fmt: skip


@app.command(
    epilog="Example: mrbench tune -t reconstruction -k singlecoil-4x -d ixi-hh-2mm -m 'bart\\[regulariser=tv]'"
)
def tune(
    task: Task,
    method: Annotated[str, typer.Option("--method", "-m", help="A classical method, with its other parameters.")],
    track: Track = None,
    dataset: Data = "icbm-sim",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N validation cases.")] = None,
    threads: Threads = 1,
    out: Annotated[Path, typer.Option(help="Folder of the manifest.")] = Path("tuned"),
) -> None:
    """Choose the parameters of a classical method on the validation split, and record how."""
    from mrbench.session import tune_and_report

    tune_and_report(task, track, dataset, method, limit, threads, out)


@app.command(epilog="Example: mrbench report results/registration/inter-subject/icbm-sim")
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a board (with rows.jsonl), or of a task's boards.")],
) -> None:
    """Rebuild tables, figures and page of a board from its rows; runs no method.

    Of a task's folder, such as results/reconstruction: the train on / test on table of its learned methods.
    """
    from mrbench.session import rebuild

    rebuild(folder)


@app.command(
    epilog="Example: mrbench compare results/denoising/rician-10/ixi-hh-2mm "
    "results/denoising/rician-10/ixi-hh-2mm/train --out comparison"
)
def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a board (with rows.jsonl).")],
    second: Annotated[Path, typer.Argument(help="Folder of another board of the same task.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write comparison.md, .csv and a figure to.")] = None,
) -> None:
    """Set two boards of a task side by side: other subjects, another track, another dataset.

    Of a test and a train split, it shows what a network gains on the people it was trained on.
    """
    from mrbench.session import compare_boards

    compare_boards(first, second, out)


@list_app.command("tasks")
def list_tasks() -> None:
    """Tasks and their tracks."""
    from mrbench.tasks.catalog import TASKS

    rows = [(name, track, text) for name, task in TASKS.items() for track, text in task.tracks.items()]
    _print_table(["task", "track", "what"], rows)


@list_app.command("datasets")
def list_datasets() -> None:
    """Datasets, their licence and citation."""
    from mrbench.datasets.catalog import DATASETS, find_dataset

    rows = []
    for name in DATASETS:
        data = find_dataset(name)
        sizes = "/".join(str(len(data.subjects(split))) for split in ("train", "validation", "test"))
        rows.append((name, data.title, sizes, data.licence, data.citation))
    _print_table(["dataset", "what", "train/val/test", "licence", "cite"], rows)


@list_app.command("methods")
def list_methods(task: Task) -> None:
    """Methods of a task: parameters with their defaults, citation, and what is missing here."""
    from mrbench.core.registry import find_method, method_names
    from mrbench.tasks.catalog import find_task

    rows = []
    for name in method_names(find_task(task).name):
        found = find_method(name, task)
        parameters = ", ".join(f"{key}={value}" for key, value in found.parameters().items())
        rows.append((name, found.kind, parameters, found.reference, found.unavailable_reason() or "ready"))
    _print_table(["method", "kind", "parameters", "cite", "here"], rows)


@list_app.command("metrics")
def list_metrics(task: Task) -> None:
    """Metrics of a task: unit, direction and definition."""
    from mrbench.tasks.catalog import find_task

    rows = [(m.name, m.unit, m.arrow, m.description) for m in find_task(task).metrics]
    _print_table(["metric", "unit", "better", "what"], rows)


@data_app.command("list")
def data_list() -> None:
    """Datasets, and how much of each is prepared on this machine."""
    from mrbench.session import prepared_counts

    _print_table(["dataset", "prepared", "cache"], prepared_counts())


@data_app.command("fetch")
def data_fetch(
    dataset: Annotated[str, typer.Argument(help="Dataset to download, or to find in MRBENCH_DATA.")],
) -> None:
    """Download the source files of a dataset and verify their sha256."""
    from mrbench.session import fetch_files

    fetch_files(dataset)


@data_app.command("verify")
def data_verify(dataset: Annotated[str, typer.Argument(help="Dataset to check.")]) -> None:
    """Check the source files against their sha256, and that no subject stands in two splits."""
    from mrbench.session import verify_files

    verify_files(dataset)


@data_app.command("prepare")
def data_prepare(
    dataset: Annotated[str, typer.Argument(help="Dataset to prepare.")],
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
) -> None:
    """Make and cache the subjects of a dataset: orient, strip, align, scale."""
    from mrbench.session import prepare_all

    prepare_all(dataset, split)


def _check_device(device: str) -> None:
    from mrbench.core.errors import RequestError, unknown_name

    if device not in ("cpu", "cuda"):
        raise unknown_name("device", device, ["cpu", "cuda"])
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise RequestError("--device cuda: PyTorch sees no CUDA device here; use --device cpu.")


def _print_table(columns: list[str], rows: list[Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    Console().print(table)


def main() -> NoReturn:
    """Entry point: faults that the user can mend are one sentence and exit code 2."""
    try:
        app()
    except MrbenchError as error:
        typer.secho(f"mrbench: {error}", fg="red", err=True)
        sys.exit(2)
    sys.exit(0)
