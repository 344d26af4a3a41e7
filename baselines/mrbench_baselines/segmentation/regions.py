"""Regions of a mask: what thresholds and classifiers leave to tidy up."""

from __future__ import annotations

import numpy as np


def filled(mask: np.ndarray) -> np.ndarray:
    """The mask with its holes filled, in each axial slice and in 3-D: a rim may be open above or below."""
    from scipy.ndimage import binary_fill_holes

    return binary_fill_holes(np.stack([binary_fill_holes(plane) for plane in mask]))
