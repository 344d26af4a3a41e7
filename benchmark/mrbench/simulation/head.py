"""What lies around a brain: fluid, two tables of bone with marrow between, and a scalp.

Layers follow the distance from the smoothed surface of the brain; their thickness differs from place to place. Below
the brain there are neither eyes nor a face, so slices should be taken from its middle.
"""

from __future__ import annotations

import numpy as np

from mrbench.core.random import rng_for
from mrbench.physics.contrast import HEAD_3T
from mrbench.simulation.fields import smooth_noise
from mrbench.space.position import relative_position

LAYERS = (("csf", 1.5), ("bone", 1.8), ("marrow", 2.2), ("bone", 1.5), ("scalp", 4.5))
"""Tissue and mean thickness in mm, from inside: 5.5 mm of skull and 4.5 mm of scalp."""

UNEVEN = 0.15
"""Relative SD of a layer's thickness, over the head and between people."""

TEMPORAL_MM = 4.0
"""Of muscle that lies on the skull at both sides."""


def around(subject: str, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Fractions of the tissues outside the brain, on the 2 mm grid.

    Parameters
    ----------
    subject : str
        Its id.
    mask : ndarray of bool, shape ``(96, 112, 96)``
        Brain.

    Returns
    -------
    dict of ndarray of float32
        ``csf`` and the tissues of `HEAD_3T`; they and air sum to 1 outside the brain, and are 0 inside.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    hull = mask | (gaussian_filter(mask.astype(np.float32), 4.0) > 0.4)  # bridges the fissures
    distance = gaussian_filter(2 * (distance_transform_edt(~hull) - 0.5), 3.0, output=np.float32)
    rng = rng_for(subject, "head")
    parts = {name: np.zeros(mask.shape, np.float32) for name in ("csf", *HEAD_3T)}
    start: np.ndarray | float = 0.0
    for number, (tissue, mm) in enumerate(LAYERS):
        factor = np.exp(UNEVEN * rng.standard_normal())
        thickness = mm * factor * np.exp(UNEVEN * smooth_noise(subject, f"layer {number}", 12.0)[0])
        if tissue == "scalp":
            muscle = TEMPORAL_MM * factor * _temples(mask)
            _fill(parts["muscle"], distance, start, start + muscle)
            start = start + muscle
        _fill(parts[tissue], distance, start, start + thickness)
        start = start + thickness
    # lobules of fat between strands of skin
    fat = np.clip(0.3 + 0.15 * smooth_noise(subject, "fat", 1.5)[0], 0, 1)
    parts["fat"] += parts["scalp"] * fat
    parts["scalp"] *= 1 - fat
    return {name: np.where(mask, 0, part).astype(np.float32) for name, part in parts.items()}


def _fill(part: np.ndarray, distance: np.ndarray, start: np.ndarray | float, stop: np.ndarray | float) -> None:
    """Add the share of each voxel of 2 mm that lies between two surfaces, of which the second is the outer one."""
    part += np.clip((distance - start) / 2 + 0.5, 0, 1) - np.clip((distance - stop) / 2 + 0.5, 0, 1)


def _temples(mask: np.ndarray) -> np.ndarray:
    """Weight of the temporal muscle: at both sides, in the lower front of the brain."""
    z, y, x = relative_position(mask)
    height, depth = (
        np.exp(-0.5 * ((along - middle) / width) ** 2) for along, middle, width in ((z, -0.25, 0.4), (y, 0.2, 0.35))
    )
    return height * depth * np.clip(3 * np.abs(x) - 1.5, 0, 1)
