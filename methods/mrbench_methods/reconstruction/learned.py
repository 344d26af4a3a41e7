"""What all learned reconstructions share: weights, frame by frame prediction, batches for training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.core.errors import MethodSkipped
from mrbench.core.method import LearnedMethod, Resources
from mrbench.core.track import Track
from mrbench.core.weights import resolve_weights
from mrbench.physics.fourier import centre_crop, to_image, to_kspace
from mrbench.physics.sampling import calibration_size
from mrbench.tasks.reconstruction import ReconstructionInputs, TrainingScans
from mrbench.tasks.sampling import draw_mask
from mrbench.training.weights import load_weights
from mrbench_methods.training_device import half_convolutions, tensors_for

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class LearnedReconstruction(LearnedMethod):
    """A network from k-space to magnitude, one frame at a time, or a whole sequence where ``dynamic``."""

    task = "reconstruction"
    dynamic = False
    needs_calibration = False

    @abstractmethod
    def new_network(self) -> torch.nn.Module:
        """Return the network, untrained: ``network(kspace, mask)``, or with ``acs`` where it needs calibration."""

    @property
    def weights_path(self) -> Path:
        return resolve_weights(Path(__file__).parent / "weights", self.network, self.weights)

    def fallback_weights(self, track: Track[Any]) -> str | None:
        """The weights of real heads: one coil or an array, 4x or 8x; 8x for data as acquired."""
        chosen = track.settings
        if chosen.dynamic:
            return "cine-sim.cine-8x"
        coils = "singlecoil" if chosen.coils == 1 else "multicoil"
        return f"ixi-hh-2mm.{coils}-{'4x' if chosen.acceleration == 4 else '8x'}"

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import torch

        torch.set_num_threads(resources.threads)
        self.network_ = self.new_network()
        self.network_.load_state_dict(load_weights(self.weights_path))
        self.network_.to(resources.device).eval()
        self.predict(_blank(self.dynamic))  # warm-up: the first call of a process is slower than the rest

    def predict(self, inputs: ReconstructionInputs) -> np.ndarray:
        """Return magnitudes ``(frame, y, x)`` in the units of the k-space."""
        import torch

        if self.dynamic and not inputs.dynamic:
            raise MethodSkipped("frames of this data are slices, not time points; it needs a cine track")
        if self.needs_calibration and 0 in inputs.calibration:
            raise MethodSkipped("the centre of k-space was not sampled, so coil sensitivities cannot be estimated")
        device = self.resources.device
        with torch.no_grad():
            kspace = torch.from_numpy(inputs.kspace).to(device)
            mask = torch.from_numpy(np.ascontiguousarray(inputs.mask)).to(device)
            if self.dynamic:
                images = [self.network_(kspace[None, :, 0], mask[None])[0]]
            else:
                extra = {}
                if self.needs_calibration:
                    extra["acs"] = torch.from_numpy(acs_mask(inputs.mask.shape[1:], inputs.calibration))[None].to(
                        device
                    )
                frames = range(len(kspace))
                images = [self.network_(kspace[f : f + 1], mask[f : f + 1], **extra) for f in frames]
            return torch.cat(images).cpu().numpy()

    def training_recipe(self, examples: TrainingScans, *, seed: int) -> ReconstructionRecipe:
        import torch

        torch.manual_seed(seed)
        self.network_ = self.new_network().to(self.resources.device)
        return ReconstructionRecipe(self, examples)

    batch: int = 1
    """Slices, or sequences, in a training step."""

    coil_by_coil: bool = False
    """Whether each coil is a batch of its own, so that one multi-coil slice is enough for a step."""

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Mean absolute error of magnitudes that are scaled to a volume maximum of 1."""
        return (prediction - target).abs().mean()


def _blank(dynamic: bool) -> ReconstructionInputs:
    """The smallest inputs that every network takes."""
    kspace = np.ones((4, 1 if dynamic else 2, 32, 32), np.complex64)
    return ReconstructionInputs(kspace, np.ones((4, 32, 32), bool), (32, 32), dynamic, (1.0, 1.0, 1.0))


