"""Which file is which case's: by names, and never by order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mrbench.core.case import CaseId
from mrbench.core.errors import RequestError

SUFFIXES = (
    ".nii.gz",
    ".nii",
    ".npz",
    ".npy",
    ".h5",
    ".hdf5",
    ".hdf",
    ".tfm",
    ".xfm",
    ".mat",
    ".txt",
    ".mha",
    ".mhd",
    ".nrrd",
)
"""What a prediction's file may end with, in any case of letters."""

_LEARN2REG = re.compile(r"^disp_(?P<fixed>.+)_(?P<moving>[^_].*)$")


@dataclass(frozen=True)
class Matched:
    """Files by case id, and what is no case's."""

    files: dict[str, Path]
    surplus: tuple[Path, ...]


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder that may be a prediction; hidden ones are not looked at.

    Raises
    ------
    RequestError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder} is not a folder; give the one that holds the predictions, a file for each case.")
    every = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        path for path in every if _ending(path) and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    ]


def _ending(path: Path) -> str:
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def match(folder: Path, files: Iterable[Path], cases: Sequence[CaseId]) -> Matched:
    """Give each case its file.

    A file is a case's if its path below the folder holds the case's id, or else the ids of all its subjects, or else,
    named ``disp_<fixed>_<moving>`` as Learn2Reg's are, the numbers in them.

    Raises
    ------
    RequestError
        If no file matches, a file matches two cases, or a case two files.
    """
    known: dict[str, Path] = {}
    surplus = []
    for path in files:
        name = str(path.relative_to(folder))[: -len(_ending(path))]
        candidates = cases_of(name, cases)
        if len(candidates) > 1:
            raise RequestError(f"{path} may be {' or '.join(candidates)}; name files by the id of their case.")
        if not candidates:
            surplus.append(path)
            continue
        case = candidates[0]
        if case in known:
            raise RequestError(f"{known[case]} and {path} are both of case {case}; leave one of them in {folder}.")
        known[case] = path
    if not known:
        raise RequestError(
            f"no file in {folder} is named by a case, such as {cases[0].id}{_example(surplus)}; rename the files."
        )
    return Matched(known, tuple(surplus))


def _example(surplus: Sequence[Path]) -> str:
    return f" (there is {surplus[0].name})" if surplus else " (there is none with a known ending)"


def cases_of(name: str, cases: Sequence[CaseId]) -> list[str]:
    """Ids of the cases that a name, without its ending, may stand for; of several ways to tell, the surest."""
    named = [case.id for case in cases if _holds(name, case.id)]
    if named:
        return [one for one in named if not any(one != other and one in other for other in named)]
    by_subjects = [case for case in cases if all(_holds(name, subject) for subject in case.subjects)]
    stem = _LEARN2REG.match(name.rpartition("/")[2])
    if stem is None:
        return [case.id for case in by_subjects]
    numbered = [case for case in cases if len(case.subjects) == 2 and _numbers(stem, case)]
    both = by_subjects or numbered
    ordered = [case for case in both if _is_pair(stem, case)]
    return [case.id for case in ordered or both]


def _holds(name: str, token: str) -> bool:
    """Whether a name holds a token that no letter or digit continues."""
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(token)}(?![A-Za-z0-9])", name) is not None


def _is_pair(stem: re.Match[str], case: CaseId) -> bool:
    """Whether Learn2Reg's name says fixed and moving in that order: case ids are (moving, fixed)."""
    moving, fixed = case.subjects
    return _same(stem["fixed"], fixed) and _same(stem["moving"], moving)


def _numbers(stem: re.Match[str], case: CaseId) -> bool:
    one, other = case.subjects
    pairs = ((one, other), (other, one))
    return any(_same(stem["fixed"], first) and _same(stem["moving"], second) for first, second in pairs)


def _same(text: str, subject: str) -> bool:
    """Whether a number of Learn2Reg is a subject's: its id, or the one number that both hold."""
    if text == subject:
        return True
    return text.isdigit() and int(text) in {int(number) for number in re.findall(r"\d+", subject)}
