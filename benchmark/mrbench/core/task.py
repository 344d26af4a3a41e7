"""Task and setting: what goes in, what comes out, how it is scored, and all that a table of it is about.

One file a task under `mrbench.tasks`; `mrbench.core.binding` resolves names to a setting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isnan
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Generic, Never

import numpy as np

from mrbench.core.case import Case, CaseId, Inputs, Reference
from mrbench.core.dataset import Dataset
from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.examples import AsNeeded
from mrbench.core.grid import Grid, Holds
from mrbench.core.look import Look
from mrbench.core.metric import Metric
from mrbench.core.protocol import Protocol
from mrbench.core.track import Track

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Scores:
    """What scoring one prediction gives.

    Attributes
    ----------
    metrics : mapping of str to float
        One value for each of the task's metrics; absent where the case has no truth for it.
    details : mapping
        Finer numbers for figures, for example Dice by structure. JSON values.
    """

    metrics: Mapping[str, float]
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation(Generic[Inputs, Reference]):
    """A case and a prediction of it; tasks whose metrics share work derive from it."""

    case: Case[Inputs, Reference]
    prediction: np.ndarray

    @property
    def inputs(self) -> Inputs:
        return self.case.inputs

    @property
    def reference(self) -> Reference:
        return self.case.reference


@dataclass(frozen=True)
class Picture:
    """What a qualitative panel shows of one case and one method (2-D arrays, first axis upwards).

    ``difference`` is signed and in the units of ``reference``, so that one colour scale serves a figure.
    ``grid`` is ``(2, rows, columns)``: where each pixel's line of a drawn grid lies, or None. ``names`` are the titles
    of reference and source, ``compared`` says what the difference is to. ``scale`` enlarges the picture beyond the size
    of a single slice.
    """

    reference: np.ndarray
    source: np.ndarray
    prediction: np.ndarray
    difference: np.ndarray
    grid: np.ndarray | None = None
    names: tuple[str, str] = ("reference", "input")
    compared: str = ""
    scale: float = 1.0


class Task(ABC, Generic[Inputs, Reference]):
    """The contract between datasets, methods and scores; generic in what methods see and what only the scorer sees."""

    name: str
    representation: str = "images"
    """What of a dataset the task works on: aligned ``images``, ``k-space``, ``volumes`` as acquired, ``contrasts``,
    ``tumours``, or a word of its own."""
    version: int = 1
    """Raised by hand when what a method sees of a case changes."""
    tracks: Mapping[str, Track[Any]]
    metrics: tuple[Metric, ...]
    tracks_apart: bool = False
    """Whether each track asks for something else, so that weights of one have nothing to say on another."""
    weights_by_track: bool = True
    """Whether weights belong to a track; False where tracks differ in how they are scored alone."""
    draws: bool = False
    """Whether a case is a draw from a model and no subject, so that intervals are over draws."""
    kernels: tuple[str, ...] = ()
    """Kinds of kernels that scoring uses (`mrbench.metrics.compile_kernels`): compiled before a case is timed."""
    breakdown: str | None = None
    """Name of the per-case detail that a report may draw by key (``dice_by_structure``)."""
    spread: str | None = None
    """Name of the per-case detail that is a list, and whose distribution a report may draw beside that of real data
    (the same name and ``_real``)."""

    holds: Holds = "image"
    """What a prediction is, for files of predictions."""
    input_names: tuple[str, ...] = ()
    """What `write_inputs` returns, for commands to ask for."""
    output_ending: str = ".nii.gz"
    """Of the file that a command writes."""

    @property
    def primary(self) -> Metric:
        """The metric that ranks: the first one."""
        return self.metrics[0]

    def track(self, name: str | None, dataset: Dataset) -> Track[Any]:
        """Return the track of that name, or without one the track that suits the dataset.

        Raises
        ------
        RequestError
            If there is none, with a suggestion.
        """
        if name is None:
            return self.default_track(dataset)
        if name not in self.tracks:
            raise unknown_name(f"track of {self.name}", name, self.tracks)
        return self.tracks[name]

    def default_track(self, dataset: Dataset) -> Track[Any]:
        """Return the track of a dataset where the user names none: the first."""
        return next(iter(self.tracks.values()))

    def training_examples(self, dataset: Dataset, tracks: Sequence[Track[Any]]) -> object:
        """Return what a learned method of this task trains on: the train split, in the task's own form, as needed."""
        return AsNeeded(dataset.load, dataset.subjects("train")).checked()

    def subjects_for(self, setting: Setting, cases: Sequence[CaseId]) -> list[str]:
        """Subjects whose data the cases need: to prepare beforehand, and to key predictions on."""
        return list(dict.fromkeys(subject for case in cases for subject in case.subjects))

    def notes(self, rows: pd.DataFrame) -> list[str]:
        """Return sentences that must stand under a table of these rows, which come as `mrbench.load` returns them."""
        return []

    @abstractmethod
    def cases(self, setting: Setting) -> list[CaseId]:
        """List the cases of a setting, cheaply and always in the same order."""

    @abstractmethod
    def load(self, setting: Setting, case: CaseId) -> Case[Inputs, Reference]:
        """Load the arrays of one case.

        Raises
        ------
        DataError
            If the files of the case are bad.
        """

    @abstractmethod
    def protocol(self, setting: Setting) -> Protocol:
        """Return the frozen settings of scoring."""

    @abstractmethod
    def check(self, case: Case[Inputs, Reference], prediction: object) -> np.ndarray:
        """Return the prediction as the canonical array.

        Raises
        ------
        PredictionError
            Names what is wrong: shape, dtype, NaN, units.
        """

    def looks(self, case: Case[Inputs, Reference], prediction: np.ndarray) -> Sequence[Look]:
        """Say what of units, axes and signs was looked for in a checked prediction, and what could not be and why."""
        return ()

    def diagnose(self, case: Case[Inputs, Reference], prediction: np.ndarray) -> str | None:
        """Return a warning where the prediction looks like a convention mix-up, else None: the first of `looks`."""
        return next((look.warning for look in self.looks(case, prediction) if look.warning), None)

    def grid(self, setting: Setting, case: Case[Inputs, Reference]) -> Grid:
        """Return where a prediction of a case lies, so that one can be read from a file.

        Raises
        ------
        RequestError
            If predictions of this task do not lie on a grid, or nobody has written where.
        """
        raise RequestError(f"predictions of {self.name} cannot be read from files; give the task a method `grid`.")

    def write_inputs(self, inputs: Inputs, folder: Path) -> Mapping[str, Path | float]:
        """Write what a method sees as files for a command; returns paths and numbers by `input_names`.

        Raises
        ------
        RequestError
            If the task writes no files.
        """
        raise RequestError(f"{self.name} writes no files for commands; give the task a method `write_inputs`.")

    def read_output(self, inputs: Inputs, path: Path) -> object:
        """Read what a command wrote as a prediction.

        Raises
        ------
        DataError
            If the file is bad.
        """
        raise RequestError(f"{self.name} reads no files of commands; give the task a method `read_output`.")

    def evaluate(self, case: Case[Inputs, Reference], prediction: np.ndarray) -> Evaluation[Inputs, Reference]:
        """Return what the metrics compute from: whatever several of them share is made there once."""
        return Evaluation(case, prediction)

    def details(self, evaluation: Never) -> Mapping[str, Any]:
        """Return finer numbers for figures and notes, of what `evaluate` returns. JSON values."""
        return {}

    def score(self, case: Case[Inputs, Reference], prediction: np.ndarray) -> Scores:
        """Score one checked prediction: every metric, where the case has a truth for it."""
        evaluation = self.evaluate(case, prediction)
        values = {metric.name: metric.compute(evaluation) for metric in self.metrics if metric.compute is not None}
        known = {name: float(value) for name, value in values.items() if value is not None and not isnan(value)}
        details: Callable[[Any], Mapping[str, Any]] = self.details
        return Scores(known, details(evaluation))

    def slices(self, case: Case[Inputs, Reference]) -> int:
        """How many slices or frames of a case `picture` can show; 0 where it shows no single one."""
        return 0

    def plane(self, case: Case[Inputs, Reference]) -> int:
        """Axis that a picture cuts across."""
        return 0

    @abstractmethod
    def picture(self, case: Case[Inputs, Reference], prediction: np.ndarray, index: int | None = None) -> Picture:
        """Return the images that a panel shows; of the slice ``index``, below `slices`, or of the task's choice."""


