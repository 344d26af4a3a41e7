"""`mrbench run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mrbench.cli.options import (
    Board,
    Dataset,
    Device,
    Memory,
    Out,
    Split,
    Task,
    Threads,
    Timeout,
    Track,
    check_device,
    refuse_unused,
)
from mrbench.core.words import counted


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog="Example: mrbench run -t registration -d ixi-hh-2mm -m voxelmorph -m elastix:grid_mm=10 --timeout 600"
    )(run)
    app.command(epilog="Example: mrbench merge mrbench-results/registration/inter-subject/icbm-sim site-b/board")(merge)


def run(
    context: typer.Context,
    task: Task,
    track: Track = None,
    dataset: Dataset = "icbm-sim",
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            "-m",
            help="A name, name[param=value] or file.py:function; Alias=... gives it another name; repeat for more. "
            "Default: all methods.",
        ),
    ] = None,
    split: Split = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N cases; every table says so.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Five cases, the quick setting of each family.")] = False,
    device: Device = "cpu",
    threads: Threads = 1,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Cases side by side, each on cores of its own. Default: one a device."),
    ] = None,
    timeout: Timeout = None,
    memory: Memory = None,
    scoring_timeout: Annotated[
        float,
        typer.Option(min=0.001, help="Give up a case that takes longer than this to read or to score, in seconds."),
    ] = 1800,
    retry: Annotated[bool, typer.Option("--retry", help="Run failed rows again.")] = False,
    shard: Annotated[
        str | None, typer.Option(help="Compute part I of N alone, as I/N; `mrbench merge` joins the parts.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Compute on a Dask cluster: its address, or local:N for N processes here.")
    ] = None,
    gather: Annotated[bool, typer.Option("--gather", help="Fetch predictions from the cluster's workers.")] = False,
    predictions: Annotated[
        str,
        typer.Option(
            help="keep, compress or drop what was scored; what is dropped is in no picture and no export, until it is "
            "made again by --repredict."
        ),
    ] = "keep",
    repredict: Annotated[
        bool,
        typer.Option("--repredict", help="Predict again what is no longer in the cache; its rows and times stay."),
    ] = False,
    all_weights: Annotated[
        bool,
        typer.Option("--all-weights", help="Learned methods with weights of other datasets, too: do they generalise?"),
    ] = False,
    out: Out = Path("mrbench-results"),
) -> None:
    """Run methods on every case of a task and a dataset, and show the leaderboard.

    These rows are a board: of one task, track, dataset and split. Rows that it has already are not computed again.
    """
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.cli.progress import progress_bar
    from mrbench.cli.results import show
    from mrbench.core.errors import RequestError
    from mrbench.core.method import Resources
    from mrbench.engine.plan import Options
    from mrbench.engine.predictions import checked_keeping
    from mrbench.engine.shard import Shard

    if scheduler == "":
        raise RequestError("--scheduler is empty; give an address such as tcp://host:8786, or leave it out.")
    if not scheduler:
        refuse_unused(context, "gather", "without --scheduler: predictions are here")
    if scheduler and device not in ("cpu", "cuda"):
        raise RequestError(f"--device {device}: workers of a cluster offer their GPUs themselves; give --device cuda.")
    if not scheduler:
        check_device(device, several=True)
    resources = Resources(threads, device)
    options = Options(
        resources,
        workers or (api.quick_workers() if quick else len(resources.devices)),
        timeout,
        retry,
        memory,
        scoring_timeout,
        None if shard is None else Shard.parse(shard),
        scheduler or "",
        gather,
        checked_keeping(predictions),
        repredict,
    )
    console = Console()
    with progress_bar(console) as listener:
        board = api.run(
            task,
            dataset=dataset,
            track=track,
            methods=method or None,
            split=split,
            limit=limit,
            quick=quick,
            all_weights=all_weights,
            options=options,
            out=out,
            progress=listener,
        )
    if board.interrupted:
        console.print("[yellow]interrupted: the same command runs what is missing.[/]")
    if shard:
        made = counted(len(board.rows), "row")
        text = f"shard {shard}: {made}. When all are there: mrbench merge {board.folder}"
        console.print(escape(text), soft_wrap=True)
        raise typer.Exit(code=130 if board.interrupted else int(board.failed))
    show(console, board)
    if quick and not board.interrupted:
        rows, minutes = api.full_run(board)
        console.print(
            f"A full run, without --quick, makes {rows} rows: every setting of every method on every case. At the mean "
            f"of this board's rows that is {minutes:.0f} minutes on one core; full settings take longer."
        )
    nothing = bool(method) and bool(board.rows) and all(row.status == "skipped" for row in board.rows)
    raise typer.Exit(code=130 if board.interrupted else int(board.failed or nothing))


def merge(
    board: Board,
    others: Annotated[list[Path] | None, typer.Argument(help="Folders of the same board made elsewhere.")] = None,
) -> None:
    """Join the shards of a board, its own and those of other folders; rank it and write its files."""
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.cli.results import show

    merged, console = api.merge(board, others or []), Console()
    for notice in merged.notices:
        console.print(escape(notice), soft_wrap=True)
    if merged.shown is not None:
        show(console, merged)
    raise typer.Exit(code=int(merged.failed))
