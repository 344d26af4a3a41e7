"""What learned super-resolution shares: the interpolated volume it starts from, and pairs to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrbench.core.random import rng_for
from mrbench.physics.resolution import Degradation, upsampled
from mrbench.tasks.restoration import TrainingVolumes
from mrbench.tasks.super_resolution import TRACKS, SuperResolutionTrack, low_resolution
from mrbench_methods.tracks import TrackedNetwork


class LearnedSuperResolution(TrackedNetwork):
    """A network that adds to the interpolated volume (`upsampled`) what it lacks."""

    task = "super-resolution"
    settings = TRACKS


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


def pairs(examples: TrainingVolumes, seed: int) -> list[Pair]:
    """Degrade every training volume and its mirror image, for every track.

    The mirror image is degraded anew: flipping a pair would move the grids of the two against each other.
    """
    made = []
    for number, volume in enumerate(examples.volumes):
        for track in examples.tracks:
            for mirrored in (False, True):
                made.append(_pair(track, volume[..., ::-1] if mirrored else volume, f"{number} {mirrored}", seed))
    return made


def _pair(track: SuperResolutionTrack, volume: np.ndarray, name: str, seed: int) -> Pair:
    factors = track.degradation.factors
    volume = volume[tuple(slice(0, n - n % f) for n, f in zip(volume.shape, factors, strict=True))]
    low = low_resolution(track, volume, rng_for(name, "training noise", seed))
    start = upsampled(low, track.degradation)
    half = np.float16
    return Pair(low.astype(half), start.astype(half), volume.astype(half), track.degradation)
