"""sigpy's reconstruction applications, frame by frame with our maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mrbench.tasks.reconstruction import ReconstructionInputs
from mrbench_baselines.reconstruction.espirit import coil_maps


def each_frame(
    application: Callable[..., Any], inputs: ReconstructionInputs, strength: float, iterations: int
) -> np.ndarray:
    """Run ``application(kspace, maps, strength)`` on every frame; return complex images ``(frame, y, x)``."""
    frames = zip(inputs.kspace, coil_maps(inputs), inputs.mask, strict=True)
    return np.stack(
        [
            application(
                kspace, maps, strength, weights=mask.astype(np.float32), max_iter=iterations, show_pbar=False
            ).run()
            for kspace, maps, mask in frames
        ]
    )
