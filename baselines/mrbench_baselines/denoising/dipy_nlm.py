"""Non-local means as DIPY writes them: voxel by voxel, and with patches of two sizes mixed by wavelet subband."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mrbench.core.method import Resources
from mrbench.tasks.denoising import DenoisingInputs
from mrbench_baselines.denoising.smoother import Smoother

SEARCH = 3
"""Voxels on each side among which patches are compared."""

RANGE = 255.0
"""Maximum that an image is brought to for the mixing, whose sigmoid has a slope of 0.01 in units of the image."""


class DipyNlm(Smoother):
    """Non-local means in 3-D (DIPY's classic form), patches of 3 voxels, search over 7.

    Nothing is minimised and nothing is tuned: ``x_i^2`` is the mean of its neighbours' ``y_j^2`` with the weights
    ``exp(-|P_i - P_j|^2 / sigma^2)``, P the patches and their distance the mean over their voxels, sigma the noise SD,
    which is given (the tool's ``sigma``). Since squares are averaged, the bias of Rician noise is ``2 sigma^2``, which
    the tool takes off itself, and that of Gaussian noise ``sigma^2``, which is taken off here. The volume is mirrored
    at its rim, where the tool has too few neighbours, and one slice is a stack of itself, whose patches are as far
    apart as in 2-D.

    Parameters
    ----------
    bias : {"corrected", "kept"}
        Whether ``2 sigma^2`` are taken off where noise is Rician (the tool's ``rician``).
    """

    reference = "Coupe et al., IEEE TMI 2008 (3-D MRI); tool: DIPY"
    needs = {"dipy": "pip install 'mrbench[dipy]'"}

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import dipy.denoise.nlmeans  # noqa: F401

    def predict(self, inputs: DenoisingInputs) -> np.ndarray:
        """Return the denoised volume ``(z, y, x)``."""
        tool_corrects = self.bias == "corrected" and inputs.noise == "rician"
        return np.asarray(self.filtered(inputs, rician=tool_corrects), np.float32)

    def smooth(self, inputs: DenoisingInputs) -> np.ndarray:
        return self.filtered(inputs, rician=False)

    def filtered(self, inputs: DenoisingInputs, *, rician: bool) -> np.ndarray:
        """The tool's result, in the image's units, with or without its correction of the bias."""
        margin = SEARCH + 1
        image = np.pad(inputs.image.astype(np.float64), margin, mode="symmetric")
        return _cut(self._nlm(image, inputs.sigma, inputs.noise, rician, "classic", 1, SEARCH), margin)

    def _nlm(
        self,
        image: np.ndarray,
        sigma: float,
        noise: str,
        rician: bool,
        form: Literal["classic", "blockwise"],
        patch: int,
        search: int,
    ) -> np.ndarray:
        from dipy.denoise.nlmeans import nlmeans

        threads = self.resources.threads
        result = nlmeans(
            image, sigma, patch_radius=patch, block_radius=search, rician=rician, num_threads=threads, method=form
        )
        return np.sqrt(np.maximum(result**2 - sigma**2, 0)) if noise == "gaussian" else result


class DipyAscm(DipyNlm):
    """Adaptive soft coefficient matching (DIPY): blockwise non-local means twice, mixed by wavelet subband.

    Details well above the noise come from patches of 3 voxels, the rest from patches of 5; search over 5. Nothing is
    minimised and nothing is tuned: sigma is the noise SD, which is given. The sigmoid that mixes is not free of units,
    so the image is brought to a maximum of 255 for it, as 8-bit images have. The volume is mirrored at its rim: the
    tool itself takes zeros for what lies outside, and divides by zero in a single slice.

    Parameters
    ----------
    bias : {"corrected", "kept"}
        As of `DipyNlm`.
    """

    reference = "Coupe et al., Adaptive multiresolution non-local means, IET Image Process. 2012; tool: DIPY"

    def filtered(self, inputs: DenoisingInputs, *, rician: bool) -> np.ndarray:
        from dipy.denoise.adaptive_soft_matching import adaptive_soft_matching

        margin = 10  # the length of the tool's wavelets
        scale = RANGE / (float(np.abs(inputs.image).max()) or 1.0)
        image, sigma = np.pad(inputs.image * np.float64(scale), margin, mode="symmetric"), inputs.sigma * scale
        fine, coarse = (self._nlm(image, sigma, inputs.noise, rician, "blockwise", patch, 2) for patch in (1, 2))
        return _cut(adaptive_soft_matching(image, fine, coarse, sigma), margin) / scale


def _cut(image: np.ndarray, margin: int) -> np.ndarray:
    return image[margin:-margin, margin:-margin, margin:-margin]
