"""Volumes by 2-D networks that see neighbouring slices, across one axis or as the mean over all three."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    Network = Callable[[torch.Tensor], torch.Tensor]

CHUNK = 4
"""Slices predicted at once: bounds memory, changes no number."""

PLANES = {"all": 3, "axial": 1}
"""Orientations of slices that are averaged."""


def across(volume: np.ndarray, axis: int) -> np.ndarray:
    """The volume with its slices across ``axis`` first; `numpy.moveaxis` back undoes it. A copy in C order."""
    return np.ascontiguousarray(np.moveaxis(volume, axis, 0))


def stacks(volume: torch.Tensor, context: int) -> torch.Tensor:
    """Each slice that has ``context`` neighbours on both sides, with them as channels: ``(z, 2 context + 1, y, x)``."""
    return volume.unfold(0, 2 * context + 1, 1).movedim(-1, 1)


def restore(
    network: Network,
    volume: np.ndarray,
    *,
    maps: np.ndarray | None = None,
    context: int,
    planes: int,
    stride: int = 1,
    device: str,
) -> np.ndarray:
    """Run a network over all slices of a volume, edges extended.

    Parameters
    ----------
    network : Module or function
        From ``(batch, 2 context + 1, y, x)``, and a channel for each map, to ``(batch, 1, y, x)``.
    volume : ndarray of float32, shape ``(z, y, x)``
        The input.
    maps : ndarray of float32, shape ``(map, z, y, x)``, optional
        What else the network sees of each slice, after the slices.
    context : int
        Neighbouring slices on each side.
    planes : {1, 3}
        Axial slices, or the mean over the slices across each of the three axes; a volume with fewer slices than the
        network sees at once keeps to the axial ones.
    stride : int
        What the sides of an image must be multiples of.
    device : str
        ``cpu`` or ``cuda``.

    Returns
    -------
    ndarray of float32, shape ``(z, y, x)``
    """
    axes = range(planes if min(volume.shape) > 2 * context else 1)
    maps = np.empty((0, *volume.shape), np.float32) if maps is None else maps
    views = []
    for axis in axes:
        turned = np.stack([across(part, axis) for part in (volume, *maps)], axis=1)
        views.append(np.moveaxis(_slices(network, turned, context, stride, device), 0, axis))
    return np.asarray(np.mean(views, axis=0, dtype=np.float32))


def _slices(network: Network, channels: np.ndarray, context: int, stride: int, device: str) -> np.ndarray:
    """Run the network over slices ``(z, 1 + map, y, x)``."""
    import torch

    rows, columns = channels.shape[2:]
    margin = [(context, context), (0, 0), (0, -rows % stride), (0, -columns % stride)]
    padded = torch.from_numpy(np.pad(channels, margin, mode="edge")).to(device)
    maps = padded[context : len(padded) - context, 1:]
    with torch.no_grad():
        parts = zip(stacks(padded[:, 0], context).split(CHUNK), maps.split(CHUNK), strict=True)
        restored = torch.cat([network(torch.cat(part, 1))[:, 0] for part in parts])
    return restored[:, :rows, :columns].cpu().numpy()
