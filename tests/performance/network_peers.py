"""Networks and optimisations in plain PyTorch, as the published code writes them; parameters in the order of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def copied(peer: nn.Module, ours: nn.Module) -> nn.Module:
    """The peer with our parameters, matched by their shapes in the order of the definitions."""
    waiting = [parameter.data for parameter in ours.parameters()]
    for parameter in peer.parameters():
        place = next(n for n, value in enumerate(waiting) if value.shape == parameter.shape)
        parameter.data = waiting.pop(place).clone()
    assert not waiting
    return peer.eval()


def fft2c(data: Tensor) -> Tensor:
    """fastMRI's centred transform of ``(..., y, x, 2)``."""
    return _centred(torch.fft.fft2, data)


def ifft2c(data: Tensor) -> Tensor:
    return _centred(torch.fft.ifft2, data)


def _centred(transform: Callable[..., Tensor], data: Tensor) -> Tensor:
    shifted = torch.fft.ifftshift(data, dim=(-3, -2))
    done = torch.view_as_real(transform(torch.view_as_complex(shifted), dim=(-2, -1), norm="ortho"))
    return torch.fft.fftshift(done, dim=(-3, -2))


def complex_mul(x: Tensor, y: Tensor) -> Tensor:
    real = x[..., 0] * y[..., 0] - x[..., 1] * y[..., 1]
    return torch.stack((real, x[..., 0] * y[..., 1] + x[..., 1] * y[..., 0]), dim=-1)


def complex_conj(x: Tensor) -> Tensor:
    return torch.stack((x[..., 0], -x[..., 1]), dim=-1)


def rss_complex(data: Tensor) -> Tensor:
    return torch.sqrt((data**2).sum(dim=-1).sum(dim=1))


class ConvBlock(nn.Module):
    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inward, outward, 3, padding=1, bias=False),
            nn.InstanceNorm2d(outward),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Dropout2d(0.0),
            nn.Conv2d(outward, outward, 3, padding=1, bias=False),
            nn.InstanceNorm2d(outward),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Dropout2d(0.0),
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


class Unet(nn.Module):
    """``fastmri/models/unet.py``, in fastMRI's order of calls and with its names of parameters."""

    def __init__(self, channels: int, features: int, pools: int) -> None:
        super().__init__()
        sizes = [features * 2**level for level in range(pools + 1)]
        inward = [channels, *sizes[: pools - 1]]
        self.down_sample_layers = nn.ModuleList(ConvBlock(a, b) for a, b in zip(inward, sizes, strict=False))
        self.conv = ConvBlock(*sizes[-2:])
        upwards = sizes[-2::-1]
        blocks: list[nn.Module] = [ConvBlock(2 * size, size) for size in upwards]
        blocks[-1] = nn.Sequential(blocks[-1], nn.Conv2d(features, channels, 1))
        self.up_conv = nn.ModuleList(blocks)
        self.up_transpose_conv = nn.ModuleList(TransposeConvBlock(2 * size, size) for size in upwards)

    def forward(self, image: Tensor) -> Tensor:
        stack, output = [], image
        for layer in self.down_sample_layers:
            output = layer(output)
            stack.append(output)
            output = F.avg_pool2d(output, kernel_size=2, stride=2, padding=0)
        output = self.conv(output)
        for transposed, merged in zip(self.up_transpose_conv, self.up_conv, strict=True):
            output = merged(torch.cat([transposed(output), stack.pop()], dim=1))
        return output


class TransposeConvBlock(nn.Module):
    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(inward, outward, 2, stride=2, bias=False),
            nn.InstanceNorm2d(outward),
            nn.LeakyReLU(0.2, inplace=True),
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


class NormUnet(nn.Module):
    """``fastmri/models/varnet.py``, of sides that need no padding."""

    def __init__(self, features: int, pools: int) -> None:
        super().__init__()
        self.unet = Unet(2, features, pools)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w, two = x.shape
        x = x.permute(0, 4, 1, 2, 3).reshape(b, two * c, h, w)
        groups = x.view(b, 2, c * h * w)
        mean, std = groups.mean(dim=2).view(b, 2, 1, 1), groups.std(dim=2).view(b, 2, 1, 1)
        x = self.unet((x - mean) / std) * std + mean
        return x.view(b, two, c, h, w).permute(0, 2, 3, 4, 1).contiguous()


class SensitivityModel(nn.Module):
    def __init__(self, features: int, pools: int) -> None:
        super().__init__()
        self.norm_unet = NormUnet(features, pools)

    def forward(self, masked: Tensor, acs: Tensor) -> Tensor:
        images = ifft2c(masked * acs)
        _, c, h, w, two = images.shape
        maps = self.norm_unet(images.reshape(c, 1, h, w, two)).view(1, c, h, w, two)
        return maps / rss_complex(maps).unsqueeze(-1).unsqueeze(1)


