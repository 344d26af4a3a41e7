"""CG-SENSE: least squares with coil maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrbench.core.method import Method
from mrbench.core.track import Track
from mrbench.tasks.reconstruction import ReconstructionInputs
from mrbench_baselines.reconstruction.sigpy_frames import each_frame


class CgSense(Method):
    """``min_x 1/2 |M F S x - y|^2 + strength/2 |x|^2`` by conjugate gradients (sigpy), ESPIRiT maps.

    Parameters
    ----------
    strength : float or "tuned"
        Beside an encoding whose largest singular value is 1, so without unit: sigpy's ``lamda``.
    iterations : int
        Of conjugate gradients from zero; fewer are a regulariser, too.
    """

    task = "reconstruction"
    reference = "Pruessmann et al., Magn. Reson. Med. 2001; maps: Uecker et al. 2014; solver: sigpy"
    tunable = {"strength": (0.005, 0.01, 0.02)}
    presets = ({}, {"strength": "tuned"})

    def __init__(self, *, strength: float = 0.01, iterations: int = 30) -> None:
        self.strength = float(strength)
        self.iterations = iterations

    def skip_reason(self, track: Track[Any]) -> str | None:
        return "one coil: the least-squares image is the zero-filled one" if track.settings.coils == 1 else None

    def predict(self, inputs: ReconstructionInputs) -> np.ndarray:
        from sigpy.mri.app import SenseRecon

        return each_frame(SenseRecon, inputs, self.strength, self.iterations)
