"""A versioned split: subject ids, and the sha256 of every source file where there are any."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mrbench.core.case import SPLITS
from mrbench.core.errors import DataError
from mrbench.io.paths import checked_id


@dataclass(frozen=True)
class SplitFile:
    """Subjects by split.

    Attributes
    ----------
    version : int
    splits : mapping of str to tuple of str
        Subjects of train, validation and test.
    files : mapping of str to mapping
        Source files by their path inside the dataset: ``sha256``, and ``upstream`` where it can be fetched.
    source : mapping of str to str
        ``repository`` and ``commit`` to fetch from.
    sha256 : str
        Of all of it.
    twins : mapping of str to str
        Subjects whose scan is another's, with the sentence that says so: they are not loaded.
    """

    version: int
    splits: Mapping[str, tuple[str, ...]]
    files: Mapping[str, Mapping[str, str]]
    source: Mapping[str, str]
    sha256: str
    twins: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> SplitFile:
        """Read the JSON file of a dataset.

        Raises
        ------
        DataError
            If it cannot be read, is no JSON, lacks its version or a split, or names a subject that cannot be a file.
        """
        try:
            raw = path.read_bytes()
            content = json.loads(raw)
            splits = _splits(path, content["splits"])
            version, files, source = int(content["version"]), content.get("files", {}), content.get("source", {})
            if any("sha256" not in facts for facts in files.values()):
                raise DataError(f"{path} names a file without its sha256; add it.")
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path.") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            raise DataError(f"{path} is no file of splits; it needs version and splits with {_EACH}.") from None
        return cls(version, splits, files, source, hashlib.sha256(raw).hexdigest())

    @classmethod
    def of(cls, splits: Mapping[str, Sequence[str]], where: object, version: int = 1) -> SplitFile:
        """Make one of subjects by split; a split that is not named is empty.

        Raises
        ------
        DataError
            If a split is unknown, a subject stands twice (in any case of letters), or cannot be a file's name.
        """
        if unknown := set(splits) - set(SPLITS):
            raise DataError(f"{where} names the split {', '.join(sorted(unknown))}; use {', '.join(SPLITS)}.")
        whole = _splits(where, {name: splits.get(name, ()) for name in SPLITS})
        subjects = [subject for ids in whole.values() for subject in ids]
        spelled = Counter(subject.casefold() for subject in subjects)
        if twice := [subject for subject in subjects if spelled[subject.casefold()] > 1]:
            raise DataError(f"{where} names the subject '{twice[0]}' twice; name each once, in one split.")
        return cls(version, whole, {}, {}, hashlib.sha256(repr((version, sorted(whole.items()))).encode()).hexdigest())

    def refuse_twin(self, subject: str) -> None:
        """Refuse a subject whose scan is another's.

        Raises
        ------
        DataError
            Which two subjects have one scan.
        """
        if subject in self.twins:
            raise DataError(self.twins[subject])

    def leaks(self) -> list[str]:
        """Subjects that stand in more than one split."""
        everyone = [subject for ids in self.splits.values() for subject in set(ids)]
        return sorted({subject for subject in everyone if everyone.count(subject) > 1})


_EACH = ", ".join(f"'{name}'" for name in SPLITS)


def _splits(where: object, splits: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    if any(isinstance(splits[name], str) for name in SPLITS):
        raise TypeError("a split is a list of subjects")
    return {name: tuple(checked_id(str(subject), where) for subject in splits[name]) for name in SPLITS}
