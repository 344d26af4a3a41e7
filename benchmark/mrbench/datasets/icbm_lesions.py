"""`icbm-sim` with lesions in the white matter of every second person, so that a contrast is no lookup of another."""

from __future__ import annotations

import numpy as np

from mrbench.core.random import rng_for
from mrbench.datasets.icbm_sim import IcbmSim
from mrbench.simulation.lesions import lesions

SHARE = 0.5
"""Of people who have lesions."""


class IcbmLesions(IcbmSim):
    """The people of `IcbmSim`, some with 3 to 12 ellipsoidal white-matter lesions.

    Their grey level in T1 is that of grey matter, in T2 brighter than any tissue but CSF: as in multiple sclerosis,
    intensity alone does not tell one contrast from the other.
    """

    representation = "contrasts"
    form = "lesions"
    title = "simulated T1 and T2 of 60 people, half of them with white-matter lesions"

    def pathology(self, subject: str, fractions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        rng = rng_for(subject, "lesions")
        white = fractions["wm"]
        lesion = lesions(rng, white) if rng.random() < SHARE else np.zeros_like(white)
        return {**fractions, "wm": white - lesion, "lesion": lesion}
