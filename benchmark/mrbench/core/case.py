"""Case: one thing to predict and score, split so that no method can see the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Inputs = TypeVar("Inputs")
Reference = TypeVar("Reference")

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class CaseId:
    """Name of a case before its arrays are loaded.

    Attributes
    ----------
    id : str
        Unique within a task, track, dataset and split, for example ``s07->s08``.
    subjects : tuple of str
        Who is in it: the unit that statistics resample and that the leak check compares; where a case is a random
        draw and no person, the name of the draw.
    """

    id: str
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class Case(Generic[Inputs, Reference]):
    """One loaded case. The engine hands a method ``inputs`` and nothing else.

    Attributes
    ----------
    id, subjects
        As in `CaseId`.
    inputs : object
        All that a method may see; its type is documented by the task.
    reference : object
        What only the scorer sees.
    spacing : tuple of float
        Voxel size in mm, in array order ``(z, y, x)``.
    """

    id: str
    subjects: tuple[str, ...]
    inputs: Inputs
    reference: Reference
    spacing: tuple[float, float, float]
