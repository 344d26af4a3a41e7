"""ANTs' DenoiseImage."""

from __future__ import annotations

import numpy as np

from mrbench.core.method import Resources
from mrbench.tasks.denoising import DenoisingInputs
from mrbench_baselines.denoising.smoother import Smoother


class AntsDenoise(Smoother):
    """Spatially adaptive non-local means (`DenoiseImage`), which estimates the noise from the image itself.

    Patches of 3 voxels, search over 5, Gaussian model: the bias of Rician noise is the harness's to correct, for this
    row as for every other. Nothing is minimised: each voxel is the mean of others, weighted by the likeness of their
    patches in units of the local noise (the tool's ``p``, ``r``, ``noise_model``). Its own defaults, nothing tuned.

    Parameters
    ----------
    bias : {"corrected", "kept"}
    """

    reference = "Manjon et al., J. Magn. Reson. Imaging 2010 (adaptive non-local means); tool: ANTs"
    needs = {"ants": "pip install 'mrbench[ants]'"}

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import ants

        if resources.threads == 1:  # the number of threads is in the environment already
            ants.config.set_ants_deterministic(on=True, seed_value=1)

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        import ants

        image = ants.from_numpy(inputs.image.astype(np.float32))  # patches are in voxels, as other rows' are
        return ants.denoise_image(image, shrink_factor=1, p=1, r=2, noise_model="Gaussian").numpy()
