"""Temporal total variation for cine."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrbench.core.method import Method
from mrbench.core.track import Track
from mrbench.tasks.reconstruction import ReconstructionInputs

STATIC = "frames of this track are slices, not time points"
COILS = "it is written for one coil; combine the coils"


class TemporalTV(Method):
    """``min_x 1/2 |M F x - y|^2 + strength |x_t+1 - x_t|_1``, time circular (sigpy, PDHG).

    The sequences of cine-sim do not close. Without the step from the last frame to the first, five validation cases
    have 31.71 dB as with it, at the strength that is best for both.

    Parameters
    ----------
    strength : float or "tuned"
        In units of the image, whose zero-filled maximum is 1: ``lamda`` of sigpy's `L1Reg`.
    iterations : int
        100 lose 3 dB on cine-sim, however strong the regularisation.
    """

    task = "reconstruction"
    reference = "Feng et al., GRASP, Magn. Reson. Med. 2014 (its temporal term); solver: sigpy"
    tunable = {"strength": (0.003, 0.01, 0.03)}
    presets = ({}, {"strength": "tuned"})

    def __init__(self, *, strength: float = 0.03, iterations: int = 300) -> None:
        self.strength = float(strength)
        self.iterations = iterations

    def skip_reason(self, track: Track[Any]) -> str | None:
        return STATIC if not track.settings.dynamic else None if track.settings.coils == 1 else COILS

    def predict(self, inputs: ReconstructionInputs) -> np.ndarray:
        from sigpy.app import LinearLeastSquares
        from sigpy.linop import FFT, FiniteDifference, Multiply
        from sigpy.prox import L1Reg

        kspace = inputs.kspace[:, 0]
        encoding = Multiply(kspace.shape, inputs.mask.astype(np.float32)) * FFT(kspace.shape, axes=(-2, -1))
        change = FiniteDifference(kspace.shape, axes=(0,))
        problem = LinearLeastSquares(
            encoding,
            kspace,
            proxg=L1Reg(change.oshape, self.strength),
            G=change,
            max_iter=self.iterations,
            show_pbar=False,
        )
        return problem.run()
