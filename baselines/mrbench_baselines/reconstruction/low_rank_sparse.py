"""Low rank plus sparse: a slowly varying background, and what moves on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import fft

from mrbench.core.method import Method
from mrbench.core.track import Track
from mrbench.physics.fourier import to_image, to_kspace
from mrbench.tasks.reconstruction import ReconstructionInputs
from mrbench_baselines.reconstruction.temporal_tv import COILS, STATIC


class LowRankPlusSparse(Method):
    """L+S: ``min 1/2 |M F (L + S) - y|^2 + low_rank |L|_* + sparse |T S|_1``, T the Fourier transform over time.

    Parameters
    ----------
    low_rank : float or "tuned"
        Threshold of singular values, relative to the largest of the zero-filled sequence; the
        article's lambda_L.
    sparse : float or "tuned"
        Threshold in units of the image, whose zero-filled maximum is 1; the article's lambda_S.
    iterations : int
        50 lose 2 dB on cine-sim.
    """

    task = "reconstruction"
    reference = "Otazo et al., Low-rank plus sparse, Magn. Reson. Med. 2015"
    tunable = {"sparse": (0.003, 0.01, 0.03), "low_rank": (0.003, 0.01, 0.03)}
    presets = ({}, {"sparse": "tuned", "low_rank": "tuned"})

    def __init__(self, *, low_rank: float = 0.01, sparse: float = 0.01, iterations: int = 200) -> None:
        self.low_rank = float(low_rank)
        self.sparse = float(sparse)
        self.iterations = iterations

    def skip_reason(self, track: Track[Any]) -> str | None:
        return STATIC if not track.settings.dynamic else None if track.settings.coils == 1 else COILS

    def predict(self, inputs: ReconstructionInputs) -> np.ndarray:
        measured, mask = inputs.kspace[:, 0], inputs.mask
        image = to_image(measured)
        sparse = np.zeros_like(image)
        largest = float(np.linalg.norm(image.reshape(len(image), -1), ord=2))
        for _ in range(self.iterations):
            background = _shrink_singular_values(image - sparse, self.low_rank * largest)
            spectrum = fft.fft(image - background, axis=0, norm="ortho")
            sparse = fft.ifft(_shrink(spectrum, self.sparse), axis=0, norm="ortho")
            total = background + sparse
            image = total - to_image(np.where(mask, to_kspace(total) - measured, 0))
        return total


def _shrink(values: np.ndarray, threshold: float) -> np.ndarray:
    size = np.abs(values)
    return values * (np.maximum(size - threshold, 0) / np.maximum(size, 1e-12))


def _shrink_singular_values(sequence: np.ndarray, threshold: float) -> np.ndarray:
    """Soft-threshold the singular values of the Casorati matrix, by its small Gram matrix over time."""
    matrix = sequence.reshape(len(sequence), -1)
    power, modes = np.linalg.eigh(matrix @ matrix.conj().T)
    singular = np.sqrt(np.maximum(power, 0))
    gain = np.maximum(singular - threshold, 0) / np.maximum(singular, 1e-12)
    return ((modes * gain) @ (modes.conj().T @ matrix)).reshape(sequence.shape)
