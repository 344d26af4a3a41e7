"""Dataset and Subject: where cases come from, prepared once, cached and checksummed."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from mrbench.core.case import SPLITS
from mrbench.core.errors import DataError, RequestError, unknown_name
from mrbench.io.files import cache_root, checksum_ok, write_atomically, write_checksum


@dataclass(frozen=True)
class Subject:
    """One person, loaded: axes ``(z, y, x)``, RAS+ orientation.

    Attributes
    ----------
    id : str
    images : mapping of str to ndarray
        Contrast name to float32 volume, scaled by a fixed percentile to [0, 1].
    mask : ndarray of bool
        Brain or region of interest.
    labels : ndarray of int16 or None
        Structure labels; 0 is background.
    spacing : tuple of float
        mm, in array order.
    truth : mapping of str to ndarray
        What only a simulation knows, for example the deformation to the template.
    """

    id: str
    images: Mapping[str, np.ndarray]
    mask: np.ndarray
    labels: np.ndarray | None
    spacing: tuple[float, float, float]
    truth: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitFile:
    """A versioned split: subject ids, and the sha256 of every source file where there are any."""

    version: int
    splits: Mapping[str, tuple[str, ...]]
    files: Mapping[str, Mapping[str, str]]
    source: Mapping[str, str]
    sha256: str

    @classmethod
    def read(cls, path: Path) -> SplitFile:
        raw = path.read_bytes()
        content = json.loads(raw)
        splits = {name: tuple(content["splits"][name]) for name in SPLITS}
        return cls(
            version=content["version"],
            splits=splits,
            files=content.get("files", {}),
            source=content.get("source", {}),
            sha256=hashlib.sha256(raw).hexdigest(),
        )

    def leaks(self) -> list[str]:
        """Subjects that stand in more than one split."""
        everyone = [subject for ids in self.splits.values() for subject in set(ids)]
        return sorted({subject for subject in everyone if everyone.count(subject) > 1})


class Dataset(ABC):
    """A named cohort with fixed splits.

    Subclasses set the class attributes and write `make`; loading, caching and checking are done here.
    """

    name: str
    title: str
    simulated: bool = False
    simulation: str = "simulated data"
    """What tables say of a simulated dataset."""
    endless: bool = False
    """Whether `make` simulates a person for every id, those of no split too."""
    extra_subjects: tuple[str, ...] = ()
    """People of no split who train as well (`add_extra_subjects`)."""
    citation: str
    licence: str
    preparation: int
    """Raised by hand whenever `make` changes what it returns."""
    form: str = ""
    """Tells apart several preparations of one dataset."""
    structures: Mapping[str, tuple[int, ...]] = {}
    """Major structures by name; a structure may merge several labels."""
    address: str = ""
    """What `find_dataset` takes, where it is not the name."""

    def __init__(self) -> None:
        self.address = self.name

    @property
    def split_path(self) -> Path:
        return Path(__file__).parent / "splits" / f"{self.name}.json"

    @cached_property
    def split_file(self) -> SplitFile:
        return SplitFile.read(self.split_path)

    def subjects(self, split: str) -> tuple[str, ...]:
        """List the subject ids of a split, in the order of the split file; `further` people come last."""
        if split not in self.split_file.splits:
            raise unknown_name("split", split, self.split_file.splits)
        return self.split_file.splits[split] + (self.extra_subjects if split == "train" else ())

    def add_extra_subjects(self, people: int) -> None:
        """Let that many more simulated people train; their ids belong to no split, of this version or a later one.

        Raises
        ------
        RequestError
            If the people of this dataset are real, or their number is fixed.
        """
        if people and not self.endless:
            raise RequestError(f"{self.name} has no further people to simulate; leave out --extra-subjects.")
        self.extra_subjects = tuple(f"further{number:03d}" for number in range(people))

    @property
    def fingerprint(self) -> str:
        """12 hex digits that change whenever a subject's arrays or the splits do."""
        facts = f"{self.name}{self.form}|{self.preparation}|{self.split_file.sha256}"
        return hashlib.sha256(facts.encode()).hexdigest()[:12]

    def content_key(self, subject: str) -> str:
        """Hash of all that one subject's arrays depend on."""
        return hashlib.sha256(f"{self.fingerprint}|{subject}".encode()).hexdigest()[:12]

    @abstractmethod
    def make(self, subject: str) -> Subject:
        """Make one subject from its source. Slow; `load` caches what it returns."""

    @property
    def cache(self) -> Path:
        return cache_root() / "datasets" / f"{self.name}-{self.fingerprint}"

    def is_prepared(self, subject: str) -> bool:
        return checksum_ok(self.cache / f"{subject}.npz")

    def prepare(self, subjects: Iterable[str]) -> Iterable[str]:
        """Make and cache the subjects that are missing, yielding each id when it is ready."""
        for subject in subjects:
            if not self.is_prepared(subject):
                self._store(self.make(subject))
            yield subject

    def load(self, subject: str) -> Subject:
        """Load one subject, making it first if the cache lacks it or holds a damaged copy."""
        path = self.cache / f"{subject}.npz"
        if not checksum_ok(path):
            self._store(self.make(subject))
        with np.load(path, allow_pickle=False) as arrays:
            groups: dict[str, dict[str, np.ndarray]] = {"image": {}, "truth": {}}
            for key in arrays.files:
                kind, _, name = key.partition(".")
                if kind in groups:
                    groups[kind][name] = arrays[key]
            return Subject(
                id=subject,
                images=groups["image"],
                mask=arrays["mask"],
                labels=arrays["labels"] if "labels" in arrays.files else None,
                spacing=tuple(arrays["spacing"].tolist()),
                truth=groups["truth"],
            )

    def _store(self, subject: Subject) -> None:
        check_subject(subject)
        arrays = {f"image.{name}": image for name, image in subject.images.items()}
        arrays |= {f"truth.{name}": field for name, field in subject.truth.items()}
        arrays |= {"mask": subject.mask, "spacing": np.asarray(subject.spacing)}
        if subject.labels is not None:
            arrays["labels"] = subject.labels
        path = self.cache / f"{subject.id}.npz"
        with write_atomically(path) as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        write_checksum(path)


def check_subject(subject: Subject) -> None:
    """Refuse a subject whose arrays disagree in shape or hold NaN.

    Raises
    ------
    DataError
        Names the subject, the array and what is wrong with it.
    """
    shape = subject.mask.shape
    arrays = dict(subject.images) | ({} if subject.labels is None else {"labels": subject.labels})
    for name, array in arrays.items():
        if array.shape != shape:
            raise DataError(
                f"subject '{subject.id}': {name} has shape {array.shape} but the mask has {shape}; "
                "resample them to one grid."
            )
        if not np.isfinite(array).all():
            raise DataError(
                f"subject '{subject.id}': {name} holds NaN or infinite values; replace them in the source file."
            )
    if not subject.mask.any():
        raise DataError(f"subject '{subject.id}': the mask is empty; check the label file.")
