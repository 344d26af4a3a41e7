"""What voxel-wise regression sees of each voxel."""

from __future__ import annotations

from itertools import product

import numpy as np

from mrbench.space.position import position_in


def voxel_features(image: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...], *, patch: bool) -> np.ndarray:
    """Features of each voxel of a brain, float32, shape ``(voxels, features)``.

    Intensity; Gaussian means of 1, 2 and 4 mm SD and the gradient magnitude at 1 mm; position in mm from the middle of
    the brain's bounding box; depth in mm below its surface; and, with ``patch``, the 26 neighbours.
    """
    from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

    sds = [tuple(mm / side for side in spacing) for mm in (1, 2, 4)]
    maps = [image, *(gaussian_filter(image, sd) for sd in sds), gaussian_gradient_magnitude(image, sds[0])]
    columns = [values[mask] for values in (*maps, *position_in(mask, spacing))]
    if patch:
        steps = [step for step in product((-1, 0, 1), repeat=3) if any(step)]
        columns += [np.roll(image, step, (0, 1, 2))[mask] for step in steps]
    return np.stack(columns, axis=1).astype(np.float32)
