"""Prepared data in one small file, so that a machine without the sources, such as a rented GPU, can train on them."""

from __future__ import annotations

import io
import json
import lzma
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mrbench.core.arguments import check_number
from mrbench.core.dataset import Dataset
from mrbench.core.errors import DataError, RequestError, brief
from mrbench.datasets.dataset import Subject
from mrbench.io.files import check_writable, sha256_of, write_atomically

LIMIT_MIB = 40
"""What a pack may weigh."""

LEVELS = 255
"""Intensities are rounded to this many steps of their image's maximum: an SD of 0.0011 of it."""

INFO = "pack.json"

DAMAGE = (zipfile.BadZipFile, lzma.LZMAError, NotImplementedError, RuntimeError)
"""What `zipfile` raises besides, on bytes that are no archive."""


def pack_path(folder: Path, dataset: str, representation: str) -> Path:
    """Where the pack of a dataset's representation lies."""
    return folder / f"{dataset}.{representation}.pack.zip"


def pack(dataset: Dataset, path: Path, *, limit_mib: float = LIMIT_MIB) -> dict[str, int]:
    """Write the prepared validation subjects and as many train subjects as fit, images rounded to 8 bits.

    A pack is a zip file of ``.npy`` arrays. Test subjects never enter one. Of data that are cut to slices later, as
    simulated k-space is, whole volumes are kept.

    Parameters
    ----------
    dataset : Dataset
        Whose prepared subjects are packed.
    path : Path
        Where to.
    limit_mib : float
        Largest size of the file.

    Returns
    -------
    dict
        Number of subjects by split.

    Raises
    ------
    DataError
        If two train subjects and the validation split do not fit, or the folder cannot be written.
    """
    check_number(0, limit_mib=limit_mib)
    check_writable(path.parent)
    kept: dict[str, list[str]] = {"validation": [], "train": []}
    buffer = io.BytesIO()
    limit = limit_mib * 2**20 - 2**16  # the directory at the end
    largest = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        for split, subjects in kept.items():
            for name in dataset.subjects(split):
                files = _arrays(dataset.load(name))
                before = buffer.tell()
                # to compress twice takes as long again: only where the next subject may be too many
                if (not largest or before + 3 * largest > limit) and before + _compressed(files) > limit:
                    break
                for key, array in files.items():
                    archive.writestr(f"{name}/{key}.npy", _npy(array))
                largest = max(largest, buffer.tell() - before)
                subjects.append(name)
        info = {
            "dataset": dataset.name,
            "fingerprint": dataset.fingerprint,
            "levels": LEVELS,
            "splits": kept,
        }
        archive.writestr(INFO, json.dumps(info, indent=1))
    if len(kept["train"]) < 2 or len(kept["validation"]) < len(dataset.subjects("validation")):
        raise DataError(f"{dataset.name} does not fit into {limit_mib:g} MiB; raise the limit.")
    with write_atomically(path) as file:
        file.write(buffer.getvalue())
    return {split: len(subjects) for split, subjects in kept.items()}


def use_pack(dataset: Dataset, path: Path) -> None:
    """Let a dataset take its train and validation subjects from a pack instead of the cache.

    Extra subjects are in no pack: they are simulated where they are needed.

    Raises
    ------
    RequestError
        If the pack is missing, damaged, or of other data.
    """
    if not path.is_file():
        raise RequestError(f"no pack at {path}; write it with `mrbench data pack {dataset.name}`.")
    with _whole(path), zipfile.ZipFile(path) as archive:
        info = json.loads(archive.read(INFO))
        held = info["dataset"], info["fingerprint"]
        splits = {split: tuple(subjects) for split, subjects in info["splits"].items()}
    if held != (dataset.name, dataset.fingerprint):
        raise RequestError(f"{path} holds {held[0]} in another version; pack {dataset.name} again.")
    everyone = {subject for subjects in splits.values() for subject in subjects}
    extra, make = dataset.extra_subjects, dataset.load

    def subjects(split: str) -> Sequence[str]:
        if split not in splits:
            raise RequestError(f"{path} holds no {split} subjects; a pack is for training alone.")
        return splits[split] + (extra if split == "train" else ())

    def load(subject: str) -> Subject:
        if subject in extra:
            return make(subject)
        if subject not in everyone:
            raise RequestError(f"{path} does not hold subject '{subject}'.")
        with _whole(path):
            return _load(path, subject)

    dataset.subjects = subjects  # type: ignore[method-assign, assignment]
    dataset.load = load  # type: ignore[method-assign]
    dataset.packed = sha256_of(path)


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Make what reading a damaged pack raises one sentence."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, *DAMAGE) as error:
        raise RequestError(f"{path} is no pack, or damaged ({brief(error)}); write it again.") from None


def _arrays(subject: Subject) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for name, image in subject.images.items():
        top = float(image.max()) or 1.0
        arrays[f"image.{name}"] = np.round(image * (LEVELS / top)).astype(np.uint8)
        arrays[f"top.{name}"] = np.asarray(top, np.float32)
    arrays |= {"mask": subject.mask, "spacing": np.asarray(subject.spacing)}
    if subject.labels is not None:
        arrays["labels"] = subject.labels
    return arrays


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    return file.getvalue()


def _compressed(files: dict[str, np.ndarray]) -> int:
    """Bytes that the arrays of one subject will take."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        for key, array in files.items():
            archive.writestr(key, _npy(array))
    return buffer.tell()


def _load(path: Path, subject: str) -> Subject:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith(f"{subject}/")]
        arrays = {
            name.removeprefix(f"{subject}/").removesuffix(".npy"): np.lib.format.read_array(
                io.BytesIO(archive.read(name)), allow_pickle=False
            )
            for name in names
        }
    images = {
        key.removeprefix("image."): array.astype(np.float32) * (arrays[key.replace("image.", "top.", 1)] / LEVELS)
        for key, array in arrays.items()
        if key.startswith("image.")
    }
    return Subject(subject, images, arrays["mask"], arrays.get("labels"), tuple(arrays["spacing"].tolist()))
