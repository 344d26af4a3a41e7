"""GRAPPA: each missing sample from its neighbours in all coils, by weights learned on the calibration lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrbench.core.errors import MethodSkipped
from mrbench.core.method import Method
from mrbench.core.track import Track
from mrbench.physics.fourier import root_sum_of_squares, to_image
from mrbench.tasks.reconstruction import ReconstructionInputs


class Grappa(Method):
    """GRAPPA of pygrappa; needs evenly spaced lines and several coils.

    ``min_w |A w - b|^2 + strength m |w|^2`` for each kernel w, A the neighbours of the calibration samples b, and m the
    Frobenius norm of ``A^H A`` over its side, so that the strength has no unit.

    Parameters
    ----------
    strength : float or "tuned"
        Tikhonov weight of the kernel fit: pygrappa's ``lamda``.
    lines, reads : int
        Kernel size along phase and frequency encoding.
    """

    task = "reconstruction"
    reference = "Griswold et al., GRAPPA, Magn. Reson. Med. 2002; solver: pygrappa"
    needs = {"pygrappa": "pip install pygrappa"}
    tunable = {"strength": (0.01, 0.1, 0.3)}
    presets = ({}, {"strength": "tuned"})

    def __init__(self, *, strength: float = 0.01, lines: int = 7, reads: int = 5) -> None:
        self.strength = float(strength)
        self.lines = lines
        self.reads = reads

    def skip_reason(self, track: Track[Any]) -> str | None:
        chosen = track.settings
        if chosen.coils == 1:
            return "one coil has no neighbours to learn from"
        if chosen.pattern not in ("equispaced", "as acquired"):
            return f"{chosen.pattern} sampling: GRAPPA needs evenly spaced lines"
        return None

    def predict(self, inputs: ReconstructionInputs) -> np.ndarray:
        from pygrappa import grappa

        rows, columns = inputs.kspace.shape[-2:]
        if inputs.calibration[0] != rows or not evenly_spaced(inputs.mask[0].all(axis=0), inputs.calibration[1]):
            raise MethodSkipped("the sampled columns are not evenly spaced, which GRAPPA needs")
        if inputs.calibration[1] < self.lines:
            raise MethodSkipped(f"{inputs.calibration[1]} calibration lines are fewer than the kernel's {self.lines}")
        start = columns // 2 - inputs.calibration[1] // 2
        centre = slice(start, start + inputs.calibration[1])
        filled = [
            grappa(frame, frame[:, :, centre], kernel_size=(self.reads, self.lines), coil_axis=0, lamda=self.strength)
            for frame in inputs.kspace
        ]
        return root_sum_of_squares(to_image(np.stack(filled)))


def evenly_spaced(columns: np.ndarray, calibration: int) -> bool:
    """Whether the sampled columns outside the calibration block lie on one regular grid."""
    start = len(columns) // 2 - calibration // 2
    stop = start + calibration
    while start > 0 and columns[start - 1]:  # a centred block gives a line away where widths are odd
        start -= 1
    while stop < len(columns) and columns[stop]:
        stop += 1
    outside = columns.copy()
    outside[start:stop] = False
    sampled = np.flatnonzero(outside)
    if len(sampled) < 2 or (step := int(np.diff(sampled).min())) < 2:
        return False
    regular = np.zeros_like(columns)
    regular[sampled[0] % step :: step] = True
    regular[start:stop] = False
    return bool((regular == outside).all())
