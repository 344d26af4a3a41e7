"""fastMRI's own masks, column for column: drawn from the name of the file, as its validation is.

``fastmri/data/subsample.py`` and ``transforms.py`` of facebookresearch/fastMRI at 91f2df4 say how: numpy's legacy
generator is seeded by the character codes of the file's name, ``file1000052.h5``, ending included.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from mrbench.core.errors import RequestError
from mrbench.physics.sampling import centre_columns

FastMriPattern = Literal["fastmri-random", "fastmri-equispaced-fraction", "fastmri-magic"]


def fastmri_columns(
    pattern: FastMriPattern, width: int, acceleration: int, centre_fraction: float, file: str
) -> np.ndarray:
    """The columns that fastMRI's validation keeps of a file.

    Parameters
    ----------
    pattern : {"fastmri-random", "fastmri-equispaced-fraction", "fastmri-magic"}
        ``RandomMaskFunc`` of the knee, ``EquispacedMaskFractionFunc`` of the brain (its spacing is not even), and
        ``MagicMaskFunc`` (Defazio, arXiv:1912.01101), whose centre comes on top of the acceleration.
    width : int
        Columns of k-space.
    acceleration : int
        Every how many columns one is measured.
    centre_fraction : float
        Share of the columns that is measured in the middle.
    file : str
        Name of the file, ending included.

    Returns
    -------
    ndarray of bool, shape ``(width,)``

    Raises
    ------
    RequestError
        If k-space is so narrow that its centre alone is more than the acceleration allows.
    """
    rng = np.random.RandomState()  # the generator of the published masks
    rng.seed(tuple(map(ord, file)))
    centre = centre_columns(width, centre_fraction)
    count = centre.stop - centre.start
    if count * acceleration >= width:
        raise RequestError(
            f"k-space of {width} columns cannot be sampled {acceleration}-fold around a centre of {count}; choose "
            "another track."
        )
    if pattern == "fastmri-random":
        mask = rng.uniform(size=width) < (width / acceleration - count) / (width - count)
    elif pattern == "fastmri-equispaced-fraction":
        mask = _equispaced_fraction(width, acceleration, count, rng)
    else:
        mask = _magic(width, acceleration, int(rng.randint(0, high=acceleration)))
    mask[centre] = True
    return mask


def _equispaced_fraction(width: int, acceleration: int, count: int, rng: np.random.RandomState) -> np.ndarray:
    """Steps, rounded, that reach the acceleration together with the centre."""
    step = acceleration * (count - width) / (count * acceleration - width)
    offset = rng.randint(0, high=round(step))
    mask = np.zeros(width, bool)
    mask[np.around(np.arange(offset, width - 1, step)).astype(np.intp)] = True
    return mask


def _magic(width: int, acceleration: int, offset: int) -> np.ndarray:
    """Even steps from the middle outwards, one side moved against the other."""
    right, left = (offset + 1, offset + 2) if offset % 2 == 0 else (offset + 2, offset - 1)
    positive, negative = np.zeros((width + 1) // 2, bool), np.zeros(width // 2, bool)
    positive[right::acceleration] = True
    negative[left::acceleration] = True
    return np.fft.fftshift(np.concatenate([positive, negative[::-1]]))
