"""The network of `mrbench.metrics.slice_features`; apart from it, as it needs PyTorch as soon as it is imported."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEATURES = 64

WIDTHS = (16, 32, 64, FEATURES)


class SliceNetwork(nn.Module):
    """Strided convolutions and a mean over the plane; a linear layer predicts from the features.

    It learns to say what is in an axial slice (how much of each structure, at what height) and what was done to it
    (blur, noise), so that its features tell anatomy and image quality apart. ``centre`` and ``scale`` bring each
    feature to mean 0 and SD 1 over the train slices.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, targets: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((1, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.LeakyReLU(0.1)]
            layers += [nn.Conv2d(outputs, outputs, 3, padding=1), nn.LeakyReLU(0.1)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(FEATURES, targets)
        self.register_buffer("centre", torch.zeros(FEATURES))
        self.register_buffer("scale", torch.ones(FEATURES))

    def features(self, images: Tensor) -> Tensor:
        """Return ``(image, feature)`` of images ``(image, 1, y, x)``, as they are before standardising."""
        return self.layers(images).mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))
