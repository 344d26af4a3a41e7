"""Super-resolution and denoising against the libraries that users would take instead, measured in one run."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter
from tests.performance.conftest import Versus

from mrbench.physics.noise import correct_rician_bias, rician_mean
from mrbench.physics.resolution import Degradation
from mrbench_baselines.super_resolution.interpolation import lanczos

LOW = gaussian_filter(np.random.default_rng(0).random((20, 20, 16), dtype=np.float32), 1)
BLUR = Degradation("blur", (2, 2, 2))


def by_simpleitk(low: np.ndarray) -> np.ndarray:
    """SimpleITK's windowed sinc with Lanczos window on the same grid."""
    image = sitk.GetImageFromArray(low)
    size = [2 * n for n in image.GetSize()]
    return sitk.GetArrayFromImage(
        sitk.Resample(image, size, sitk.Transform(), sitk.sitkLanczosWindowedSinc, (0.0,) * 3, (0.5,) * 3)
    )


def test_lanczos_against_simpleitk(versus: Versus) -> None:
    """Lanczos upsampling of a small volume; SimpleITK has five lobes where we have three, so values differ a little."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    ours = lanczos(LOW, BLUR)
    inside = (slice(8, -8),) * 3
    assert np.corrcoef(ours[inside].ravel(), by_simpleitk(LOW)[inside].ravel())[0, 1] > 0.999
    versus(lambda: lanczos(LOW, BLUR), lambda: by_simpleitk(LOW), name="SimpleITK", repeats=5)


def test_bias_correction_against_root_finding(versus: Versus) -> None:
    """The tabulated inverse of the Rician mean against scipy's root finder, voxel by voxel."""
    from scipy.optimize import brentq

    means = rician_mean(np.random.default_rng(0).uniform(0, 5, 500), 1.0)
    ours = correct_rician_bias(means, 1.0)

    def peer() -> np.ndarray:
        return np.array([brentq(lambda s, m=m: rician_mean(np.array(s), 1.0) - m, 0, 10) for m in means])

    np.testing.assert_allclose(ours, peer(), atol=2e-4)
    versus(lambda: correct_rician_bias(means, 1.0), peer, name="scipy.optimize.brentq")
