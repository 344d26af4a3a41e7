"""Every task by name. A new task is one line here and one file beside it."""

from __future__ import annotations

from mrbench.core.errors import unknown_name
from mrbench.core.task import Task
from mrbench.datasets.dataset import Dataset
from mrbench.tasks.denoising import Denoising
from mrbench.tasks.generation import Generation
from mrbench.tasks.reconstruction import Reconstruction
from mrbench.tasks.registration import Registration
from mrbench.tasks.segmentation import Segmentation
from mrbench.tasks.super_resolution import SuperResolution
from mrbench.tasks.synthesis import Synthesis

TASKS: dict[str, type[Task]] = {
    "denoising": Denoising,
    "generation": Generation,
    "reconstruction": Reconstruction,
    "registration": Registration,
    "segmentation": Segmentation,
    "super-resolution": SuperResolution,
    "synthesis": Synthesis,
}


def find_task(name: str) -> Task:
    """Return the task of that name; raises `RequestError` with a suggestion if there is none."""
    if name not in TASKS:
        raise unknown_name("task", name, TASKS)
    return TASKS[name]()


def find_track(task: Task, name: str | None, dataset: Dataset) -> str:
    """Return the track of that name, or the one that suits the dataset; raises `RequestError` if there is none."""
    if name is None:
        return task.track_for(dataset)
    if name not in task.tracks:
        raise unknown_name(f"track of {task.name}", name, task.tracks)
    return name