def acs_mask(shape: tuple[int, ...], size: tuple[int, int]) -> np.ndarray:
    """The fully sampled block in the centre of k-space, bool ``(y, x)``."""
    block = np.zeros(shape, bool)
    rows, columns = (slice(n // 2 - w // 2, n // 2 - w // 2 + w) for n, w in zip(shape, size, strict=True))
    block[rows, columns] = True
    return block


class ReconstructionRecipe:
    """Random slices under fresh masks of the tracks trained for; augmentation is flips of both axes.

    Of a cine, a band of rows is cut out after a Fourier transform along the fully sampled axis: the physics
    acts on each row alone, so a band is a whole problem and costs a fraction (Schlemper et al. do the same).
    """

    band = 24

    def __init__(self, method: LearnedReconstruction, examples: TrainingScans) -> None:
        import torch

        layout = torch.channels_last_3d if method.dynamic else torch.channels_last
        self.network = method.network_.to(memory_format=layout)  # type: ignore[call-overload]
        self.method, self.examples = method, examples
        multicoil = examples.scans[0].kspace.shape[1] > 1
        self.batch = 1 if method.coil_by_coil and multicoil else method.batch
        self.settings: Mapping[str, Any] = {
            "batch": self.batch,
            "augmentation": "flips",
            "precision": "bfloat16 convolutions, float32 elsewhere",
            **({"band_rows": self.band} if method.dynamic else {}),
        }
        self.scales = [float(scan.reference.max()) for scan in examples.scans]  # type: ignore[union-attr]

    def loss(self, rng: np.random.Generator) -> Tensor:

        draw = self._sequence if self.method.dynamic else self._slice
        first = int(rng.integers(len(self.examples.scans)))
        alike = [n for n in range(len(self.examples.scans)) if self._shape(n) == self._shape(first)]
        drawn = [draw(number, rng) for number in [first, *rng.choice(alike, self.batch - 1).tolist()]]
        stacked = (np.stack(parts) for parts in zip(*drawn, strict=True))
        kspace, mask, acs, target = tensors_for(self.network, *stacked)
        extra = {"acs": acs} if self.method.needs_calibration else {}
        with half_convolutions(self.network):
            prediction = self.network(kspace, mask, **extra)
        shown = centre_crop(prediction.float(), target.shape[-2:])
        return self.method.loss(shown, target)

    def _shape(self, number: int) -> tuple[int, ...]:
        """What scans of one batch must share: coils and matrix."""
        return self.examples.scans[number].kspace.shape[1:]

    def _slice(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        scan, scale = self.examples.scans[number], self.scales[number]
        assert scan.reference is not None
        track = self.examples.tracks[int(rng.integers(len(self.examples.tracks)))]
        frame = rng.integers(len(scan.kspace))
        mask = draw_mask(track, (1, *scan.kspace.shape[1:]), rng)
        flip = _random_flip(rng)
        kspace = np.where(mask[0], flip(scan.kspace[frame] / np.float32(scale)), 0)
        acs = acs_mask(mask.shape[1:], calibration_size(mask))
        return kspace, np.ascontiguousarray(mask[0]), acs, flip(scan.reference[frame] / np.float32(scale))

    def _sequence(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        scan, scale = self.examples.scans[number], self.scales[number]
        assert scan.reference is not None
        track = self.examples.tracks[int(rng.integers(len(self.examples.tracks)))]
        start = rng.integers(scan.kspace.shape[2] - self.band + 1)
        rows = slice(start, start + self.band)
        flip = _random_flip(rng)
        band = to_kspace(flip(to_image(scan.kspace[:, 0]))[:, rows])
        mask = draw_mask(track, (len(band), 1, *band.shape[1:]), rng)
        kspace = np.where(mask, band / np.float32(scale), 0)
        return kspace, np.ascontiguousarray(mask), mask[0], flip(scan.reference)[:, rows] / np.float32(scale)


def _random_flip(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Flip of rows and columns about the centre pixel, which does the same to images and to k-space."""
    axes = tuple(axis for axis in (-2, -1) if rng.random() < 0.5)

    def flip(array: np.ndarray) -> np.ndarray:
        shift = [1 - array.shape[axis] % 2 for axis in axes]  # of an even size, the centre is right of the middle
        return np.roll(np.flip(array, axes), shift, axes) if axes else array

    return flip
