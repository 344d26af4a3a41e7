"""`mrbench train` and `mrbench tune`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mrbench.cli.options import Dataset, Device, Task, Threads, Track, check_device

if TYPE_CHECKING:
    from mrbench.training.loop import Progress as TrainingProgress


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(
        epilog="Example: mrbench train -t registration -m voxelmorph:diffeomorphic=true -d ixi-hh-2mm --steps 4500"
    )(train)
    app.command(epilog="Example: mrbench tune -t reconstruction -k singlecoil-4x -d ixi-hh-2mm -m bart:regulariser=tv")(
        tune
    )


def train(
    task: Task,
    method: Annotated[str, typer.Option("--method", "-m", help="A learned method, with its parameters.")],
    track: Annotated[
        str | None, typer.Option("--track", "-k", help="Setting of the task; A+B trains one set of weights for both.")
    ] = None,
    dataset: Dataset = "icbm-sim",
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps in all, resumed ones included.")] = 4000,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Peak of warm-up and cosine.")] = 1e-3,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations.")] = 250,
    validation_limit: Annotated[int | None, typer.Option(min=1, help="Validate on the first N cases a track.")] = None,
    keep_last: Annotated[bool, typer.Option("--keep-last", help="Keep the last weights, not the best.")] = False,
    extra_subjects: Annotated[
        int, typer.Option(min=0, help="Train on N more simulated subjects, who stand in no split.")
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
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.cli.progress import bar, progress_bar
    from mrbench.core.method import Resources
    from mrbench.core.registry import find_task
    from mrbench.training.loop import Schedule

    check_device(device)
    console, primary = Console(), find_task(task).primary
    schedule = Schedule(steps, learning_rate, validate_every=min(validate_every, steps), keep_last=keep_last)
    with progress_bar(console) as listener, bar(console) as drawn:
        line = drawn.add_task("training", total=steps, visible=console.is_terminal)

        def listen(state: TrainingProgress, loss: float, score: float | None) -> None:
            best = primary.sign * state.best_score
            drawn.update(line, completed=state.step, description=f"loss {loss:.4f}  best {best:.4f}")
            if score is not None:
                text = f"step {state.step}: validation {primary.name} {primary.sign * score:.4f}, {state.seconds:.0f} s"
                drawn.console.print(text)

        path = api.train(
            task, method, schedule=schedule, dataset=dataset, track=track, extra_subjects=extra_subjects,
            start_from=start_from, validation_limit=validation_limit, seed=seed, resources=Resources(threads, device),
            out=out, checkpoints=checkpoints, progress=listener, listen=listen,
        )  # fmt: skip
    console.print(escape(f"weights: {path}; use them with weights={path}"), soft_wrap=True)


def tune(
    task: Task,
    method: Annotated[str, typer.Option("--method", "-m", help="A classical method, with its other parameters.")],
    track: Track = None,
    dataset: Dataset = "icbm-sim",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N validation cases.")] = None,
    threads: Threads = 1,
    out: Annotated[Path, typer.Option(help="Folder of the manifest.")] = Path("tuned"),
) -> None:
    """Choose the parameters of a classical method on the validation split, and record how."""
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.cli.progress import progress_bar
    from mrbench.core.registry import find_task

    console, primary = Console(), find_task(task).primary

    def listen(parameters: Mapping[str, float], score: float) -> None:
        text = ", ".join(f"{name} {value:g}" for name, value in parameters.items())
        console.print(f"{text}: validation {primary.name} {score:.4f}")

    with progress_bar(console) as listener:
        spec, path = api.tune(
            task, method, dataset=dataset, track=track, limit=limit, threads=threads, out=out, progress=listener,
            listen=listen,
        )  # fmt: skip
    console.print(escape(f"best: --method '{spec}'; manifest: {path}"), soft_wrap=True)
