"""What all learned reconstructions share: weights, frame by frame prediction, batches for training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.core.errors import MethodSkipped
from mrbench.core.examples import AsNeeded
from mrbench.core.track import Track
from mrbench.physics.espirit import espirit
from mrbench.physics.fourier import centre_crop, to_image, to_kspace
from mrbench.physics.sampling import calibration_size
from mrbench.tasks.reconstruction import ReconstructionInputs, TrainingScans
from mrbench.tasks.sampling import TRACKS, draw_mask
from mrbench_methods.network import NetworkMethod
from mrbench_methods.training_device import half_convolutions, precision_of, tensors_for

if TYPE_CHECKING:
    from torch import Tensor


class LearnedReconstruction(NetworkMethod):
    """A network from k-space to magnitude, one frame at a time, or a whole sequence where ``dynamic``.

    The network is called as ``network(kspace, mask)``, with ``acs`` where it needs calibration, and with ``maps`` where
    it needs those of the coils.
    """

    task = "reconstruction"
    settings = TRACKS
    dynamic = False
    needs_calibration = False
    needs_maps = False
    training_only = NetworkMethod.training_only | {"loss"}

    def fallback_weights(self, track: Track[Any]) -> str | None:
        """The weights of real heads: one coil or an array, 4x or 8x; 8x for data as acquired."""
        chosen = track.settings
        if chosen.dynamic and chosen.coils == 1:
            return "cine-sim.cine-8x"
        coils = "singlecoil" if chosen.coils == 1 else "multicoil"
        return f"ixi-hh-2mm.{coils}-{'4x' if chosen.acceleration == 4 else '8x'}"

    def warm_up(self) -> None:
        self.predict(_blank(self.dynamic))

    def predict(self, inputs: ReconstructionInputs) -> np.ndarray:
        """Return magnitudes ``(frame, y, x)`` in the units of the k-space."""
        import torch

        if self.dynamic and not inputs.dynamic:
            raise MethodSkipped("frames of this data are slices, not time points; it needs a cine track")
        if (self.needs_calibration or (self.needs_maps and inputs.kspace.shape[1] > 1)) and 0 in inputs.calibration:
            raise MethodSkipped("the centre of k-space was not sampled, so coil sensitivities cannot be estimated")
        device = self.resources.device
        with torch.no_grad():
            kspace = torch.from_numpy(inputs.kspace).to(device)
            mask = torch.from_numpy(inputs.mask.copy()).to(device)
            if self.dynamic:
                return self.network_(kspace[None, :, 0], mask[None])[0].cpu().numpy()
            images = []
            for frame in range(len(kspace)):
                seen = self.extra(inputs.kspace[frame], inputs.calibration)
                extra = {name: torch.from_numpy(part)[None].to(device) for name, part in seen.items()}
                images.append(self.network_(kspace[frame : frame + 1], mask[frame : frame + 1], **extra))
            return torch.cat(images).cpu().numpy()

    def extra(self, kspace: np.ndarray, calibration: tuple[int, int]) -> dict[str, np.ndarray]:
        """What the network sees of a frame ``(coil, y, x)`` besides k-space and mask."""
        seen = {}
        if self.needs_calibration:
            seen["acs"] = acs_mask(kspace.shape[1:], calibration)
        if self.needs_maps:
            seen["maps"] = coil_maps(kspace, calibration)
        return seen

    def recipe(self, examples: TrainingScans, seed: int) -> object:
        """Return batches and loss of the network in ``network_``."""
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


def coil_maps(kspace: np.ndarray, calibration: tuple[int, int], rows: slice = slice(None)) -> np.ndarray:
    """ESPIRiT maps ``(coil, row, x)`` of one frame's k-space ``(coil, y, x)``; a single coil has the map 1.

    Raises
    ------
    MethodSkipped
        If less than 3 x 3 samples of the centre of k-space were taken.
    """
    if len(kspace) == 1:
        return np.ones_like(kspace[:, rows])
    if min(calibration) < 3:
        raise MethodSkipped("the centre of k-space was not sampled, so coil sensitivities cannot be estimated")
    return espirit(kspace, calibration, rows)


def acs_mask(shape: tuple[int, ...], size: tuple[int, int]) -> np.ndarray:
    """The fully sampled block in the centre of k-space, bool ``(y, x)``."""
    block = np.zeros(shape, bool)
    rows, columns = (slice(n // 2 - w // 2, n // 2 - w // 2 + w) for n, w in zip(shape, size, strict=True))
    block[rows, columns] = True
    return block


Example = tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray]
"""k-space, mask, what else the network sees by name, and target."""


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
        self.method, self.tracks, self.scans = method, examples.tracks, AsNeeded.of(examples.scans)
        # coils and matrix, which scans of one batch must share, and the brightest pixel
        facts = self.scans.each(lambda scan: (scan.kspace.shape[1:], float(scan.reference.max())))  # type: ignore[union-attr]
        self.shapes, self.scales = zip(*facts, strict=True)
        self.batch = 1 if method.coil_by_coil and self.shapes[0][0] > 1 else method.batch
        self.settings: Mapping[str, Any] = {
            "batch": self.batch,
            "augmentation": "flips",
            "precision": precision_of(self.network),
            **({"band_rows": self.band} if method.dynamic else {}),
        }

    def loss(self, rng: np.random.Generator) -> Tensor:
        return self.loss_of(self.draw(rng))

    def draw(self, rng: np.random.Generator) -> list[Example]:
        """Return the examples of one batch."""
        draw = self._sequence if self.method.dynamic else self._slice
        first = int(rng.integers(len(self.scans)))
        alike = [n for n, shape in enumerate(self.shapes) if shape == self.shapes[first]]
        return [draw(number, rng) for number in [first, *rng.choice(alike, self.batch - 1).tolist()]]

    def loss_of(self, drawn: Sequence[Example]) -> Tensor:
        kspace, mask, target = tensors_for(
            self.network,
            np.stack([one[0] for one in drawn]),
            np.stack([one[1] for one in drawn]),
            np.stack([one[3] for one in drawn]),
        )
        seen = {name: np.stack([one[2][name] for one in drawn]) for name in drawn[0][2]}
        extra = dict(zip(seen, tensors_for(self.network, *seen.values()), strict=True))
        with half_convolutions(self.network):
            prediction = self.network(kspace, mask, **extra)
        shown = centre_crop(prediction.float(), target.shape[-2:])
        return self.method.loss(shown, target)

    def _slice(self, number: int, rng: np.random.Generator) -> Example:
        scan, scale = self.scans[number], self.scales[number]
        assert scan.reference is not None
        track = self.tracks[int(rng.integers(len(self.tracks)))]
        frame = rng.integers(len(scan.kspace))
        mask = draw_mask(track, (1, *scan.kspace.shape[1:]), rng)
        flip = _random_flip(rng)
        kspace = np.where(mask[0], flip(scan.kspace[frame] / np.float32(scale)), 0)
        extra = self.method.extra(kspace, calibration_size(mask))
        return kspace, np.ascontiguousarray(mask[0]), extra, flip(scan.reference[frame] / np.float32(scale))

    def _sequence(self, number: int, rng: np.random.Generator) -> Example:
        scan, scale = self.scans[number], self.scales[number]
        assert scan.reference is not None
        track = self.tracks[int(rng.integers(len(self.tracks)))]
        start = rng.integers(scan.kspace.shape[2] - self.band + 1)
        rows = slice(start, start + self.band)
        flip = _random_flip(rng)
        band = to_kspace(flip(to_image(scan.kspace[:, 0]))[:, rows])
        mask = draw_mask(track, (len(band), 1, *band.shape[1:]), rng)
        kspace = np.where(mask, band / np.float32(scale), 0)
        return kspace, np.ascontiguousarray(mask), {}, flip(scan.reference)[:, rows] / np.float32(scale)


def _random_flip(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Flip of rows and columns about the centre pixel, which does the same to images and to k-space."""
    axes = tuple(axis for axis in (-2, -1) if rng.random() < 0.5)

    def flip(array: np.ndarray) -> np.ndarray:
        shift = [1 - array.shape[axis] % 2 for axis in axes]  # of an even size, the centre is right of the middle
        return np.roll(np.flip(array, axes), shift, axes) if axes else array

    return flip