@dataclass(frozen=True)
class Address:
    """The names that a setting was bound from: what another process binds it from again."""

    task: str
    dataset: str
    track: str
    split: str
    seed: int


@dataclass(frozen=True, eq=False)
class Setting:
    """Rows that differ in any of these never share a table.

    Attributes
    ----------
    task : Task
    dataset : Dataset
    track : Track
    split : str
        ``train``, ``validation`` or ``test``.
    seed : int
    task_name : str
        What the task was asked for as: its name, or ``file.py:Name``.
    """

    task: Task[Any, Any]
    dataset: Dataset
    track: Track[Any]
    split: str = "test"
    seed: int = 0
    task_name: str = ""

    @classmethod
    def of(
        cls, task: Task[Any, Any], dataset: Dataset, track: str | None = None, split: str = "test", seed: int = 0
    ) -> Setting:
        """Choose the track by name, or the one that suits the dataset.

        Raises
        ------
        RequestError
            If the task has no such track.
        """
        return cls(task, dataset, task.track(track, dataset), split, seed, task.name)

    @cached_property
    def protocol(self) -> Protocol:
        """The frozen settings of scoring."""
        return self.task.protocol(self)

    @cached_property
    def all_cases(self) -> tuple[CaseId, ...]:
        """Every case, in a fixed order."""
        return tuple(self.task.cases(self))

    def cases(self, limit: int | None = None) -> list[CaseId]:
        """The cases, or the first ``limit`` of them."""
        return list(self.all_cases[:limit])

    def load(self, case: CaseId) -> Case[Any, Any]:
        """Load the arrays of one case; raises `DataError` where its files are bad."""
        return self.task.load(self, case)

    def row_facts(self, case: CaseId) -> dict[str, Any]:
        """What a `Row` says of the case and the setting, whatever the method."""
        return {
            "task": self.task.name,
            "track": self.track.name,
            "dataset": self.dataset.name,
            "simulated": self.dataset.simulated,
            "fingerprint": self.dataset.fingerprint,
            "split": self.split,
            "protocol": self.protocol.hash,
            "seed": self.seed,
            "case": case.id,
            "subjects": [self.dataset.person(subject) for subject in case.subjects],
        }

    @property
    def address(self) -> Address:
        """The names to bind this setting from in another process."""
        return Address(self.task_name or self.task.name, self.dataset.address, self.track.name, self.split, self.seed)

    @property
    def folder(self) -> PurePath:
        """Where its files lie in a folder of results: task, track, dataset, and the split unless it is the test."""
        folder = PurePath(self.task.name, self.track.name, self.dataset.name)
        return folder if self.split == "test" else folder / self.split
