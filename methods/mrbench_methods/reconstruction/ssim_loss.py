"""SSIM of fastMRI as a differentiable tensor, equal to `mrbench.metrics.image.ssim`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mrbench.metrics.image import WINDOW


def ssim(prediction: Tensor, target: Tensor, data_range: float = 1.0) -> Tensor:
    """Mean structural similarity of ``(batch, y, x)`` magnitudes: uniform window, sample covariance.

    References
    ----------
    ``SSIMLoss`` of fastmri/losses.py.
    """

    def mean(image: Tensor) -> Tensor:
        return F.avg_pool2d(image[:, None], WINDOW, stride=1)

    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    x, y = mean(prediction), mean(target)
    xx, yy = (unbiased * (mean(image**2) - centre**2) for image, centre in ((prediction, x), (target, y)))
    xy = unbiased * (mean(prediction * target) - x * y)
    similarity = (2 * x * y + c1) * (2 * xy + c2) / ((x**2 + y**2 + c1) * (xx + yy + c2))
    return similarity.mean()
