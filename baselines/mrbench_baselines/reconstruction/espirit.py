"""Coil maps of a case, for the methods that need them."""

from __future__ import annotations

import numpy as np

from mrbench.core.errors import MethodSkipped
from mrbench.physics.espirit import espirit
from mrbench.tasks.reconstruction import ReconstructionInputs


def coil_maps(inputs: ReconstructionInputs) -> np.ndarray:
    """Estimate the maps of every frame; a single coil has the map 1.

    Returns
    -------
    ndarray of complex64, shape ``(frame, coil, y, x)``
        Root sum of squares one everywhere: the background is kept, because a crop of it decides the SSIM of
        the whole image.

    Raises
    ------
    MethodSkipped
        If the centre of k-space was not sampled.
    """
    if inputs.kspace.shape[1] == 1:
        return np.ones_like(inputs.kspace)
    if min(inputs.calibration) < 3:
        raise MethodSkipped(
            f"the sampled centre of k-space is {inputs.calibration[0]} x {inputs.calibration[1]} samples; "
            "ESPIRiT needs 3 x 3 at the least"
        )
    return np.stack([espirit(frame, inputs.calibration) for frame in inputs.kspace])
