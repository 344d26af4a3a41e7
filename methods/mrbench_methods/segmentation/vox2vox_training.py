"""Batches and losses of Vox2Vox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mrbench.tasks.segmentation import CONTRASTS, HIGHEST_LABEL, TumourExample
from mrbench_methods.adversary import least_squares, least_squares_adversary
from mrbench_methods.segmentation.vox2vox_network import STRIDE, PatchDiscriminator3d, UNet

CLASSES = HIGHEST_LABEL + 1

GAMMA = 0.2
"""SD of the gain and of the offset that each contrast is changed by."""


def generalised_dice(made: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """One minus the Dice of all classes together, each weighted (Sudre et al., DLMIA 2017).

    The weights are fixed, one over the class's voxels in the train split, as the authors' code has them: weights by
    block, as in the paper of the loss, would let a class of a few voxels decide.
    """
    axes = (0, 2, 3, 4)
    shared, total = (made * truth).sum(axes), (made + truth).sum(axes)
    return 1 - 2 * (weights * shared).sum() / (weights * total).sum()


class DiceRecipe:
    """Blocks around the tumour or anywhere, by turns; five times the generalised Dice loss.

    In float32: in bfloat16 the weight gradient of a convolution over a bottleneck of a few voxels is NaN now and then
    (PyTorch 2.13 on CPU).
    """

    side = 80

    def __init__(self, network: UNet, examples: Sequence[TumourExample]) -> None:
        self.network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.examples = examples
        counts = sum(np.bincount(example.labels.ravel(), minlength=CLASSES) for example in examples)
        self.weights = torch.from_numpy(1 / np.maximum(counts, 1)).float()
        self.settings: Mapping[str, Any] = {
            "batch": 1, "crop": self.side, "loss": "5 generalised Dice", "precision": "float32",
            "augmentation": f"left-right flip, gain and offset of each contrast N(1, {GAMMA}), N(0, {GAMMA})",
        }  # fmt: skip

    def loss(self, rng: np.random.Generator) -> Tensor:
        _, scores, truth = self.generate(rng)
        return 5 * generalised_dice(scores.softmax(1), truth, self.weights)

    def generate(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return a block of the contrasts, the scores that the network gives, and the truth, one channel a class."""
        image, labels = (torch.from_numpy(part[None]) for part in self._block(rng))
        scores = self.network(image.contiguous(memory_format=torch.channels_last_3d))
        truth = torch.nn.functional.one_hot(labels[:, 0].long(), CLASSES).movedim(-1, 1).float()
        return image, scores, truth

    def _block(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        example = self.examples[int(rng.integers(len(self.examples)))]
        tumour = np.argwhere(example.labels > 0)
        shape = example.labels.shape
        size = [min(self.side, n // STRIDE * STRIDE) for n in shape]
        if len(tumour) and rng.random() < 0.7:
            middle = tumour[int(rng.integers(len(tumour)))]
        else:
            middle = np.array([int(rng.integers(n)) for n in shape])
        first = [int(np.clip(m - s // 2, 0, n - s)) for m, s, n in zip(middle, size, shape, strict=True)]
        part = tuple(slice(a, a + s) for a, s in zip(first, size, strict=True))
        step = -1 if rng.random() < 0.5 else 1
        mask = example.inputs.mask[part][None]
        gain, offset = (rng.normal(mean, GAMMA, (len(CONTRASTS), 1, 1, 1)) for mean in (1, 0))
        image = np.where(mask, example.inputs.images[:, *part] * gain + offset, 0).astype(np.float32)
        labels = example.labels[part][None].astype(np.uint8)
        return np.ascontiguousarray(image[..., ::step]), np.ascontiguousarray(labels[..., ::step])


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
        made = scores.softmax(1)
        self._shown = image, made.detach(), truth
        overlap = 5 * generalised_dice(made, truth, self.weights)
        return overlap + self.weight * least_squares(self._judge(image, made), real=True)

    def adversary_loss(self) -> Tensor:
        image, made, truth = self._shown
        return least_squares_adversary(self._judge(image, truth), self._judge(image, made))

    def _judge(self, image: Tensor, labels: Tensor) -> Tensor:
        return self.adversary(image, labels)
