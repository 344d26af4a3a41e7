"""`mrbench data`: list, index, fetch, verify and prepare datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="List, index, fetch, verify and prepare datasets.")

Dataset = Annotated[str, typer.Argument(help="Name of a dataset: see `mrbench list datasets`.")]


@app.command("list")
def data_list() -> None:
    """Datasets, and how much of each is prepared on this machine."""
    from mrbench.cli.lists import print_table
    from mrbench.core.case import SPLITS
    from mrbench.core.registry import dataset_names, find_dataset

    rows = []
    for name in dataset_names():
        data = find_dataset(name)
        subjects = [subject for split in SPLITS for subject in data.subjects(split)]
        ready = sum((data.cache / f"{subject}.npz").is_file() for subject in subjects)
        rows.append((name, f"{ready} of {len(subjects)}", data.cache))
    print_table(["dataset", "prepared", "cache"], rows)


@app.command("index")
def data_index(folder: Annotated[Path, typer.Argument(help="Folder with scans or k-space.")]) -> None:
    """Print the table of what lies in a folder, to correct and to save there as subjects.csv."""
    from mrbench.datasets.index import index

    table = index(folder)
    typer.echo(table.to_csv(index=False), nl=False)
    for line in (table.attrs["summary"], *(f"Left out: {reason}" for reason in table.attrs["left_out"])):
        typer.echo(line, err=True)


@app.command("fetch")
def data_fetch(dataset: Dataset) -> None:
    """Download the source files of a dataset, or find them in MRBENCH_DATA, and verify their sha256."""
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.cli.progress import progress_bar
    from mrbench.core.registry import find_dataset

    console = Console()
    with progress_bar(console) as listener:
        files = api.fetch(dataset, listener)
    if terms := getattr(find_dataset(dataset), "terms", ""):
        console.print(escape(terms), soft_wrap=True)
    console.print(f"{files} files of {dataset} are here and verified." if files else f"{dataset} needs no download.")


@app.command("verify")
def data_verify(dataset: Dataset) -> None:
    """Check the source files against their sha256, and that no subject stands in two splits."""
    from rich.console import Console

    from mrbench import api
    from mrbench.cli.progress import progress_bar

    console = Console()
    with progress_bar(console) as listener:
        sizes = api.verify(dataset, listener)
    counts = ", ".join(f"{count} {split}" for split, count in sizes.items())
    console.print(f"{dataset}: {counts}; no subject in two splits.")


@app.command("prepare")
def data_prepare(dataset: Dataset, split: Annotated[str | None, typer.Option(help="Only this split.")] = None) -> None:
    """Make and cache the subjects of a dataset: orient, strip, align, scale."""
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.cli.progress import progress_bar

    console = Console()
    with progress_bar(console) as listener:
        ready = api.prepare_dataset(dataset, split, listener)
    for representation, (count, folder) in ready.items():
        console.print(escape(f"{count} subjects of {dataset}, {representation}, are ready in {folder}"), soft_wrap=True)


@app.command("pack")
def data_pack(
    dataset: Dataset,
    representation: Annotated[
        str, typer.Option(help="images, k-space, volumes, contrasts or tumours: what a task works on.")
    ] = "images",
    out: Annotated[Path, typer.Option(help="Folder of the packs, for `mrbench train --packs`.")] = Path("packs"),
    limit_mib: Annotated[float, typer.Option(min=0.1, help="Largest size of the file.")] = 40,
) -> None:
    """Write prepared train and validation subjects, rounded to 8 bits, to one file for a machine without the data."""
    from rich.console import Console

    from mrbench.core.registry import find_dataset
    from mrbench.training.packing import pack, pack_path

    found = find_dataset(dataset, representation)
    path = pack_path(out, found.name, representation)
    sizes = pack(found, path, limit_mib=limit_mib)
    counts = ", ".join(f"{count} {split}" for split, count in sizes.items())
    Console().print(f"{path}: {counts} subjects, {path.stat().st_size / 2**20:.1f} MiB.", soft_wrap=True)
