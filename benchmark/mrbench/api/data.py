"""Datasets: their subjects, prepared, fetched and verified."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mrbench.api.progress import SILENT, Progress
from mrbench.core.arguments import check_text
from mrbench.core.case import SPLITS
from mrbench.core.dataset import Dataset
from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.registry import dataset_names, find_dataset

if TYPE_CHECKING:
    import pandas

    from mrbench.space.heads import Alignment


def dataset(name: str, representation: str | None = None) -> Dataset:
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
    check_text(name=name, representation=representation)
    return find_dataset(name, representation)


def prepare(dataset: Dataset, subjects: Sequence[str], progress: Progress = SILENT) -> int:
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


HEADS_PICTURE = "heads.png"


def prepare_heads(
    folder: Path | str,
    out: Path | str,
    *,
    strip: bool = True,
    align: Alignment = "affine",
    onto: str | None = None,
    spacing: float = 2.0,
    progress: Progress = SILENT,
) -> pandas.DataFrame:
    """Strip and align the heads of a folder, and write a folder that registration and synthesis take.

    Beside images, masks, labels and their table lie ``quality.csv`` and a picture, ``heads.png``.

    Parameters
    ----------
    folder : path
        Heads in any layout that `mrbench data index` understands.
    out : path
        Folder to make; must be empty or absent.
    strip : bool
        Remove what is not brain.
    align : {"affine", "rigid"}
        How freely heads are moved.
    onto : str, optional
        The subject that all others are aligned to, itself moved rigidly. Default: the ICBM template.
    spacing : float
        mm, 0.5 to 8.
    progress : Progress
        Is told how far it is; default: nothing is.

    Returns
    -------
    DataFrame
        ``subject``, ``brain_by``, ``overlap`` and ``correlation`` with what it was aligned to, and ``note``: what is
        wrong.

    Raises
    ------
    RequestError
        If the spacing or the alignment cannot be, or there is no subject ``onto``.
    DataError
        If nothing could be prepared, or ``out`` holds something.
    """
    from mrbench.datasets.index import understood
    from mrbench.datasets.own_heads import prepare_heads as prepared_heads
    from mrbench.datasets.own_heads import quality
    from mrbench.report.heads import heads_picture

    if align not in ("affine", "rigid"):
        raise unknown_name("alignment", align, ("affine", "rigid"))
    if not 0.5 <= spacing <= 8:
        raise RequestError(f"voxels of {spacing:g} mm are asked for; give 0.5 to 8.")
    source, heads = Path(folder), []
    total = len(understood(source).rows)
    for head in prepared_heads(source, Path(out), strip=strip, how=align, onto=onto, spacing=spacing):
        heads.append(head)
        progress.preparing(source.name, len(heads), total)
    heads_picture(heads).savefig(Path(out) / HEADS_PICTURE, dpi=150)
    return quality(heads)


def fetch(dataset: str, progress: Progress = SILENT) -> int:
    """Fetch and verify every source file of a dataset; returns how many there are."""
    from mrbench.datasets.fetch import source_file
    from mrbench.datasets.split_file import SplitFile

    data = find_dataset(dataset)
    assert isinstance(data.split_file, SplitFile)
    files = data.split_file.files if data.split_file.source else {}
    for done, name in enumerate(files, start=1):
        source_file(data.files_of or data.name, data.split_file, name)
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
