"""Dataset: where cases come from, prepared once, cached and checksummed."""

from __future__ import annotations

import hashlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path

from mrbench.core.errors import DataError, RequestError, unknown_name
from mrbench.datasets.split_file import SplitFile
from mrbench.datasets.subject import Subject, check_subject, read_subject, write_subject
from mrbench.io.files import cache_root, checksum_ok, content_digest
from mrbench.io.paths import checked_id, inside

__all__ = ["Dataset", "SplitFile", "Subject", "check_subject"]

REMARKS = 5
"""Of what is left out: so many stand under a table, and the number of the others."""


class Dataset(ABC):
    """A named cohort with fixed splits.

    A dataset of one's own sets `name` and `splits` and writes `make`; `source_files` lets rows be kept for as long as
    those files are as they were. Loading, caching and checking are done here.

    Examples
    --------
    >>> class Hearts(Dataset):
    ...     name = "hearts"
    ...     splits = {"test": ["h1", "h2"]}
    ...     def make(self, subject):
    ...         volume = read_volume(Path(f"/data/{subject}.nii.gz"))
    ...         return Subject(subject, {"T1": volume.array}, volume.array > 0, None, volume.spacing)
    """

    name: str
    title: str = ""
    """For tables; default: the name."""
    representation: str = "images"
    """What it holds: aligned ``images``, ``k-space``, ``volumes`` as acquired, ``contrasts`` or ``tumours``."""
    splits: Mapping[str, Sequence[str]] | None = None
    """Subjects by split; default: the JSON file of this name among the built-in splits."""
    simulated: bool = False
    simulation: str = "simulated data"
    """What tables say of a simulated dataset."""
    endless: bool = False
    """Whether `make` simulates a person for every id, those of no split too."""
    extra_subjects: tuple[str, ...] = ()
    """Subjects of no split who train as well (`add_extra_subjects`)."""
    citation: str = "not stated"
    licence: str = "not stated"
    terms: str = ""
    """What fetching the data agrees to, where a licence asks more than its name says."""
    preparation: int = 1
    """Raised by hand whenever `make` changes what it returns."""
    form: str = ""
    """Tells apart several preparations of one dataset."""
    structures: Mapping[str, tuple[int, ...]] = {}
    """Major structures by name; a structure may merge several labels."""
    packed: str = ""
    """sha256 of the pack that its subjects come from, if they do not come from the cache."""
    address: str = ""
    """What finds the dataset, where it is not the name."""
    files_of: str = ""
    """Name of the dataset whose source files these are, where it is another."""
    borrowed: Mapping[str, str] = {}
    """Subjects that another dataset has, too, with its name: what was chosen with them has seen that one's."""
    atlases: tuple[str, ...] = ()
    """Subjects that others are registered with and that are no case's person."""
    published: str = ""
    """Beginning of the names of the tracks by which these data are published, ``fastmri-knee``; empty for none."""
    notes: tuple[str, ...] = ()
    """What a run says before it starts: how files were read, one sentence each."""
    left_out: tuple[str, ...] = ()
    """What lies among the files and is not used, one sentence each, which a run says too."""

    def __init__(self) -> None:
        self.address = self.address or self.name
        self.title = self.title or self.name

    @property
    def split_path(self) -> Path:
        return Path(__file__).parent / "splits" / f"{self.name}.json"

    @cached_property
    def split_file(self) -> SplitFile:
        if self.splits is None:
            return SplitFile.read(self.split_path)
        return SplitFile.of(self.splits, f"dataset '{self.name}'", self.preparation)

    def subjects(self, split: str) -> tuple[str, ...]:
        """List the subject ids of a split, in the order of the split file; extra subjects come last."""
        if split not in self.split_file.splits:
            raise unknown_name("split", split, self.split_file.splits)
        return self.split_file.splits[split] + (self.extra_subjects if split == "train" else ())

    def person(self, subject: str) -> str:
        """Whose a subject is, where several are of one person: the unit that statistics resample."""
        return subject

    def pairs(self, split: str) -> tuple[tuple[str, str], ...] | None:
        """Pairs to register, ``(moving, fixed)``, where the data name them; None: whatever pairs a task chooses."""
        return None

    def contrasts(self, subject: str) -> tuple[str, ...] | None:
        """Names of a subject's images where they are known without loading it; None: load it to know."""
        return None

    @cached_property
    def subject_notes(self) -> dict[str, str]:
        """What was noted of the subjects that were loaded so far."""
        return {}

    @property
    def remark(self) -> str:
        """What lies among the files and is not used, to stand under a table; empty where nothing does."""
        if not self.left_out:
            return ""
        more = f" And {len(self.left_out) - REMARKS} more." if len(self.left_out) > REMARKS else ""
        return f"Left out of {self.name}: {' '.join(self.left_out[:REMARKS])}{more}"

    def add_extra_subjects(self, subjects: int) -> None:
        """Let that many more simulated subjects train; their ids are of no split, of this version or a later one.

        Raises
        ------
        RequestError
            If the subjects of this dataset are real, or their number is fixed.
        """
        if subjects and not self.endless:
            raise RequestError(f"{self.name} can simulate no extra subjects; leave out --extra-subjects.")
        self.extra_subjects = tuple(f"further{number:03d}" for number in range(subjects))

    @property
    def fingerprint(self) -> str:
        """12 hex digits that change whenever a subject's arrays or the splits do."""
        facts = f"{self.name}{self.form}|{self.preparation}|{self.split_file.sha256}"
        return hashlib.sha256(facts.encode()).hexdigest()[:12]

    def source_files(self, subject: str) -> Sequence[Path | str]:
        """The files that a subject is made of: paths, or names in the split file, whose sha256 stands there."""
        return ()

    def content_key(self, subject: str) -> str:
        """20 hex digits of all that a subject's arrays depend on: the content of its source files, and how they are
        prepared. No path and no date enters it.

        Raises
        ------
        DataError
            If a source file cannot be read.
        """
        sources = [self._digest(source) for source in self.source_files(subject)]
        facts = [self.form, self.preparation, _code_of(type(self)), *(sources or [self.name, subject])]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:20]

    def _digest(self, source: Path | str) -> str:
        if isinstance(source, Path):
            return content_digest(source)
        if source not in self.split_file.files:
            raise unknown_name(f"file of {self.name}", source, self.split_file.files)
        return self.split_file.files[source]["sha256"]

    @abstractmethod
    def make(self, subject: str) -> Subject:
        """Make one subject from its source. Slow; `load` caches what it returns."""

    @property
    def cache(self) -> Path:
        return cache_root() / "datasets" / f"{checked_id(self.name, 'a dataset')}-{self.fingerprint}"

    def entry(self, subject: str) -> Path:
        """Where the arrays of a subject are cached: by its content, unless that is pinned as of built-in data."""
        name = checked_id(subject, self.name)
        return inside(self.cache, f"{name}-{self.content_key(name)}.npz" if _code_of(type(self)) else f"{name}.npz")

    def is_prepared(self, subject: str) -> bool:
        return checksum_ok(self.entry(subject))

    def prepare(self, subjects: Iterable[str]) -> Iterable[str]:
        """Make and cache the subjects that are missing, yielding each id when it is ready."""
        for subject in subjects:
            if not self.is_prepared(subject):
                self._store(self.make(subject))
            yield subject

    def load(self, subject: str) -> Subject:
        """Load one subject, making it first if the cache lacks it or holds a damaged copy.

        Raises
        ------
        RequestError
            If there is no such subject.
        DataError
            If its source cannot be read or is malformed, or the cache cannot be written.
        """
        self.refuse_unknown(subject)
        path = self.entry(subject)
        loaded = read_subject(path, subject)
        if loaded is None:
            self._store(self.make(subject))
            loaded = read_subject(path, subject)
        if loaded is None:
            raise DataError(f"{path} is not what was written to it; check the disk of the cache.")
        if loaded.note:
            self.subject_notes[subject] = loaded.note
        return loaded

    def refuse_unknown(self, subject: object) -> None:
        """Raise `RequestError` for what is no subject of this dataset."""
        if not isinstance(subject, str) or not (self.endless or subject in self._known):
            raise unknown_name(f"subject of {self.name}", str(subject), self._known)

    @cached_property
    def _known(self) -> frozenset[str]:
        """Everyone who can be loaded; kept, as every load asks."""
        return frozenset(chain(*self.split_file.splits.values(), self.atlases))

    def _store(self, subject: Subject) -> None:
        check_subject(subject)
        write_subject(self.entry(subject.id), subject)


def _code_of(dataset: type[Dataset]) -> str:
    """The code of a dataset that is written outside this package, whose author need not know of `preparation`."""
    module = sys.modules.get(dataset.__module__)
    file = getattr(module, "__file__", None)
    if dataset.__module__.partition(".")[0] == __package__.partition(".")[0] or file is None:
        return ""
    return content_digest(Path(file))
