"""Batches and losses of VoxelMorph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mrbench.core.errors import RequestError
from mrbench.core.examples import AsNeeded
from mrbench.datasets.dataset import Subject
from mrbench.tasks.registration import CONTRAST
from mrbench_methods.registration.losses import LocalCrossCorrelation, overlap, smoothness
from mrbench_methods.registration.network import STRIDE, FieldNetwork, identity_grid, sample
from mrbench_methods.training_device import half_convolutions, precision_of, tensors_for

WINDOW = 9
"""Side in voxels of the cross-correlation window, as published."""

TRIM = 3
"""Voxels that a training pair may lose at most along an axis, so that its box needs no further block of voxels."""

GRADIENT_NORM = 1.0
"""Longest gradient: without a limit, three trainings of four ended in fields of a hundred voxels."""

STRUCTURES = 24
"""Drawn anew for each pair, of those that both subjects have; the paper has 30 in all."""


class Example(NamedTuple):
    """What a step needs of a subject: tensors ``(1, 1, z, y, x)`` where the network is."""

    image: Tensor
    labels: Tensor
    """Without voxels in a training without labels."""
    present: np.ndarray
    """Labels that there are."""


class VoxelMorphRecipe:
    """Random ordered pairs of subjects; augmentation is a left-right flip and a shared gamma curve."""

    def __init__(self, network: FieldNetwork, examples: Sequence[Subject], smooth: float) -> None:
        self.network = network
        self.examples = AsNeeded.of(examples).then(lambda subject, _: self.example(subject))
        self.smooth = smooth
        self.settings = {
            "batch": 1,
            "smooth": smooth,
            "window": WINDOW,
            "augmentation": "flip, gamma 0.8 to 1.25",
            "crop": f"box of both brains, trimmed by {TRIM} voxels at most",
            "precision": precision_of(self.network),
            "gradient_norm": GRADIENT_NORM,
        }

    def example(self, subject: Subject) -> Example:
        """What a step needs of a subject."""
        return self._example(subject.images[CONTRAST], np.zeros((0, 0, 0), np.int32))

    def _example(self, image: np.ndarray, labels: np.ndarray) -> Example:
        volume, structures = tensors_for(self.network, image, labels)
        return Example(volume[None, None], structures[None, None], np.unique(labels[labels > 0]))

    def loss(self, rng: np.random.Generator) -> Tensor:
        pair = Pair(self.examples, rng)
        moving, fixed = (pair.seen(one.image) ** pair.gamma for one in pair.examples)
        # oneDNN's bfloat16 weight gradient reads stray memory where a side is 2 voxels, as at the deepest level
        # of small volumes (seen with PyTorch 2.13)
        fits = min(fixed.shape[2:]) >= 4 * STRIDE
        with half_convolutions(self.network, enabled=fits):
            raw = self.network(moving, fixed)
        raw = raw.float()
        field, grid = self.network.displacement(raw), identity_grid(fixed.shape[2:], fixed.device)
        likeness = LocalCrossCorrelation(fixed, WINDOW)(sample(moving, field, grid, "zeros"))
        return likeness + self.smooth * smoothness(raw) + self.labels_loss(pair, field, grid, rng)

    def labels_loss(self, pair: Pair, field: Tensor, grid: Tensor, rng: np.random.Generator) -> Tensor | float:
        """What labels add to the loss: nothing here."""
        return 0.0


class LabelledRecipe(VoxelMorphRecipe):
    """The same with one minus the Dice of warped labels, `STRUCTURES` of them a pair.

    References
    ----------
    Balakrishnan et al., IEEE TMI 2019, equation 7 (auxiliary data).
    """

    def __init__(self, network: FieldNetwork, examples: Sequence[Subject], smooth: float) -> None:
        super().__init__(network, examples, smooth)
        self.examples.checked()
        self.settings = {**self.settings, "labels": f"Dice of {STRUCTURES} structures a pair, weight 1"}

    def example(self, subject: Subject) -> Example:
        if subject.labels is None:
            raise RequestError("voxelmorph[labels=true] learns from labels, and not every train subject has some.")
        return self._example(subject.images[CONTRAST], subject.labels.astype(np.int32))

    def labels_loss(self, pair: Pair, field: Tensor, grid: Tensor, rng: np.random.Generator) -> Tensor:
        shared = np.intersect1d(*(one.present for one in pair.examples))
        chosen = rng.choice(shared, min(STRUCTURES, len(shared)), replace=False)
        moving, fixed = (
            torch.cat([(pair.seen(one.labels) == int(label)).float() for label in chosen], 1) for one in pair.examples
        )
        return 1 - overlap(sample(moving, field, grid, "zeros"), fixed)


class Pair:
    """Two subjects of a training, cut to the box of both brains and flipped alike.

    Air costs time and teaches nothing: at 2 mm a brain fills six tenths of its grid.
    """

    def __init__(self, examples: Sequence[Example], rng: np.random.Generator) -> None:
        self.examples = [examples[number] for number in rng.choice(len(examples), 2, replace=False)]
        self.gamma = float(np.exp(rng.uniform(-1, 1) * np.log(1.25)))
        self.box = occupied(torch.maximum(*(one.image for one in self.examples)), rng)
        self.flipped = bool(rng.random() < 0.5)

    def seen(self, volume: Tensor) -> Tensor:
        """A volume ``(1, 1, z, y, x)`` of either subject as the network sees it, padded to suit it."""
        part = volume[self.box]
        part = part.flip(-1) if self.flipped else part
        depth, height, width = (-size % STRIDE for size in part.shape[2:])
        return F.pad(part, (0, width, 0, height, 0, depth))


def occupied(image: Tensor, rng: np.random.Generator) -> tuple[slice, ...]:
    """The box of what is not zero in ``(1, 1, z, y, x)``, trimmed to sides that suit the network."""
    inside = image[0, 0].numpy(force=True) > 0
    box = [slice(None), slice(None)]
    for axis in range(3):
        at = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        if not at.size:
            return (slice(None),)
        side = int(at[-1] - at[0]) + 1
        over = side % STRIDE if side % STRIDE <= TRIM < side - TRIM else 0
        first = int(at[0]) + int(rng.integers(over + 1))
        box.append(slice(first, first + side - over))
    return tuple(box)
