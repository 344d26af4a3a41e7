"""The small network in whose features sets of slices are compared; trained by `mrbench.training.slice_features`."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

WEIGHTS = Path(__file__).parent / "weights" / "slice-features.safetensors"

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


def slice_features(images: np.ndarray) -> np.ndarray:
    """Standardised features of axial T1 slices.

    Parameters
    ----------
    images : ndarray of float32, shape ``(image, y, x)``
        About 2 mm a pixel, brain only, 1 at its 99.5th percentile.

    Returns
    -------
    ndarray of float64, shape ``(image, 64)``
    """
    network = _network()
    with torch.no_grad():
        made = network.features(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))[:, None])
        return ((made - network.centre) / network.scale).double().numpy()


@cache
def weights_sha256() -> str:
    """Of the weights: scores of another network are no longer the same scores."""
    return sha256(WEIGHTS.read_bytes()).hexdigest()


@cache
def _network() -> SliceNetwork:
    from safetensors.torch import load_file

    state = {name: tensor.float() for name, tensor in load_file(WEIGHTS).items()}
    network = SliceNetwork(len(state["head.bias"]))
    network.load_state_dict(state)
    return network.eval()
