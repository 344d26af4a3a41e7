"""Compressed sensing with sigpy: l1-wavelet and total variation, with ESPIRiT maps where there are coils."""

from __future__ import annotations

import numpy as np

from mrbench.core.method import Method
from mrbench.tasks.reconstruction import ReconstructionInputs
from mrbench_baselines.reconstruction.sigpy_frames import each_frame


class L1Wavelet(Method):
    """``min_x 1/2 |M F S x - y|^2 + strength |W x|_1``, W Daubechies 4 (sigpy, FISTA).

    Parameters
    ----------
    strength : float or "tuned"
        In units of the image, whose zero-filled maximum is 1: sigpy's ``lamda``.
    iterations : int
    """

    task = "reconstruction"
    reference = "Lustig et al., Sparse MRI, Magn. Reson. Med. 2007; solver: sigpy"
    tunable = {"strength": (0.0025, 0.005, 0.01)}
    presets = ({}, {"strength": "tuned"})

    def __init__(self, *, strength: float = 0.005, iterations: int = 100) -> None:
        self.strength = float(strength)
        self.iterations = iterations

    def predict(self, inputs: ReconstructionInputs) -> np.ndarray:
        from sigpy.mri.app import L1WaveletRecon

        return each_frame(L1WaveletRecon, inputs, self.strength, self.iterations)


class TotalVariation(Method):
    """``min_x 1/2 |M F S x - y|^2 + strength |grad x|_1`` (sigpy, primal-dual hybrid gradient).

    Parameters
    ----------
    strength : float or "tuned"
        In units of the image, whose zero-filled maximum is 1: sigpy's ``lamda``.
    iterations : int
        This solver converges slowly: at 200, a single-coil image is 1 dB below BART's of the same problem.
    """

    task = "reconstruction"
    reference = "Block et al., Magn. Reson. Med. 2007; solver: sigpy"
    tunable = {"strength": (0.0025, 0.005, 0.01)}
    presets = ({}, {"strength": "tuned"})
    quick_presets = ({},)

    def __init__(self, *, strength: float = 0.005, iterations: int = 200) -> None:
        self.strength = float(strength)
        self.iterations = iterations

    def predict(self, inputs: ReconstructionInputs) -> np.ndarray:
        from sigpy.mri.app import TotalVariationRecon

        return each_frame(TotalVariationRecon, inputs, self.strength, self.iterations)
