"""What fastMRI puts around its U-Net: zero-filled magnitude, standardised by slice."""

from __future__ import annotations

from torch import Tensor, nn

from mrbench_methods.reconstruction.fourier import root_sum_of_squares, to_image
from mrbench_methods.reconstruction.unet_network import Unet


class MagnitudeUnet(nn.Module):
    """Standardise the zero-filled image, clamp to 6 SD, filter, restore."""

    def __init__(self, features: int, pools: int) -> None:
        super().__init__()
        self.unet = Unet(1, 1, features, pools)

    def forward(self, kspace: Tensor, mask: Tensor) -> Tensor:
        """Return magnitudes ``(batch, y, x)`` of k-space ``(batch, coil, y, x)``; the mask is not used."""
        image = root_sum_of_squares(to_image(kspace))
        mean = image.mean((1, 2), keepdim=True)
        deviation = image.std((1, 2), keepdim=True).clamp_min(1e-8)
        filtered = self.unet(((image - mean) / deviation).clamp(-6, 6)[:, None])[:, 0].float()
        return filtered * deviation + mean