class VarNetBlock(nn.Module):
    def __init__(self, features: int, pools: int) -> None:
        super().__init__()
        self.model = NormUnet(features, pools)
        self.dc_weight = nn.Parameter(torch.ones(1))

    def forward(self, current: Tensor, masked: Tensor, mask: Tensor, maps: Tensor) -> Tensor:
        zero = torch.zeros(1, 1, 1, 1, 1).to(current)
        soft = torch.where(mask, current - masked, zero) * self.dc_weight
        combined = complex_mul(ifft2c(current), complex_conj(maps)).sum(dim=1, keepdim=True)
        return current - soft - fft2c(complex_mul(self.model(combined), maps))


class VarNet(nn.Module):
    """``fastmri/models/varnet.py``: k-space ``(1, coil, y, x, 2)`` to magnitudes."""

    def __init__(self, cascades: int, features: int, pools: int, map_features: int) -> None:
        super().__init__()
        self.sens_net = SensitivityModel(map_features, pools)
        self.cascades = nn.ModuleList(VarNetBlock(features, pools) for _ in range(cascades))

    def forward(self, masked: Tensor, mask: Tensor, acs: Tensor) -> Tensor:
        maps = self.sens_net(masked, acs)
        current = masked.clone()
        for cascade in self.cascades:
            current = cascade(current, masked, mask, maps)
        return torch.sqrt((ifft2c(current) ** 2).sum(dim=-1).sum(dim=1))


class Cascade(nn.Module):
    """DnCn of Deep-MRI-Reconstruction: images of two channels, data consistency with noise level ``v``."""

    def __init__(self, cascades: int, depth: int, features: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(self._block(depth, features) for _ in range(cascades))
        self.noise = nn.ParameterList(nn.Parameter(torch.tensor(2.3)) for _ in range(cascades))

    @staticmethod
    def _block(depth: int, features: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for n in range(depth):
            inward, outward = 2 if n == 0 else features, 2 if n == depth - 1 else features
            layers += [nn.Conv2d(inward, outward, 3, padding=1), nn.LeakyReLU(0.01)]
        return nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor, k0: Tensor, mask: Tensor) -> Tensor:
        for block, noise in zip(self.blocks, self.noise, strict=True):
            k = fft2c((x + block(x)).permute(0, 2, 3, 1))
            v = torch.exp(noise)
            k = (1 - mask) * k + mask * (k + v * k0) / (1 + v)
            x = ifft2c(k).permute(0, 3, 1, 2)
        return torch.sqrt((x**2).sum(dim=1))


class SpatialTransformer(nn.Module):
    """``voxelmorph/torch/layers.py``."""

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        grids = torch.meshgrid([torch.arange(0, side) for side in size], indexing="ij")
        self.register_buffer("grid", torch.stack(grids).unsqueeze(0).float())

    def forward(self, source: Tensor, flow: Tensor) -> Tensor:
        places = self.grid + flow
        for n, side in enumerate(flow.shape[2:]):
            places[:, n] = 2 * (places[:, n] / (side - 1) - 0.5)
        places = places.permute(0, 2, 3, 4, 1)[..., [2, 1, 0]]
        return F.grid_sample(source, places, align_corners=True, mode="bilinear")


def ncc(true: Tensor, predicted: Tensor, window: int) -> Tensor:
    """``voxelmorph/torch/losses.py``: sums over windows by convolutions."""
    ones, pad, size = torch.ones(1, 1, window, window, window), window // 2, window**3
    parts = (true, predicted, true * true, predicted * predicted, true * predicted)
    i, j, ii, jj, ij = (F.conv3d(part, ones, stride=1, padding=pad) for part in parts)
    ui, uj = i / size, j / size
    cross = ij - uj * i - ui * j + ui * uj * size
    i_var, j_var = ii - 2 * ui * i + ui * ui * size, jj - 2 * uj * j + uj * uj * size
    return -torch.mean(cross * cross / (i_var * j_var + 1e-5))


def gradient(flow: Tensor) -> Tensor:
    dy = torch.abs(flow[:, :, 1:, :, :] - flow[:, :, :-1, :, :]) ** 2
    dx = torch.abs(flow[:, :, :, 1:, :] - flow[:, :, :, :-1, :]) ** 2
    dz = torch.abs(flow[:, :, :, :, 1:] - flow[:, :, :, :, :-1]) ** 2
    return (torch.mean(dx) + torch.mean(dy) + torch.mean(dz)) / 3


def instance(moving: Tensor, fixed: Tensor, *, steps: int, rate: float, smooth: float, window: int) -> np.ndarray:
    """Adam on a displacement at half resolution, from zero, with VoxelMorph's own layers and losses."""
    half = nn.Parameter(torch.zeros(1, 3, *(side // 2 for side in fixed.shape[2:])))
    transformer, optimiser = SpatialTransformer(fixed.shape[2:]), torch.optim.Adam([half], lr=rate)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * (1 - step / steps) ** 0.5
        full = 2 * F.interpolate(half, scale_factor=2, mode="trilinear", align_corners=False)
        loss = ncc(fixed, transformer(moving, full), window) + smooth * gradient(half)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return half.detach().numpy()
