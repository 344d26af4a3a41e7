"""Training under randomised physics, so that a reconstruction carries over to scanners that nobody trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from mrbench.core.examples import AsNeeded
from mrbench.datasets.acquisition import Acquisition
from mrbench.physics.coils import receive_coils, smooth_phase
from mrbench.physics.fourier import to_image, to_kspace
from mrbench.physics.noise import complex_noise
from mrbench.physics.sampling import calibration_size
from mrbench.tasks.reconstruction import TrainingScans
from mrbench.tasks.sampling import Sampling, draw_mask
from mrbench_methods.reconstruction.learned import coil_maps
from mrbench_methods.training_device import half_convolutions, precision_of, tensors_for

if TYPE_CHECKING:
    from torch import Tensor

    from mrbench_methods.reconstruction.learned import LearnedReconstruction

MATRIX = (90, 176)
"""Smallest and largest side of the image."""

ZOOM = 1.35
"""Largest factor by which the object is enlarged, and its inverse."""

COILS = (4, 12)

NOISE = (0.0015, 0.015)
"""SD of each coil's channels, of an object whose maximum is 1; a decade."""

HEAD = 0.05
"""Of the maximum: what is brighter is head."""


class RandomPhysicsRecipe:
    """One slice a step, as another scanner would have measured it.

    The target is the object itself, without the noise that a measured reference has. What lies beyond the field of
    view is cut off and not folded back; matrices and arrays end at `MATRIX` and `COILS`, of which larger ones cost
    ESPIRiT's time.

    Parameters
    ----------
    method : LearnedReconstruction
    examples : TrainingScans
    band : int or None
        Rows of the slice that are reconstructed: the physics acts on each row alone where columns are sampled, so that
        a band is a whole problem. None for all of them, which a network needs that standardises its image.
    """

    batch = 1

    def __init__(self, method: LearnedReconstruction, examples: TrainingScans, band: int | None) -> None:
        import torch

        self.band = band
        self.network = method.network_.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.method, self.tracks = method, examples.tracks
        self.volumes = AsNeeded.of(examples.scans).then(lambda scan, _: _magnitude(scan))
        self.settings: Mapping[str, Any] = {
            "batch": self.batch,
            **({"band_rows": self.band} if self.band else {}),
            "loss": "mean absolute error",
            "precision": precision_of(self.network),
            "augmentation": f"quarter turns, flips, zoom to {ZOOM}, matrix {MATRIX}, place, contrast and its inverse, "
            f"smooth phase and sharp steps of it, {COILS} coils, noise {NOISE}",
        }

    def loss(self, rng: np.random.Generator) -> Tensor:
        return self.loss_of(self.draw(rng))

    def loss_of(self, drawn: Sequence[np.ndarray]) -> Tensor:
        kspace, mask, target, *maps = tensors_for(self.network, *(part[None] for part in drawn))
        with half_convolutions(self.network):
            prediction = self.network(kspace, mask, *maps)
        return self.method.loss(prediction.float(), target)

    def draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Return k-space ``(coil, y, x)``, mask and target ``(y, x)``, and coil maps where the network needs them."""
        while True:
            volume = self.volumes[int(rng.integers(len(self.volumes)))]
            sampling = self.tracks[int(rng.integers(len(self.tracks)))]
            image = object_of(volume[int(rng.integers(len(volume)))], rng)
            kspace = measured(image, sampling, rng)
            mask = draw_mask(sampling, (1, *kspace.shape), rng)
            calibration = calibration_size(mask)
            undersampled = np.where(mask[0], kspace, 0)
            if min(calibration) < 3 and len(kspace) > 1:
                continue
            rows = self._rows(len(image), rng)
            maps = [coil_maps(undersampled, calibration, rows)] if self.method.needs_maps else []
            if all(np.isfinite(part).all() for part in maps):  # ESPIRiT fails where there is nothing but noise
                break
        band = to_kspace(to_image(undersampled)[:, rows]).astype(np.complex64)
        cut = np.ascontiguousarray(mask[0, rows])
        return [np.where(cut, band, 0), cut, image[rows], *maps]

    def _rows(self, rows: int, rng: np.random.Generator) -> slice:
        if self.band is None:
            return slice(None)
        first = int(rng.integers(max(1, rows - self.band + 1)))
        return slice(first, first + self.band)


def _magnitude(scan: Acquisition) -> np.ndarray:
    assert scan.reference is not None  # of fully sampled scans
    return scan.reference


def object_of(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A slice turned, zoomed, moved and in another contrast, on a matrix of random sides; maximum 1."""
    image = np.rot90(image, int(rng.integers(4)))
    image = image[:: 1 if rng.random() < 0.5 else -1]
    zoom = ZOOM ** rng.uniform(-1, 1)
    sides = rng.integers(MATRIX[0], MATRIX[1] + 1, 2)
    occupied = np.argwhere(image > HEAD * image.max())
    middle = (occupied.min(0) + occupied.max(0)) / 2 + rng.uniform(-6, 6, 2)
    offset = middle - (sides - 1) / 2 / zoom
    image = ndimage.affine_transform(image, np.eye(2) / zoom, offset, tuple(sides), order=3)
    image = np.maximum(image, 0) / image.max()
    head = ndimage.gaussian_filter((image > HEAD).astype(np.float32), 0.7)
    image = image ** np.exp(0.35 * rng.standard_normal())
    if rng.random() < 0.25:
        image = (1 - image) * head
    return (image / image.max()).astype(np.float32)


def measured(image: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> np.ndarray:
    """Full k-space ``(coil, y, x)`` of an object through random coils, with a random phase and noise."""
    phase = np.angle(smooth_phase(image.shape, rng)) * rng.uniform(0, 1.5)
    if rng.random() < 0.3:  # as where fat meets water, or a vessel
        field = ndimage.gaussian_filter(rng.standard_normal(image.shape), rng.uniform(4, 15))
        phase = phase + (field > 0) * rng.uniform(-np.pi, np.pi)
    coils = sampling.coils or int(rng.integers(COILS[0], COILS[1] + 1))
    maps = receive_coils(image.shape, coils, rng) if coils > 1 else np.ones((1, *image.shape), np.complex64)
    low, high = np.log(NOISE)
    noise = complex_noise(maps.shape, float(np.exp(rng.uniform(low, high))), rng)
    return (to_kspace(image * np.exp(1j * phase) * maps) + noise).astype(np.complex64)
