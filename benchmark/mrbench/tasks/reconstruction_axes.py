"""Whether a reconstructed image lies as its k-space does, and has its units."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from mrbench.core.look import Look, told_after
from mrbench.metrics.axes import AxesSearch
from mrbench.metrics.likeness import Correlation
from mrbench.metrics.placing import Placing
from mrbench.physics.fourier import centre_crop, root_sum_of_squares, to_image

NAMES = ("frame", "y", "x")
PLANE = (1, 2)

FRAMES = 3
"""Middle frames that are looked at where nobody has the true image: each costs a Fourier transform."""

WHAT = "the image"


def looks(
    kspace: np.ndarray,
    magnitude: np.ndarray | None,
    foreground: np.ndarray | None,
    crop: tuple[int, int],
    prediction: np.ndarray,
) -> list[Look]:
    """Look for an image that is mirrored, exchanged, moved, or in other units than its k-space.

    Only its magnitude is scored, so that nothing is said of its phase.

    Parameters
    ----------
    kspace : ndarray of complex64, shape ``(frame, coil, y, x)``
        As the method was given it.
    magnitude : ndarray of float32, shape ``(frame, *crop)``, or None
        The true image; without one the zero-filled image stands in for it.
    foreground : ndarray of bool, the same shape, or None
        Where images are compared; everywhere without one.
    crop : tuple of int
        Rows and columns of the reference.
    prediction : ndarray of float32, shape ``(frame, *crop)``
        The magnitude, cropped.
    """
    middle = _middle(len(kspace))
    target, image, units = (
        magnitude,
        prediction,
        Look("units", "Its units are those of the k-space, within a factor of 2."),
    )
    if target is None:
        target, image, foreground = _zero_filled(kspace[middle], crop), prediction[middle], None
        units = Look("units", "Units cannot be told.", unable="nobody has the true image of these data.")
    elif (energy := float((image**2).sum(dtype=np.float64))) > 0:
        ratio = float((target * image).sum(dtype=np.float64)) / energy
        if not 0.5 < ratio < 2:
            units = replace(units, warning=f"{WHAT} fits better times {ratio:.3g}; keep the units of the k-space.")
    whole = [axis for axis in PLANE if image.shape[axis] == kspace.shape[axis + 1]]
    search = AxesSearch(target, image, names=NAMES, region=foreground, exchangeable=PLANE, halves=whole)
    beyond = [] if len(whole) == len(PLANE) else [_beyond(kspace[middle][:1], crop, prediction[middle][0])]
    axes = [*search.looks(WHAT), *beyond]
    return [*axes, told_after(axes, units)]


def _beyond(kspace: np.ndarray, crop: tuple[int, int], image: np.ndarray) -> Look:
    """Look for Fourier transforms without their shifts where the crop has cut off what would show it.

    Such a transform puts the rim of the field of view where the crop keeps it, so that nothing of the true image is
    left to compare with: the zero-filled image, mistaken likewise, is.
    """
    name, asked = "moved by half", "It does not lie off by half the field of view, from which it is cropped."
    full = root_sum_of_squares(to_image(kspace[0]))
    right = centre_crop(full, crop).ravel()
    likeness = Correlation(image.ravel(), right)
    as_it_lies = best = likeness.of(right)
    warning, sizes = "", full.shape
    for chosen, mirrored in product(((0,), (1,), (0, 1)), ((), (0, 1))):
        # mirrored: transformed forwards, not back, which turns an image of even size over about one voxel beyond its
        # middle
        steps = [size // 2 * (axis in chosen) + (1 - size % 2) * (axis in mirrored) for axis, size in enumerate(sizes)]
        placing = Placing((0, 1), mirrored, (steps[0], steps[1]))
        mistaken = centre_crop(placing.applied(full), crop).ravel()
        fit = likeness.of(mistaken)
        if fit > best and likeness.is_mistaken(fit, as_it_lies, likeness.of_prediction(mistaken)):
            best, words = fit, placing.words(NAMES[1:], sizes)
            warning = f"{WHAT} is that of the k-space {words}: correlation {fit:.3f} instead of {as_it_lies:.3f}."
    return Look(name, asked, warning)


def _middle(frames: int) -> slice:
    start = max(0, (frames - FRAMES) // 2)
    return slice(start, start + FRAMES)


def _zero_filled(kspace: np.ndarray, crop: tuple[int, int]) -> np.ndarray:
    return np.stack([centre_crop(root_sum_of_squares(to_image(frame)), crop) for frame in kspace])
