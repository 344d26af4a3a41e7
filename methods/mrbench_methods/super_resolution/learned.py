"""What learned super-resolution shares: the interpolated volume it starts from, and pairs to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mrbench.core.examples import AsNeeded
from mrbench.core.random import rng_for
from mrbench.physics.resolution import Degradation, upsampled
from mrbench.tasks.restoration import TrainingVolumes
from mrbench.tasks.super_resolution import TRACKS, SuperResolutionInputs, SuperResolutionTrack, low_resolution
from mrbench_methods.network import NetworkMethod

AIR = 0.05
"""Highest intensity, of a maximum of 1, that counts as air."""


class LearnedSuperResolution(NetworkMethod):
    """A network that adds to the interpolated volume (`upsampled`) what it lacks."""

    task = "super-resolution"
    settings = TRACKS


def back_projected(volume: np.ndarray, inputs: SuperResolutionInputs) -> np.ndarray:
    """One gradient step on ``|low - D volume|^2 / 2``, taken where there is signal; of a truncation, a projection.

    In air the magnitude of ringing stands in the low resolution, which no volume has: to fit it would only harm.

    References
    ----------
    Irani and Peleg, CVGIP 1991; as the data consistency of Schlemper et al., TMI 2018.
    """
    residual = inputs.image - np.abs(inputs.degradation.apply(volume))
    step = inputs.degradation.adjoint(residual) / inputs.degradation.gain(volume.shape)
    signal = ndimage.gaussian_filter((volume > AIR).astype(np.float32), 1)
    return np.maximum(volume + signal * step, 0).astype(np.float32)


@dataclass(frozen=True)
class Pair:
    """Low-resolution, interpolated and true volume in half precision; the noise of a track is drawn once a pair."""

    low: np.ndarray
    start: np.ndarray
    high: np.ndarray
    degradation: Degradation

    def cut(self, size: Sequence[int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a random block of ``size`` low-resolution voxels, its interpolation, and the truth."""
        size = tuple(min(a, b) for a, b in zip(size, self.low.shape, strict=True))
        while True:
            first = [int(rng.integers(n - s + 1)) for n, s in zip(self.low.shape, size, strict=True)]
            low = self.low[tuple(slice(a, a + s) for a, s in zip(first, size, strict=True))].astype(np.float32)
            if low.max() > 0.1:  # blocks of air teach little
                break
        factors = self.degradation.factors
        part = tuple(slice(a * f, (a + s) * f) for a, s, f in zip(first, size, factors, strict=True))
        return low, self.start[part].astype(np.float32), self.high[part].astype(np.float32)


class Pairs(Sequence[Pair]):
    """Every training volume and its mirror image, degraded for every track.

    The mirror image is degraded anew: flipping a pair would move the grids of the two against each other.
    """

    def __init__(self, examples: TrainingVolumes, seed: int) -> None:
        def degraded(volume: np.ndarray, number: int) -> list[Pair]:
            return [
                _pair(track, volume[..., ::-1] if mirrored else volume, f"{number} {mirrored}", seed)
                for track in examples.tracks
                for mirrored in (False, True)
            ]

        self.of_a_volume = 2 * len(examples.tracks)
        self.by_volume = AsNeeded.of(examples.volumes).then(degraded)

    def __len__(self) -> int:
        return self.of_a_volume * len(self.by_volume)

    def __getitem__(self, index: int) -> Pair:  # type: ignore[override]
        volume, number = divmod(index, self.of_a_volume)
        return self.by_volume[volume][number]


def _pair(track: SuperResolutionTrack, volume: np.ndarray, name: str, seed: int) -> Pair:
    factors = track.degradation.factors
    volume = volume[tuple(slice(0, n - n % f) for n, f in zip(volume.shape, factors, strict=True))]
    low = low_resolution(track, volume, rng_for(name, "training noise", seed))
    start = upsampled(low, track.degradation)
    half = np.float16
    return Pair(low.astype(half), start.astype(half), volume.astype(half), track.degradation)
