"""Grid: where a prediction of a case lies, for whoever reads one from a file or writes one to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Holds = Literal["image", "labels", "field"]
"""What a prediction is: intensities, a map of integers, or a displacement field."""


@dataclass(frozen=True)
class Grid:
    """Where a prediction of a case lies.

    Attributes
    ----------
    shape : tuple of int
        ``(z, y, x)``, RAS+.
    spacing : tuple of float
        mm, order ``(z, y, x)``.
    affine : ndarray, shape (4, 4), or None
        From ``(x, y, z)`` indices to mm of RAS; None where the dataset does not say.
    orientation : ndarray, shape (3, 2), or None
        nibabel's orientation of the dataset's own files, for formats without a header; None: RAS+.
    crop : tuple of int or None
        Rows and columns to which the harness crops, where files may hold just those.
    scale : float
        What the dataset's own intensities were divided by.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, float, float]
    affine: np.ndarray | None = None
    orientation: np.ndarray | None = None
    crop: tuple[int, int] | None = None
    scale: float = 1.0

    @property
    def world(self) -> np.ndarray:
        """The affine; where nobody knows it, that of the files that mrbench writes: spacing alone, origin 0."""
        return np.diag([*self.spacing[::-1], 1.0]) if self.affine is None else self.affine

    @property
    def file_orientation(self) -> np.ndarray:
        """Orientation of the dataset's own files."""
        return np.array([[0.0, 1], [1, 1], [2, 1]]) if self.orientation is None else self.orientation
