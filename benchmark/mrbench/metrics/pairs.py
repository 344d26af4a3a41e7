"""Two images and a mask as metrics check them and kernels take them."""

from __future__ import annotations

from math import isfinite

import numpy as np


def image_pair(
    target: np.ndarray, prediction: np.ndarray, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Images of one floating type and a mask of bytes, as kernels take them."""
    for image, name in ((target, "target"), (prediction, "prediction")):
        if np.iscomplexobj(image):
            raise ValueError(f"the {name} is complex; take its magnitude first.")
    if target.shape != prediction.shape or not target.size:
        raise ValueError(f"target has shape {target.shape}, prediction {prediction.shape}; one shape is needed.")
    single = target.dtype == prediction.dtype == np.float32
    x, y = (np.ascontiguousarray(image, np.float32 if single else np.float64) for image in (target, prediction))
    if mask is None:
        return x, y, None
    if mask.shape != target.shape or not mask.any():
        raise ValueError(f"the mask has shape {mask.shape} and {np.count_nonzero(mask)} voxels; images {target.shape}.")
    return x, y, np.ascontiguousarray(mask, bool).view(np.uint8)


def checked_range(data_range: float) -> float:
    """The range of intensities as a float; raises `ValueError` unless it is a positive number."""
    if not (isfinite(data_range) and data_range > 0):
        raise ValueError(f"the data range is {data_range}; give the positive width of the range of intensities.")
    return float(data_range)


def flat_mask(mask: np.ndarray | None) -> np.ndarray:
    """A mask as kernels take it: flat, and empty where there is none."""
    return np.empty(0, np.uint8) if mask is None else mask.ravel()
