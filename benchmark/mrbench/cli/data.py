"""`mrbench data`: list, index, fetch, verify and prepare datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mrbench.cli.group import Group
from mrbench.cli.options import refuse_unused
from mrbench.core.words import counted

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(cls=Group, no_args_is_help=True, help="List, index, fetch, verify and prepare datasets.")

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
    here = f"here and verified: {counted(files, 'file')} of {dataset}"
    console.print(here if files else f"{dataset} needs no download.")


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
def data_prepare(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="Name of a dataset, or folder:PATH with raw heads.")],
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    strip: Annotated[bool, typer.Option("--strip", help="Of raw heads: set what is no brain to zero.")] = False,
    align: Annotated[str | None, typer.Option(help="Of raw heads: affine or rigid, to the ICBM template.")] = None,
    onto: Annotated[str | None, typer.Option(help="Of raw heads: align to this subject, not to the template.")] = None,
    spacing: Annotated[float, typer.Option(help="Of raw heads: mm of the voxels to bring them to.")] = 2.0,
    out: Annotated[Path | None, typer.Option(help="Of raw heads: folder to write. Default: NAME-prepared.")] = None,
) -> None:
    """Make and cache the subjects of a dataset; with --strip, --align or --onto, write raw heads stripped and aligned.

    Example: mrbench data prepare folder:heads --strip --align affine --spacing 2
    """
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.cli.progress import progress_bar

    console = Console()
    if strip or align is not None or onto is not None:
        refuse_unused(context, "split", "with --strip, --align or --onto, which write every head")
        _prepare_heads(console, dataset, out, strip, align or "affine", onto, spacing)
        return
    refuse_unused(context, "spacing out", "without --strip, --align or --onto: a dataset is prepared in the cache")
    with progress_bar(console) as listener:
        ready = api.prepare_dataset(dataset, split, listener)
    for representation, (count, folder) in ready.items():
        subjects = counted(count, "subject")
        console.print(escape(f"ready in {folder}: {subjects} of {dataset}, {representation}"), soft_wrap=True)


def _prepare_heads(
    console: Console, dataset: str, out: Path | None, strip: bool, align: str, onto: str | None, spacing: float
) -> None:
    """Prepare a folder of heads, and say how well it went and what to run next."""
    from rich.markup import escape

    from mrbench import api
    from mrbench.api.data import HEADS_PICTURE
    from mrbench.cli.progress import progress_bar
    from mrbench.core.errors import RequestError

    kind, colon, path = dataset.partition(":")
    if kind != "folder" or not colon:
        raise RequestError(f"{dataset} is prepared as it is; --strip, --align and --onto are for folder:PATH.")
    target = out or Path(f"{Path(path).expanduser().resolve().name}-prepared")
    with progress_bar(console) as listener:
        heads = api.prepare_heads(path, target, strip=strip, align=align, onto=onto, spacing=spacing, progress=listener)  # type: ignore[arg-type]
    for line in heads[heads["note"] != ""].itertuples():
        console.print(f"[red]{escape(f'{line.subject}: {line.note}')}[/]", soft_wrap=True)
    sound = heads[heads["note"] == ""]
    words = f"{len(sound)} of {len(heads)} heads fit {onto or 'the template'}"
    if len(sound):
        words += f", overlap {sound['overlap'].median():.2f} ({sound['overlap'].min():.2f} at the least)"
    console.print(escape(f"{words}; look at {target / HEADS_PICTURE}."), soft_wrap=True)
    console.print(escape(f"next: mrbench run --task registration --dataset folder:{target}"), soft_wrap=True)


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

    cohort = find_dataset(dataset, representation)
    path = pack_path(out, cohort.name, representation)
    sizes = pack(cohort, path, limit_mib=limit_mib)
    counts = ", ".join(f"{count} {split}" for split, count in sizes.items())
    Console().print(f"{path}: {counts} subjects, {path.stat().st_size / 2**20:.1f} MiB.", soft_wrap=True)
