"""BM3D and BM4D, where their packages are installed."""

from __future__ import annotations

import numpy as np

from mrbench.tasks.denoising import DenoisingInputs
from mrbench_baselines.denoising.smoother import Smoother

INSTALL = "pip install bm3d bm4d (or mrbench[bm3d]); free for non-commercial use alone"


class Bm3d(Smoother):
    """BM3D, slice by slice, with the noise SD known and its published profile.

    Nothing is minimised: coefficients of stacks of like blocks below a multiple of sigma become zero,
    then a Wiener filter by that estimate; sigma is the noise SD in units of the image (``sigma_psd``). The package's
    licence allows non-commercial use alone. Slices need at least 8 voxels each way.

    Parameters
    ----------
    bias : {"corrected", "kept"}
    """

    reference = "Dabov et al., IEEE TIP 2007; Makinen et al., IEEE TIP 2020; the authors' package"
    needs = {"bm3d": INSTALL}

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        return slice_by_slice(inputs, self.resources.threads)


class Bm4d(Smoother):
    """BM4D: blocks matched and filtered in 3-D, with the noise SD known and its published profile.

    Nothing is minimised, as in `Bm3d`, and sigma is its only strength (``sigma_psd``). It runs on every case, of
    whatever size: about two minutes a megavoxel. The package's licence allows non-commercial use alone. A volume
    thinner than a block, 5 slices, is left to BM3D.

    Parameters
    ----------
    bias : {"corrected", "kept"}
    """

    reference = "Maggioni et al., IEEE TIP 2013; the authors' package"
    needs = {"bm3d": INSTALL, "bm4d": INSTALL}

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        from bm4d import BM4DProfile, bm4d

        profile = BM4DProfile()
        if len(inputs.image) < max(profile.bs_ht[0], profile.bs_wiener[0]):
            return slice_by_slice(inputs, self.resources.threads)
        profile.num_threads = self.resources.threads  # as many as it finds, otherwise, and other digits each time
        return bm4d(inputs.image.astype(np.float64), inputs.sigma, profile)


def slice_by_slice(inputs: DenoisingInputs, threads: int) -> np.ndarray:
    """BM3D of each slice, on so many threads."""
    from bm3d import BM3DProfile, bm3d

    profile = BM3DProfile()
    profile.num_threads = threads
    return np.stack([bm3d(plane.astype(np.float64), inputs.sigma, profile) for plane in inputs.image])
