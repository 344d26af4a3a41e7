"""Batches and losses of Vox2Vox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from torch import Tensor

from mrbench.core.examples import AsNeeded
from mrbench.tasks.segmentation import CONTRASTS, HIGHEST_LABEL, SegmentationInputs, TumourExample
from mrbench_methods.adversary import least_squares, least_squares_adversary
from mrbench_methods.segmentation.brain import brain_box
from mrbench_methods.segmentation.vox2vox_network import STRIDE, PatchDiscriminator3d, UNet, padded
from mrbench_methods.training_device import half_convolutions, precision_of, tensors_for

CLASSES = HIGHEST_LABEL + 1

CONTRAST = 0.1
"""SD of the gain and of the offset that each contrast is changed by."""

TURN = 10.0
"""SD of the turn about each axis, in degrees."""

SCALE = 0.1
"""SD of the logarithm of the scale."""

BIAS, KNOTS = 0.25, 4
"""SD of a smooth field added to each contrast, as a coil leaves one, and its knots along each axis."""

SHADE = 0.3
"""SD of what each label is brighter by in each contrast: relaxation times of tumours differ."""


def generalised_dice(prediction: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """One minus the Dice of all classes together, each weighted (Sudre et al., DLMIA 2017).

    The weights are fixed, one over the class's voxels in the train split, as the authors' code has them: weights by
    block, as in the paper of the loss, would let a class of a few voxels decide.
    """
    axes = (0, 2, 3, 4)
    shared, total = (prediction * truth).sum(axes), (prediction + truth).sum(axes)
    return 1 - 2 * (weights * shared).sum() / (weights * total).sum()


class DiceRecipe:
    """Blocks around the tumour, or anywhere three times in ten; five times the generalised Dice loss.

    A block is the whole brain's box at 2 mm, as in `Vox2Vox.predict`: instance normalisation then sees as much of the
    background as it will.
    """

    side = 128

    def __init__(self, network: UNet, examples: Sequence[TumourExample]) -> None:
        self.network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.brains = AsNeeded.of(examples).then(lambda example, _: in_box(example))
        counts = np.sum(self.brains.each(lambda brain: brain.counts), axis=0)
        # a class that nobody has must not weigh more than all others
        weights = np.divide(1, counts, out=np.zeros(CLASSES), where=counts > 0)
        (self.weights,) = tensors_for(network, weights.astype(np.float32))
        self.settings: Mapping[str, Any] = {
            "batch": 1,
            "crop": self.side,
            "loss": "5 generalised Dice",
            "precision": precision_of(self.network),
            "augmentation": f"left-right flip, turns N(0, {TURN:g} degrees), scale exp(N(0, {SCALE})), "
            f"of each contrast a gain N(1, {CONTRAST}), an offset N(0, {CONTRAST}), a smooth field of SD {BIAS} "
            f"and an offset of each label N(0, {SHADE})",
        }

    def loss(self, rng: np.random.Generator) -> Tensor:
        _, scores, truth = self.generate(rng)
        return 5 * generalised_dice(scores.softmax(1), truth, self.weights)

    def generate(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return a block of the contrasts, the scores that the network gives, and the truth, one channel a class."""
        image, mask, labels = self._block(rng)
        truth = F.one_hot(labels[:, 0].long(), CLASSES).movedim(-1, 1).float()
        image = shaded(image, truth, rng) * mask
        with self._half(image):
            scores = self.network(image.contiguous(memory_format=torch.channels_last_3d)).float()
        return image, scores, truth

    def _half(self, image: Tensor) -> torch.autocast:
        # oneDNN's bfloat16 weight gradient is NaN now and then where a side is a few voxels (seen with PyTorch 2.13)
        return half_convolutions(self.network, enabled=min(image.shape[2:]) >= 4 * STRIDE)

    def _block(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Contrasts ``(1, 4, z, y, x)``, brain and labels of a block, turned, scaled and mirrored."""
        example, tumour, _ = self.brains[int(rng.integers(len(self.brains)))]
        shape = np.array(example.labels.shape)
        size = np.minimum(self.side, [padded(side) for side in shape])
        around = len(tumour) and rng.random() < 0.7
        middle = tumour[int(rng.integers(len(tumour)))] if around else rng.integers(shape)
        slack = np.maximum(shape - size, 0) / 2
        offset = np.clip(middle - shape / 2, -slack, slack)
        matrix = turned(rng, example.inputs.spacing)
        images, marks = tensors_for(
            self.network,
            example.inputs.images[None],
            np.stack([example.inputs.mask, example.labels]).astype(np.float32)[None],
        )
        mask, labels = sampled(marks, matrix, offset, size, "nearest").split(1, dim=1)
        return sampled(images, matrix, offset, size, "bilinear"), mask, labels


class Brain(NamedTuple):
    """An example cut to its brain, the voxels of its tumour there, and of the whole, how many voxels a class has."""

    example: TumourExample
    tumour: np.ndarray
    counts: np.ndarray


def in_box(example: TumourExample) -> Brain:
    """The example cut to its brain."""
    inputs, box = example.inputs, brain_box(example.inputs.mask)
    # copies: views would keep the air in memory
    cut = SegmentationInputs(inputs.images[:, *box].copy(), inputs.mask[box].copy(), inputs.spacing)
    labels = example.labels[box].copy()
    counts = np.bincount(example.labels.ravel(), minlength=CLASSES)
    return Brain(TumourExample(cut, labels), np.argwhere(labels > 0), counts)


def shaded(image: Tensor, truth: Tensor, rng: np.random.Generator) -> Tensor:
    """Change each contrast of an image as scanners and tumours do; ``truth`` has one channel a label."""
    count = image.shape[1]
    drawn = [
        rng.normal(1, CONTRAST, (1, count, 1, 1, 1)),
        rng.normal(0, CONTRAST, (1, count, 1, 1, 1)),
        rng.normal(0, BIAS, (1, count, KNOTS, KNOTS, KNOTS)),
        rng.normal(0, SHADE, (count, CLASSES - 1)),
    ]
    gain, offset, knots, shades = (torch.from_numpy(part.astype(np.float32)).to(image.device) for part in drawn)
    field = F.interpolate(knots, image.shape[2:], mode="trilinear", align_corners=True)
    lesion = F.conv3d(F.avg_pool3d(truth[:, 1:], 3, stride=1, padding=1), shades[:, :, None, None, None])
    return image * gain + offset + field + lesion


def turned(rng: np.random.Generator, spacing: Sequence[float]) -> np.ndarray:
    """A random turn, scale and mirror image, ``(3, 3)``, from voxels of a block to those of its volume."""
    turn = Rotation.from_euler("zyx", rng.normal(0, TURN, 3), degrees=True).as_matrix()
    mirror = np.diag([1, 1, -1 if rng.random() < 0.5 else 1])
    mm = np.diag(spacing)
    return np.linalg.inv(mm) @ turn @ mm @ mirror * np.exp(rng.normal(0, SCALE))


def sampled(volume: Tensor, matrix: np.ndarray, offset: np.ndarray, size: np.ndarray, mode: str) -> Tensor:
    """Sample a block of ``size`` voxels from ``(1, c, z, y, x)``, zeros outside.

    Voxel ``v`` of the block, counted from its middle, is ``matrix @ v + offset`` of the volume, counted from its own.
    """
    shape = np.array(volume.shape[2:])
    # PyTorch counts half sides, x first
    theta = np.column_stack([matrix * size / shape[:, None], 2 * offset / shape])[::-1]
    theta = np.column_stack([theta[:, 2::-1], theta[:, 3]]).astype(np.float32)
    grid = F.affine_grid(torch.from_numpy(theta)[None].to(volume.device), [1, 1, *size.tolist()], align_corners=False)
    return F.grid_sample(volume, grid, mode=mode, padding_mode="zeros", align_corners=False)


class AdversarialDiceRecipe(DiceRecipe):
    """The same with a least-squares adversary that sees the contrasts beside the segmentation."""

    betas = (0.5, 0.999)

    def __init__(self, network: UNet, examples: Sequence[TumourExample], weight: float) -> None:
        super().__init__(network, examples)
        self.adversary = PatchDiscriminator3d(len(CONTRASTS) + CLASSES, base=16)
        self.weight = weight
        self.settings = {**self.settings, "loss": f"5 generalised Dice + {weight:g} LSGAN", "kept": "last weights"}

    def loss(self, rng: np.random.Generator) -> Tensor:
        image, scores, truth = self.generate(rng)
        segmented = scores.softmax(1)
        self._shown = image, segmented.detach(), truth
        overlap = 5 * generalised_dice(segmented, truth, self.weights)
        return overlap + self.weight * least_squares(self._judge(image, segmented), real=True)

    def adversary_loss(self) -> Tensor:
        image, segmented, truth = self._shown
        return least_squares_adversary(self._judge(image, truth), self._judge(image, segmented))

    def _judge(self, image: Tensor, labels: Tensor) -> Tensor:
        with self._half(image):
            return self.adversary(image, labels).float()
