"""The exact SENSE step: the image nearest to a prior that fits what the coils measured."""

from __future__ import annotations

import torch
from torch import Tensor

from mrbench_methods.reconstruction.fourier import to_image, to_kspace

ITERATIONS = 30
"""Of conjugate gradients, where the mask allows no direct solution."""


class SenseStep:
    """``argmin_x |M F S x - y|^2 + weight |x - prior|^2`` for one acquisition and any number of priors.

    Where whole columns were sampled, or whole rows, a Fourier transform along them leaves one small problem a line,
    whose inverse is computed once and serves every prior. Any other mask is solved by conjugate gradients, as in the
    paper.

    Parameters
    ----------
    kspace : Tensor, complex, shape ``(batch, coil, y, x)``
        Zero where not sampled.
    mask : Tensor of bool, shape ``(batch, y, x)``
    maps : Tensor, complex, shape ``(batch, coil, y, x)``
    weight : float

    References
    ----------
    Pruessmann et al., SENSE, Magn. Reson. Med. 1999; Aggarwal et al., MoDL, IEEE TMI 2019.
    """

    def __init__(self, kspace: Tensor, mask: Tensor, maps: Tensor, weight: float) -> None:
        self.mask, self.maps, self.weight = mask, maps, weight
        self.adjoint = (to_image(kspace) * maps.conj()).sum(1)
        self.lines = next((axis for axis in (1, 2) if bool((mask == mask.narrow(axis, 0, 1)).all())), None)
        if self.lines is not None:
            self.inverse = self._inverse(mask.select(self.lines, 0))

    def __call__(self, prior: Tensor) -> Tensor:
        """Return images ``(batch, y, x)`` for priors of the same shape."""
        wanted = self.adjoint + self.weight * prior
        if self.lines is None:
            return self._conjugate_gradients(wanted, prior)
        by_line = wanted if self.lines == 1 else wanted.mT
        solved = (self.inverse @ by_line[..., None])[..., 0]
        return solved if self.lines == 1 else solved.mT

    def _inverse(self, sampled: Tensor) -> Tensor:
        """Of each line's ``S^H F^H M F S + weight``, shape ``(batch, line, n, n)``."""
        kernel = torch.fft.ifft(torch.fft.ifftshift(sampled.float(), dim=-1))
        at = torch.arange(sampled.shape[-1], device=sampled.device)
        blur = kernel[:, (at[:, None] - at) % len(at)]
        maps = self.maps if self.lines == 1 else self.maps.mT
        columns = maps.permute(0, 2, 3, 1)
        gram = (columns.conj() @ columns.mT) * blur[:, None]
        return torch.linalg.inv(gram + self.weight * torch.eye(len(at), device=gram.device))

    def _normal(self, image: Tensor) -> Tensor:
        measured = torch.where(self.mask[:, None], to_kspace(self.maps * image[:, None]), 0)
        return (to_image(measured) * self.maps.conj()).sum(1) + self.weight * image

    def _conjugate_gradients(self, wanted: Tensor, start: Tensor) -> Tensor:
        def dot(one: Tensor, other: Tensor) -> Tensor:
            return (one.conj() * other).real.sum((-2, -1), keepdim=True)

        image = start
        residual = wanted - self._normal(image)
        direction, size = residual, dot(residual, residual)
        for _ in range(ITERATIONS):
            mapped = self._normal(direction)
            step = size / dot(direction, mapped).clamp_min(1e-35)
            image = image + step * direction
            residual = residual - step * mapped
            size, before = dot(residual, residual), size
            direction = residual + size / before.clamp_min(1e-35) * direction
        return image
