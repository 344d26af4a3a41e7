"""Thresholds and regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mrbench.core.method import Method
from mrbench.space.pieces import largest_piece
from mrbench.tasks.segmentation import CONTRASTS, SegmentationInputs
from mrbench_baselines.segmentation.regions import filled

CLASSES = 4
"""Of multi-Otsu on FLAIR: fluid, two kinds of tissue, and what is brighter."""


class Threshold(Method):
    """Bright in FLAIR is tumour; what gadolinium brightens is its enhancing part, what that encloses its core.

    Nothing is minimised. The whole tumour is the largest piece above the threshold, holes filled. Where nothing
    enhances, what is darker in T1 than ``-necrosis`` is the core.

    Parameters
    ----------
    flair : float or "otsu"
        SDs above the mean of the brain, or the highest threshold of multi-Otsu.
    gain : float
        T1c minus T1, in SDs.
    necrosis : float
        SDs below the mean of T1.
    """

    task = "segmentation"
    reference = "textbook; Otsu, IEEE Trans. SMC 1979"
    tunable = {"flair": (1.2, 1.6, 2.0), "gain": (0.6, 1.0, 1.4), "necrosis": (0.7, 1.0, 1.4)}
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"flair": "otsu"},
        {},
        {"flair": "tuned", "gain": "tuned", "necrosis": "tuned"},
    )
    quick_presets = ({},)

    def __init__(self, *, flair: float | str = 1.6, gain: float = 1.0, necrosis: float = 1.0) -> None:
        self.flair = flair if flair == "otsu" else float(flair)
        self.gain = float(gain)
        self.necrosis = float(necrosis)

    def predict(self, inputs: SegmentationInputs) -> np.ndarray:
        """Return the label map ``(z, y, x)``."""
        from scipy.ndimage import gaussian_filter

        sds = [0.7 * min(inputs.spacing) / side for side in inputs.spacing]
        smooth = dict(zip(CONTRASTS, (gaussian_filter(image, sds) for image in inputs.images), strict=True))
        whole = filled(largest_piece(inputs.mask & (smooth["FLAIR"] > self._bright(smooth["FLAIR"][inputs.mask]))))
        enhancing = whole & (smooth["T1c"] - smooth["T1"] > self.gain)
        core = filled(enhancing) if enhancing.any() else whole & (smooth["T1"] < -self.necrosis)
        return np.select([enhancing, core, whole], [3, 1, 2], 0).astype(np.uint8)

    def _bright(self, values: np.ndarray) -> float:
        from skimage.filters import threshold_multiotsu

        return float(threshold_multiotsu(values, CLASSES)[-1]) if self.flair == "otsu" else float(self.flair)
