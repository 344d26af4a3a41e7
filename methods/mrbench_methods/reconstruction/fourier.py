"""The harness's Fourier convention for tensors: centred, orthonormal, over the last two axes."""

from __future__ import annotations

import torch
from torch import Tensor

AXES = (-2, -1)


def to_kspace(image: Tensor) -> Tensor:
    """Complex image to k-space; the convention of `mrbench.physics.fourier`."""
    return torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(image, dim=AXES), norm="ortho"), dim=AXES)


def to_image(kspace: Tensor) -> Tensor:
    """Complex k-space to image."""
    return torch.fft.fftshift(torch.fft.ifft2(torch.fft.ifftshift(kspace, dim=AXES), norm="ortho"), dim=AXES)


def to_channels(image: Tensor) -> Tensor:
    """Complex ``(batch, ...)`` to real ``(batch, 2, ...)``: real part, imaginary part.

    They lie beside each other in memory (channels last), which convolutions of a CPU read half again as fast.
    """
    return torch.view_as_real(image.resolve_conj()).movedim(-1, 1)


def to_complex(channels: Tensor) -> Tensor:
    """Real ``(batch, 2, ...)`` to complex ``(batch, ...)``; the FFT needs single precision."""
    return torch.view_as_complex(channels.float().movedim(1, -1).contiguous())


def magnitude(image: Tensor) -> Tensor:
    """Magnitude with a gradient that is finite at zero."""
    return (image.real**2 + image.imag**2 + 1e-24).sqrt()


def root_sum_of_squares(images: Tensor, dim: int = 1) -> Tensor:
    """Combine coil images, with a gradient that is finite at zero."""
    return ((images.real**2 + images.imag**2).sum(dim) + 1e-24).sqrt()
