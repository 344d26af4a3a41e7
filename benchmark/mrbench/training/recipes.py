"""Recipes: how every shipped set of weights is made again from nothing, and what trains them in order of value.

A method's folder holds ``recipes.toml``, one table for each set of weights, named as its file is:

    ["voxelmorph.ixi-hh-2mm"]
    method = "voxelmorph"
    dataset = "ixi-hh-2mm"
    tracks = ["inter-subject"]
    steps = 9000
    learning_rate = 1e-3
    order = 1

Batch, loss and augmentation are the method's own and stand in the manifest of the weights.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from mrbench.core.dataset import Dataset
from mrbench.core.errors import DataError, RequestError, unknown_name
from mrbench.core.method import LearnedMethod, Resources
from mrbench.core.registry import find_dataset, find_method, find_task, method_names, module_file, task_names
from mrbench.core.specification import built, parse_spec
from mrbench.core.task import Task
from mrbench.core.weights import read_manifest, weights_folder, weights_name
from mrbench.core.words import counted
from mrbench.datasets.preparation import prepared
from mrbench.training.fit import fit
from mrbench.training.loop import Report, Schedule
from mrbench.training.packing import pack_path, use_pack
from mrbench.training.stopping import TrainingStopped, stopping

FILE = "recipes.toml"

State = Literal["missing", "outdated", "done"]


@dataclass(frozen=True)
class TrainingRecipe:
    """One set of weights and all that its training needs.

    Attributes
    ----------
    name : str
        ``<network>.<weights>``: the file's name without its suffix.
    method : str
        With the parameters that make the network: ``voxelmorph[diffeomorphic=true]``.
    order : int
        Place in the order of value, 1 first.
    minutes : float
        About how long one core takes; for planning, it ends nothing.
    shipped : Path
        Where the method ships its weights.

    The others are those of `mrbench.training.fit.fit` and `mrbench.training.loop.Schedule`.
    """

    name: str
    task: str
    method: str
    dataset: str
    tracks: tuple[str, ...]
    steps: int
    learning_rate: float
    order: int
    minutes: float
    shipped: Path = field(compare=False)
    validate_every: int = 500
    ema: float = 0.0
    keep_last: bool = False
    seed: int = 0
    extra_subjects: int = 0
    validation_limit: int | None = None

    @property
    def schedule(self) -> Schedule:
        return Schedule(
            self.steps, self.learning_rate, validate_every=self.validate_every, ema=self.ema, keep_last=self.keep_last
        )

    def parts(self) -> tuple[Task, Dataset, LearnedMethod]:
        """Return task, dataset and method, resolved.

        Raises
        ------
        RequestError
            If the method is not a learned one, or its weights would have another name than the recipe.
        """
        task = find_task(self.task)
        dataset = find_dataset(self.dataset, task.representation)
        if self.extra_subjects:
            dataset.add_extra_subjects(self.extra_subjects)
        spec = parse_spec(self.method)
        method = built(find_method(spec.name, self.task), spec)
        if not isinstance(method, LearnedMethod):
            raise RequestError(f"recipe '{self.name}': {self.method} has nothing to train; name a learned method.")
        name = f"{method.network}.{weights_name(task, self.dataset, self.tracks)}"
        if name != self.name:
            raise RequestError(f"recipe '{self.name}' makes {name}; mend its name, method, dataset or tracks.")
        return task, dataset, method

    def state(self, out: Path) -> State:
        """Whether weights of this recipe, as it is today, lie in ``out`` or are shipped."""
        manifests = [folder / f"{self.name}.json" for folder in (out, self.shipped)]
        there = [read_manifest(path) for path in manifests if path.is_file()]
        if any(self._fits(manifest) for manifest in there):
            return "done"
        return "outdated" if there else "missing"

    def _fits(self, manifest: dict[str, object]) -> bool:
        settings = ("steps", "learning_rate", "ema", "seed", "extra_subjects")
        return manifest.get("recipe") == self.name and all(manifest.get(key) == getattr(self, key) for key in settings)


def recipes() -> list[TrainingRecipe]:
    """All recipes of all installed methods, most valuable first."""
    known: dict[str, TrainingRecipe] = {}
    for task in task_names():
        for method in {find_method(name, task) for name in method_names(task)}:
            path = module_file(method).parent / FILE
            if issubclass(method, LearnedMethod) and path.is_file():
                known |= {recipe.name: recipe for recipe in read_recipes(path, task, weights_folder(method))}
    return sorted(known.values(), key=lambda recipe: (recipe.order, recipe.name))


def read_recipes(path: Path, task: str, shipped: Path) -> Iterator[TrainingRecipe]:
    """Read a recipe file.

    Raises
    ------
    RequestError
        If it is no TOML, or an entry lacks something or has something unknown.
    """
    try:
        tables = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"{path} is no valid TOML: {error}.") from None
    wanted = {item.name for item in fields(TrainingRecipe)} - {"name", "task", "shipped"}
    for name, table in tables.items():
        if unknown := sorted(set(table) - wanted):
            raise unknown_name(f"key of recipe '{name}' in {path.name}", unknown[0], wanted)
        try:
            yield TrainingRecipe(name, task, shipped=shipped, **{**table, "tracks": tuple(table["tracks"])})
        except (TypeError, KeyError) as error:
            raise RequestError(f"{path}, recipe '{name}' is incomplete: {error}.") from None


def find_recipe(name: str) -> TrainingRecipe:
    """Return the recipe of that name, or refuse with a suggestion."""
    known = {recipe.name: recipe for recipe in recipes()}
    if name not in known:
        raise unknown_name("recipe", name, known)
    return known[name]


def train_recipe(
    name: str,
    *,
    out: Path,
    checkpoints: Path,
    resources: Resources | None = None,
    packs: Path | None = None,
    loaders: int = 0,
    stop: Callable[[], bool] = lambda: False,
    report: Report = lambda progress, loss, score: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """Train one recipe, or continue it from its checkpoint.

    Parameters
    ----------
    name : str
        Of the recipe: the name of its weights.
    out, checkpoints : Path
        Folders.
    resources : Resources, optional
        Threads and device.
    packs : Path, optional
        Folder of packed data (`mrbench.training.packing`), used instead of the cache.
    loaders : int
        Processes that draw batches ahead.
    stop : callable
        As of `mrbench.training.loop.train`.
    report : callable
        Called after each step with progress, loss and score.
    say : callable
        Hears what is prepared and which weights will be replaced.

    Returns
    -------
    Path
        The weights.

    Raises
    ------
    TrainingStopped
        If ``stop`` said so; the same call continues.
    RequestError
        If there is no such recipe, or no pack of its data in ``packs``.
    """
    recipe = find_recipe(name)
    task, dataset, method = recipe.parts()
    unpacked = [s for split in ("train", "validation") for s in dataset.subjects(split)]
    if packs is not None:
        unpacked = list(dataset.extra_subjects)  # a pack holds none
    missing = [subject for subject in unpacked if not dataset.is_prepared(subject)]
    if missing:
        say(f"preparing {counted(len(missing), 'subject')} of {dataset.name} first")
    for _ in prepared(dataset, missing):
        if stop():
            raise TrainingStopped(f"stopped while preparing {dataset.name}; the same command continues.")
    if packs is not None:
        use_pack(dataset, pack_path(packs, recipe.dataset, task.representation))
    return fit(
        method,
        parse_spec(recipe.method),
        task,
        dataset,
        [task.track(track, dataset) for track in recipe.tracks],
        recipe.schedule,
        out=out,
        checkpoints=checkpoints,
        seed=recipe.seed,
        resources=resources,
        validation_limit=recipe.validation_limit,
        loaders=loaders,
        report=report,
        say=say,
        stop=stop,
        recipe_name=recipe.name,
    )


def train_recipes(
    minutes: float | None = None,
    *,
    only: str | None = None,
    out: Path,
    checkpoints: Path,
    resources: Resources | None = None,
    packs: Path | None = None,
    loaders: int = 0,
    announce: Callable[[TrainingRecipe], None] = lambda recipe: None,
    report: Report = lambda progress, loss, score: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> list[Path]:
    """Train what is missing or older than its recipe, most valuable first, until all is done or time is up.

    The time limit, SIGTERM and Ctrl-C all leave a checkpoint, from which the same call continues. A recipe that cannot
    be trained, as for want of its data, does not keep the others from it.

    Parameters
    ----------
    minutes : float, optional
        Wall time in all.
    only : str, optional
        Name of the one recipe to train, even if its weights are there.
    out : Path
        Where weights and manifests go.
    checkpoints : Path
        Where states of unfinished trainings lie.
    resources : Resources, optional
        Threads and device.
    packs : Path, optional
        Folder of packs, for a machine without the data.
    loaders : int
        Processes that draw batches ahead.
    announce : callable
        Called with each recipe before it starts.
    report : callable
        Called after each step with progress, loss and score.
    say : callable
        Hears what is prepared, each set of weights that is finished, and why a recipe cannot be trained.

    Returns
    -------
    list of Path
        The weights that were finished.

    Raises
    ------
    TrainingStopped
        Says where a training stopped.
    RequestError
        Of one recipe, why it cannot be trained; of all, which could not, when the others are done.
    """
    finished, left = [], []
    with stopping(minutes) as stop:
        for recipe in [find_recipe(only)] if only else recipes():
            try:
                if not only and recipe.state(out) == "done":
                    continue
                announce(recipe)
                path = train_recipe(
                    recipe.name,
                    out=out,
                    checkpoints=checkpoints,
                    resources=resources,
                    packs=packs,
                    loaders=loaders,
                    stop=stop,
                    report=report,
                    say=say,
                )
            except (RequestError, DataError) as error:
                if only:
                    raise
                say(f"{recipe.name}: {error}")
                left.append(recipe.name)
            else:
                say(f"weights: {path}")
                finished.append(path)
    refuse_left(left)
    return finished


def refuse_left(names: Sequence[str]) -> None:
    """Raise `RequestError` where recipes could not be trained."""
    if names:
        raise RequestError(f"not trained: {', '.join(names)}; mend what is said above and run the same command again.")
