"""Vox2Vox, and its U-Net without the adversary (Cirillo et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.core.track import Track
from mrbench.tasks.segmentation import CONTRASTS, HIGHEST_LABEL, TRACKS, SegmentationInputs, TrainingTumours
from mrbench_methods.network import NetworkMethod
from mrbench_methods.segmentation.brain import brain_box, resampled

if TYPE_CHECKING:
    from mrbench_methods.segmentation.vox2vox_network import UNet
    from mrbench_methods.segmentation.vox2vox_training import DiceRecipe


class Vox2Vox(NetworkMethod):
    """3-D pix2pix from four contrasts to a label map.

    Minimises ``5 * generalised Dice loss + adversarial * LSGAN``. The paper does not tell how well its U-Net does
    without the adversary; ``adversarial=0`` does.

    Parameters
    ----------
    adversarial : float
        Weight of the adversary; 1 as published, 0 for none.
    base : int
        Features of the first level; 64 as published.
    bottleneck : int
        Dense convolutions at the lowest resolution; 4 as published.
    weights : str
        Name (``icbm-sim``), path, or ``auto``: those trained for the data set.
    """

    task = "segmentation"
    reference = "Cirillo et al., Vox2Vox: 3D-GAN for brain tumour segmentation, BrainLes 2020"
    settings: Mapping[str, Any] = TRACKS
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"adversarial": 0.0})
    quick_presets = ({},)

    def __init__(self, *, adversarial: float = 1.0, base: int = 12, bottleneck: int = 2, weights: str = "auto") -> None:
        self.adversarial = float(adversarial)
        self.base = base
        self.bottleneck = bottleneck
        self.weights = weights

    @property
    def network(self) -> str:
        kind = f"vox2vox-a{self.adversarial:g}" if self.adversarial else "vox2vox-unet"
        return f"{kind}-f{self.base}b{self.bottleneck}"

    def fallback_weights(self, track: Track[Any]) -> str | None:
        return "icbm-sim"

    def new_network(self, tracks: Sequence[Any]) -> UNet:
        from mrbench_methods.segmentation.vox2vox_network import UNet

        return UNet(len(CONTRASTS), HIGHEST_LABEL + 1, self.base, self.bottleneck)

    def predict(self, inputs: SegmentationInputs) -> np.ndarray:
        """Return the label map ``(z, y, x)``; the whole brain at once, at the voxel size of the training."""
        import torch
        import torch.nn.functional as F

        from mrbench_methods.segmentation.vox2vox_network import padded

        box = brain_box(inputs.mask)
        mask = inputs.mask[box]
        images = resampled(inputs.images[:, *box], inputs.spacing, self.spacing_)
        size = images.shape[1:]
        margin = [(0, 0), *((0, padded(side) - side) for side in size)]
        image = torch.from_numpy(np.pad(images, margin)[None]).to(self.resources.device)
        with torch.no_grad():
            scores = self.network_(image)[:, :, : size[0], : size[1], : size[2]]
            if size != mask.shape:
                scores = F.interpolate(scores, mask.shape, mode="trilinear")
            segmented = scores[0].argmax(0).to(torch.uint8).cpu().numpy()
        labels = np.zeros(inputs.mask.shape, np.uint8)
        labels[box] = segmented * mask
        return labels

    def recipe(self, examples: TrainingTumours, seed: int) -> DiceRecipe:
        from mrbench_methods.segmentation.vox2vox_training import AdversarialDiceRecipe, DiceRecipe

        if self.adversarial:
            return AdversarialDiceRecipe(self.network_, examples.subjects, self.adversarial)  # type: ignore[arg-type]
        return DiceRecipe(self.network_, examples.subjects)  # type: ignore[arg-type]
