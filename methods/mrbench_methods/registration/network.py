"""VoxelMorph's network, on a half-resolution grid or at full resolution, and the differentiable geometry around it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from monai.networks.nets import VoxelMorphUNet
from torch import nn

STRIDE = 16
"""Image sides must be multiples of this: half resolution, then three poolings."""


def padded(image: np.ndarray, device: str) -> torch.Tensor:
    """A volume ``(z, y, x)`` with zeros behind it up to multiples of `STRIDE`, shape ``(1, 1, z, y, x)``."""
    return torch.from_numpy(np.pad(image, [(0, -size % STRIDE) for size in image.shape]))[None, None].to(device)


def identity_grid(shape: torch.Size | tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Voxel positions, shape ``(1, 3, z, y, x)``."""
    axes = [torch.arange(size, device=device, dtype=torch.float32) for size in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]


def sample(volume: torch.Tensor, displacement: torch.Tensor, grid: torch.Tensor, padding: str) -> torch.Tensor:
    """Pull back: ``out(p) = volume(p + u(p))``, linear.

    Parameters
    ----------
    volume : Tensor, shape ``(1, channels, z, y, x)``
        What is resampled.
    displacement, grid : Tensor, shape ``(1, 3, z, y, x)``
        Voxels, components in array order.
    padding : {"zeros", "border"}
        What lies outside.
    """
    sizes = volume.new_tensor(volume.shape[2:]).view(1, 3, 1, 1, 1)
    position = (grid + displacement) * (2 / (sizes - 1)) - 1
    # grid_sample wants x first, as its last axis
    return F.grid_sample(
        volume,
        position.flip(1).permute(0, 2, 3, 4, 1),
        mode="bilinear",
        padding_mode=padding,
        align_corners=True,
    )


def integrate(velocity: torch.Tensor, steps: int) -> torch.Tensor:
    """Exponential of a stationary velocity by scaling and squaring (Dalca et al., MICCAI 2018)."""
    grid = identity_grid(velocity.shape[2:], velocity.device)
    field = velocity / 2**steps
    for _ in range(steps):
        field = field + sample(field, field, grid, "border")
    return field


def upsample(field: torch.Tensor) -> torch.Tensor:
    """Half-resolution displacement in half-resolution voxels to full resolution in its voxels."""
    return 2 * F.interpolate(field, scale_factor=2, mode="trilinear", align_corners=False)


def space_to_channels(images: torch.Tensor) -> torch.Tensor:
    """Fold each 2x2x2 block into channels: half the resolution, nothing lost."""
    batch, channels, depth, height, width = images.shape
    blocks = images.reshape(batch, channels, depth // 2, 2, height // 2, 2, width // 2, 2)
    return blocks.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, channels * 8, depth // 2, height // 2, width // 2)


class FieldNetwork(nn.Module):
    """U-Net of VoxelMorph (MONAI's) from an image pair to a field.

    The published network runs at full resolution (327,331 parameters). By default 2x2x2 blocks become channels first
    and the field is at half resolution, which costs an eighth and, at 2 mm, loses nothing: the flow is smooth at that
    scale.

    Parameters
    ----------
    features : int
        Channels of the finest level.
    width : int
        Channels of the others.
    integration_steps : int
        0 for the dense model, where the output is the displacement; else the output is a stationary
        velocity, integrated by that many squarings.
    full_resolution : bool
        The published network.
    """

    def __init__(
        self, features: int = 16, width: int = 32, integration_steps: int = 0, full_resolution: bool = False
    ) -> None:
        super().__init__()
        self.integration_steps, self.full_resolution = integration_steps, full_resolution
        levels = 8 if full_resolution else 6  # on the way down and up
        self.unet = VoxelMorphUNet(
            spatial_dims=3,
            in_channels=2 if full_resolution else 16,
            unet_out_channels=width if full_resolution else features,
            channels=(features, *[width] * (levels - 1)),
            final_conv_channels=(features, features) if full_resolution else (features,),
        )
        flow = self.unet.net[-1][-1].conv
        nn.init.normal_(flow.weight, std=1e-5)
        nn.init.zeros_(flow.bias)

    def forward(self, moving: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
        """Return the raw field (displacement or velocity) in voxels of its own grid, ``(1, 3, z/2, y/2, x/2)``."""
        pair = torch.cat([moving, fixed], 1)
        if not self.full_resolution:
            pair = space_to_channels(pair)
        return self.unet(pair.contiguous(memory_format=torch.channels_last_3d))

    def displacement(self, raw: torch.Tensor) -> torch.Tensor:
        """Turn the raw field into a displacement of the images, in their voxels."""
        field = integrate(raw, self.integration_steps) if self.integration_steps else raw
        return field if self.full_resolution else upsample(field)
