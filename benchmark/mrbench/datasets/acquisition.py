"""Acquisition: the k-space of one subject, simulated or measured, by one path."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from mrbench.datasets.dataset import Dataset
from mrbench.physics.fourier import centre_crop, root_sum_of_squares, to_image


@dataclass(frozen=True)
class Acquisition:
    """What a scanner gives, before anything is left out.

    Attributes
    ----------
    kspace : ndarray of complex64, shape ``(frame, coil, y, x)``
        Centred; frames are slices, or time points of one slice where ``dynamic``.
    reference : ndarray of float32, shape ``(frame, y', x')``, or None
        True magnitude, or None where nobody knows it. May be smaller than k-space: the centre of the image.
    foreground : ndarray of bool, the shape of ``reference``, or None
        Where the object is: brain, heart.
    mask : ndarray of bool, shape ``(frame, y, x)``, or None
        What was sampled; None for a full acquisition.
    crop : tuple of int
        Image size in pixels that is shown and scored.
    spacing : tuple of float
        mm, order ``(frame, y, x)``.
    dynamic : bool
    note : str
        What a reader of the results must know of this acquisition.
    file : str
        Name of the file that it comes from, ending included; empty of a simulation.
    protocol : str
        What was acquired, in the words of its file: ``CORPDFS_FBK``, ``AXT2``.
    acquired : slice or None
        Columns that were measured, where the file tells; the rest are zeros that the scanner filled in.
    """

    kspace: np.ndarray
    reference: np.ndarray | None
    foreground: np.ndarray | None
    mask: np.ndarray | None
    crop: tuple[int, int]
    spacing: tuple[float, float, float]
    dynamic: bool = False
    note: str = ""
    file: str = ""
    protocol: str = ""
    acquired: slice | None = None

    @property
    def noisy_reference(self) -> np.ndarray:
        """Root sum of squares of the full k-space, shape ``(frame, y', x')``: the reference of measured data."""
        return centre_crop(root_sum_of_squares(to_image(self.kspace)), self.crop).astype(np.float32)


class KspaceDataset(Dataset):
    """A dataset whose subjects come as k-space.

    ``region`` names the foreground of its scores in tables.
    """

    representation = "k-space"
    region: str = "foreground"
    dynamic: bool = False
    coils: int | None = None
    """Number of coils, that of the first subject; None where a simulation gives as many as a track asks for."""
    full: bool = True
    """Whether every subject is fully sampled, so that masks can be drawn; else each brings its own mask."""

    @abstractmethod
    def acquisition(self, subject: str, *, coils: int | None) -> Acquisition:
        """Return one subject's k-space.

        Parameters
        ----------
        subject : str
            Its id.
        coils : int or None
            Number of receive coils of a simulation, or 1 for a single-coil acquisition; None for as many
            as there are.

        Raises
        ------
        DataError
            If the subject cannot be had with that number of coils.
        """
