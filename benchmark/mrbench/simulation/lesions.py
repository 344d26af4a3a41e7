"""White-matter lesions of simulated subjects."""

from __future__ import annotations

import numpy as np

COUNT = (3, 12)
SEMI_AXES = (1.0, 3.0)
"""Of a lesion, in voxels of 2 mm."""


def lesions(rng: np.random.Generator, white: np.ndarray) -> np.ndarray:
    """Fraction of each voxel that is lesion, given the fraction of white matter; nothing else is struck."""
    lesion = np.zeros_like(white)
    sites = np.argwhere(white > 0.95)
    for site in sites[rng.integers(len(sites), size=rng.integers(*COUNT))]:
        lesion = np.maximum(lesion, _ellipsoid(white.shape, site, rng.uniform(*SEMI_AXES, size=3)))
    return lesion * white


def _ellipsoid(shape: tuple[int, ...], centre: np.ndarray, semi_axes: np.ndarray) -> np.ndarray:
    """Ellipsoid with an edge half a voxel wide, 1 inside."""
    grid = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij", sparse=True)
    radius = np.sqrt(sum(((g - c) / a) ** 2 for g, c, a in zip(grid, centre, semi_axes, strict=True)))
    return np.clip((1 - radius) * semi_axes.mean() * 2 + 0.5, 0, 1).astype(np.float32)
