"""A folded cortex for the template: the average of many people has no sulci, only where they would be.

The average's white matter keeps the shape of every gyrus that people share. Halfway between two blades of white matter
lies a sulcus: the ridge of the distance to white matter, where the gradient of that distance vanishes. Those sheets are
opened and filled with fluid, and the cortex is what lies within its thickness of fluid, 2.5 mm on average (Fischl and
Dale, PNAS 2000). What remains inside is white matter, so blades reach into gyri that the average has blurred.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mrbench.core.random import rng_for
from mrbench.simulation.fields import random_field

THICKNESS = 3.2
"""Of the cortex, in mm, measured to the middle of the first voxel of fluid."""

SHEET = 0.8
"""Share of fluid in a voxel of 1 mm in the middle of a sulcus."""

UNEVEN = 0.3
"""SD in mm of thickness from place to place."""

FOLIA = 0.35
"""SD of the share of fluid between the leaves of the cerebellum, where there is any."""

POINT_SPREAD = 0.7
"""SD in mm of the blur that makes partial volume."""


def folded(
    fractions: Mapping[str, np.ndarray], brain: np.ndarray, kept: np.ndarray, cerebellum: np.ndarray
) -> dict[str, np.ndarray]:
    """Replace the ribbon of an average brain by a thin cortex with sulci.

    Parameters
    ----------
    fractions : mapping of ndarray, shape ``(z, y, x)``
        ``csf``, ``gm`` and ``wm`` at 1 mm.
    brain : ndarray of bool
        Where the brain is.
    kept : ndarray of bool
        Deep structures and cerebellum, which stay as they are.
    cerebellum : ndarray of bool
        Its folia are thinner than a voxel: fluid between leaves that run from left to right darkens its grey matter.

    Returns
    -------
    dict of ndarray of float32
        Summing to 1 in the brain and 0 outside.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    rng = rng_for("template", "cortex")  # the same for everyone, but no mirror image: left and right differ
    uneven = np.float32(UNEVEN) * random_field(rng, brain.shape, 5.0)[0]
    leaves = np.clip(np.float32(FOLIA) * random_field(rng, brain.shape, (1.4, 1.8, 6.0))[0], 0, 1)

    away = distance_transform_edt(fractions["wm"] < 0.5).astype(np.float32)
    slope = sum(part * part for part in np.gradient(gaussian_filter(away, 0.6)))
    sulcus = (slope < (0.62 + 0.3 * uneven) ** 2) & (away > 1.3) & ~kept
    fluid = (fractions["csf"] > 0.5) | sulcus | ~brain
    inward = distance_transform_edt(~fluid).astype(np.float32)
    white = np.where(kept, fractions["wm"], inward > THICKNESS + uneven)
    between_leaves = np.where(cerebellum, leaves * fractions["gm"], 0)
    water = np.where(kept, fractions["csf"] + between_leaves, np.where(sulcus, np.float32(SHEET), fluid))
    white, water = (
        gaussian_filter(part, POINT_SPREAD, output=np.float32) for part in (white, np.where(brain, water, 1))
    )
    return {
        name: np.where(brain, part, 0)
        for name, part in (("csf", water), ("gm", np.maximum(1 - white - water, 0)), ("wm", white))
    }
