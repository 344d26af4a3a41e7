"""`mrbench train` and `mrbench tune`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mrbench.cli.options import Dataset, Memory, Task, Threads, Timeout, Track, check_device, refuse_unused

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from mrbench.core.method import Resources
    from mrbench.core.metric import Metric
    from mrbench.training.loop import Progress as TrainingProgress


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(
        epilog="Example: mrbench train -t registration -m voxelmorph:diffeomorphic=true -d ixi-hh-2mm --steps 4500"
    )(train)
    app.command(epilog="Example: mrbench tune -t reconstruction -k singlecoil-4x -d ixi-hh-2mm -m bart:regulariser=tv")(
        tune
    )


OF_RECIPES = (
    "task method track dataset steps learning_rate validate_every validation_limit ema keep_last extra_subjects "
    "start_from seed"
)
"""Options that a recipe holds."""


def train(
    context: typer.Context,
    task: Annotated[str | None, typer.Option("--task", "-t", help="See `mrbench list tasks`.")] = None,
    method: Annotated[str | None, typer.Option("--method", "-m", help="A learned method, with its parameters.")] = None,
    track: Annotated[
        str | None, typer.Option("--track", "-k", help="Setting of the task; A+B trains one set of weights for both.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Make shipped weights again, by their name; no other setting is needed.")
    ] = None,
    recipes: Annotated[
        bool, typer.Option("--recipes", help="Train all weights that are missing or older than their recipe.")
    ] = False,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Stop --recipe or --recipes after this many minutes.")
    ] = None,
    packs: Annotated[Path | None, typer.Option(help="Folder of `mrbench data pack`, in place of the data.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="With --recipes: trainings that run at a time.")] = 1,
    loaders: Annotated[int, typer.Option(min=0, help="Processes that draw batches ahead of the device.")] = 0,
    dataset: Dataset = "icbm-sim",
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps in all, resumed ones included.")] = 4000,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Peak of warm-up and cosine.")] = 1e-3,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations.")] = 250,
    validation_limit: Annotated[
        int | None, typer.Option(min=1, help="Validate on the first N cases of each track.")
    ] = None,
    ema: Annotated[float, typer.Option(min=0, max=1, help="Decay of a running mean of the weights; 0: none.")] = 0.0,
    keep_last: Annotated[bool, typer.Option("--keep-last", help="Keep the last weights, not the best.")] = False,
    extra_subjects: Annotated[
        int, typer.Option(min=0, help="Train on N more simulated subjects, which are in no split.")
    ] = 0,
    start_from: Annotated[Path | None, typer.Option(help="Weights to start from.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 0,
    device: Annotated[
        str,
        typer.Option(
            help="cpu, cuda, cuda:1; several, as cuda:0,cuda:1 or cpu,cpu, train together, each on a batch of its own."
        ),
    ] = "cpu",
    threads: Threads = 1,
    out: Annotated[Path, typer.Option(help="Folder of the weights and their manifest.")] = Path("weights"),
    checkpoints: Annotated[Path, typer.Option(help="Where a stopped training resumes from.")] = Path("checkpoints"),
) -> None:
    """Train a learned method on the train split; weights are chosen on the validation split.

    Stopped? The same command resumes from the last checkpoint, about a minute back. Shipped weights are made again by
    `mrbench train --recipe NAME`, all of them in order of value by `mrbench train --recipes --minutes 150`.
    """
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.cli.progress import bar, progress_bar
    from mrbench.core.errors import RequestError
    from mrbench.core.method import Resources
    from mrbench.core.registry import find_task
    from mrbench.training.loop import Schedule

    check_device(device, several=not (recipe or recipes), cpus=True)
    resources = Resources(threads, device)
    if recipe or recipes:
        refuse_unused(context, OF_RECIPES, "with a recipe, which holds it")
        if recipe and recipes:
            raise RequestError("--recipe trains one and --recipes all that need it; give one of the two.")
        if not recipes:
            refuse_unused(context, "jobs", "without --recipes")
        run = partial(train_side_by_side, jobs) if recipes and jobs > 1 else partial(train_by_recipe, recipe)
        run(minutes, resources=resources, loaders=loaders, packs=packs, out=out, checkpoints=checkpoints)
        return
    refuse_unused(context, "minutes packs jobs", "without --recipe or --recipes")
    if not task or not method:
        raise RequestError("say what to train: --task and --method, or --recipe NAME, or --recipes.")
    console, primary = Console(), find_task(task).primary
    schedule = Schedule(steps, learning_rate, min(validate_every, steps), keep_last=keep_last, ema=ema)
    with progress_bar(console) as listener, bar(console) as drawn:
        line = drawn.add_task("training", total=steps)
        path = api.train(
            task,
            method,
            schedule=schedule,
            dataset=dataset,
            track=track,
            extra_subjects=extra_subjects,
            start_from=start_from,
            validation_limit=validation_limit,
            seed=seed,
            resources=resources,
            loaders=loaders,
            out=out,
            checkpoints=checkpoints,
            progress=listener,
            listen=partial(draw, drawn, line, primary),
        )
    console.print(escape(f"weights: {path}; use them with weights={path}"), soft_wrap=True)


def draw(
    drawn: RichProgress, line: TaskID, metric: Metric, state: TrainingProgress, loss: float, score: float | None
) -> None:
    """Move the bar of a training, and print a validation above it."""
    best = metric.sign * state.best_score
    drawn.update(line, completed=state.step, description=f"loss {loss:.4f}  best {best:.4f}")
    if score is not None:
        text = f"step {state.step}: validation {metric.name} {metric.sign * score:.4f}, {state.seconds:.0f} s"
        drawn.console.print(text, soft_wrap=True)


def train_side_by_side(
    jobs: int,
    minutes: float | None,
    *,
    resources: Resources,
    loaders: int,
    packs: Path | None,
    out: Path,
    checkpoints: Path,
) -> None:
    """Train all that need it, several at a time; each line says whose it is."""
    from mrbench.training.parallel import train_in_parallel

    paths = train_in_parallel(
        jobs,
        minutes,
        out=out,
        checkpoints=checkpoints,
        resources=resources,
        packs=packs,
        loaders=loaders,
        say=typer.echo,
    )
    typer.echo("weights: " + (", ".join(map(str, paths)) or "none was finished."))


def train_by_recipe(
    recipe: str | None,
    minutes: float | None,
    *,
    resources: Resources,
    loaders: int,
    packs: Path | None,
    out: Path,
    checkpoints: Path,
) -> None:
    """Train one recipe, or all that need it: a bar on a terminal, a line for each validation, where it stopped."""
    from rich.console import Console
    from rich.markup import escape

    from mrbench.cli.progress import bar
    from mrbench.core.registry import find_task
    from mrbench.training.recipes import TrainingRecipe, train_recipes
    from mrbench.training.stopping import TrainingStopped

    console = Console()
    with bar(console) as drawn:
        line = drawn.add_task("training", total=None, visible=False)
        current: list[TrainingRecipe] = []

        def say(sentence: str) -> None:
            drawn.console.print(escape(sentence), soft_wrap=True)

        def announce(started: TrainingRecipe) -> None:
            current[:] = [started]
            say(f"{started.name}: {started.steps} steps, about {started.minutes:g} minutes of one core")

        def listen(state: TrainingProgress, loss: float, score: float | None) -> None:
            (recipe,) = current
            drawn.update(line, total=recipe.steps, visible=True)
            draw(drawn, line, find_task(recipe.task).primary, state, loss, score)

        try:
            paths = train_recipes(
                minutes,
                only=recipe,
                out=out,
                checkpoints=checkpoints,
                resources=resources,
                packs=packs,
                loaders=loaders,
                announce=announce,
                report=listen,
                say=say,
            )
        except TrainingStopped as stopped:
            say(str(stopped))
            raise typer.Exit(code=stopped.exit_code) from None
        if not paths:
            say("weights: all are as their recipes say.")


def tune(
    task: Task,
    method: Annotated[str, typer.Option("--method", "-m", help="A classical method, with its other parameters.")],
    track: Track = None,
    dataset: Dataset = "icbm-sim",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N validation cases.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="What decides; the task's first metric unless given (`mrbench list metrics`).")
    ] = None,
    threads: Threads = 1,
    timeout: Timeout = None,
    memory: Memory = None,
    out: Annotated[Path, typer.Option(help="Folder of the manifest.")] = Path("tuned"),
) -> None:
    """Choose the parameters of a classical method on the validation split, and record how."""
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.cli.progress import progress_bar
    from mrbench.core.method import Resources
    from mrbench.core.registry import find_task
    from mrbench.engine.plan import Options

    console, decisive = Console(), metric or find_task(task).primary.name

    def listen(parameters: Mapping[str, float], score: float) -> None:
        text = ", ".join(f"{name} {value:g}" for name, value in parameters.items())
        console.print(f"{text}: validation {decisive} {score:.4f}")

    with progress_bar(console) as listener:
        spec, path = api.tune(
            task,
            method,
            dataset=dataset,
            track=track,
            limit=limit,
            metric=metric,
            options=Options(Resources(threads), timeout=timeout, memory=memory),
            out=out,
            progress=listener,
            listen=listen,
        )
    console.print(escape(f"best: --method '{spec}'; manifest: {path}"), soft_wrap=True)
