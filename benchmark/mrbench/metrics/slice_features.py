"""The features in which sets of slices are compared, of a small network from `mrbench.training.slice_features`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mrbench.metrics.slice_network import SliceNetwork

WEIGHTS = Path(__file__).parent / "weights" / "slice-features.safetensors"


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
    import torch

    network = _network()
    with torch.no_grad():
        features = network.features(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))[:, None])
        return ((features - network.centre) / network.scale).double().numpy()


@cache
def _network() -> SliceNetwork:
    from safetensors.torch import load_file

    from mrbench.metrics.slice_network import SliceNetwork

    state = {name: tensor.float() for name, tensor in load_file(WEIGHTS).items()}
    network = SliceNetwork(len(state["head.bias"]))
    network.load_state_dict(state)
    return network.eval()
