"""Datasets: their subjects, prepared, fetched and verified."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrbench.core.case import SPLITS
from mrbench.core.errors import RequestError
from mrbench.core.registry import dataset_names, find_dataset

if TYPE_CHECKING:
    pass
from mrbench.api.progress import SILENT, Progress


def dataset(name: str, representation: str | None = None) -> Any:
    """The dataset of that name, to use its subjects in code of your own.

    Parameters
    ----------
    name : str
        As on the command line: ``ixi-hh-2mm``, ``folder:PATH``, ``file.py:Name``.
    representation : str, optional
        ``images``, ``k-space``, ``volumes``, ``contrasts`` or ``tumours``; default: the first that it comes in.

    Examples
    --------
    >>> cohort = dataset("icbm-sim")
    >>> [cohort.load(subject).images["T1"].shape for subject in cohort.subjects("test")[:1]]  # doctest: +SKIP
    [(96, 112, 96)]
    """
    return find_dataset(name, representation)


def prepare(dataset: Any, subjects: Sequence[str], progress: Progress = SILENT) -> int:
    """Make and cache the subjects that are missing; returns how many there were."""
    from mrbench.datasets.preparation import prepared

    todo = [subject for subject in dict.fromkeys(subjects) if not dataset.is_prepared(subject)]
    for done, _ in enumerate(prepared(dataset, todo) if todo else (), start=1):
        progress.preparing(dataset.name, done, len(todo))
    return len(todo)


def prepare_dataset(dataset: str, split: str | None = None, progress: Progress = SILENT) -> dict[str, tuple[int, Path]]:
    """Make and cache the subjects of a dataset, in every representation that it comes in.

    Returns
    -------
    dict
        Representation to the number of subjects that are ready, and where.
    """
    ready = {}
    for representation in dataset_names().get(dataset, ["images"]):
        data = find_dataset(dataset, representation)
        subjects = [subject for name in ([split] if split else SPLITS) for subject in data.subjects(name)]
        prepare(data, subjects, progress)
        ready[representation] = (len(subjects), data.cache)
    return ready


def fetch(dataset: str, progress: Progress = SILENT) -> int:
    """Fetch and verify every source file of a dataset; returns how many there are."""
    from mrbench.datasets.fetch import source_file

    data = find_dataset(dataset)
    files = data.split_file.files if data.split_file.source else {}
    for done, name in enumerate(files, start=1):
        source_file(data.name, data.split_file, name)
        progress.preparing(dataset, done, len(files))
    return len(files)


def verify(dataset: str, progress: Progress = SILENT) -> dict[str, int]:
    """Check splits and files of a dataset; returns how many subjects each split has.

    Raises
    ------
    RequestError
        If a subject stands in two splits.
    DataError
        If a file is not the pinned one.
    """
    data = find_dataset(dataset)
    if leaks := data.split_file.leaks():
        raise RequestError(f"{dataset}: {', '.join(leaks)} stand in more than one split; mend its splits.")
    fetch(dataset, progress)
    return {split: len(data.subjects(split)) for split in SPLITS}
