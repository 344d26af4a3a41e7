"""BM3D and BM4D, where their packages are installed."""

from __future__ import annotations

import numpy as np

from mrbench.tasks.denoising import DenoisingInputs
from mrbench_baselines.denoising.smoother import Smoother

INSTALL = "pip install bm3d bm4d (or mrbench[bm3d]); free for non-commercial use alone"


class Bm3d(Smoother):
    """BM3D, slice by slice, with the noise SD known and its published profile.

    Parameters
    ----------
    bias : {"corrected", "kept"}
    """

    reference = "Dabov et al., IEEE TIP 2007; Makinen et al., IEEE TIP 2020; the authors' package"
    needs = {"bm3d": INSTALL}

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        from bm3d import bm3d

        return np.stack([bm3d(plane.astype(np.float64), inputs.sigma) for plane in inputs.image])


class Bm4d(Smoother):
    """BM4D: blocks matched and filtered in 3-D, with the noise SD known and its published profile.

    Parameters
    ----------
    bias : {"corrected", "kept"}
    """

    reference = "Maggioni et al., IEEE TIP 2013; the authors' package"
    needs = {"bm4d": INSTALL}

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        from bm4d import bm4d

        return bm4d(inputs.image.astype(np.float64), inputs.sigma)
