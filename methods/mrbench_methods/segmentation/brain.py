"""How a segmentation network sees a brain: the box around it, in voxels of the size that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def resampled(images: np.ndarray, spacing: Sequence[float], wanted: Sequence[float] | None) -> np.ndarray:
    """Images ``(c, z, y, x)`` with voxels of the wanted size in mm, as they are where that is within a tenth."""
    if wanted is None or np.allclose(spacing, wanted, rtol=0.1):
        return images
    from skimage.transform import resize

    sides = [max(1, round(n * old / new)) for n, old, new in zip(images.shape[1:], spacing, wanted, strict=True)]
    return np.stack([resize(image, sides, order=1, anti_aliasing=True) for image in images]).astype(np.float32)


def brain_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box around the brain: air would slow the network, and change its instance normalisation."""
    from scipy.ndimage import find_objects

    (box,) = find_objects(mask.astype(np.uint8))
    return box
