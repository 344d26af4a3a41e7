"""Denoising: the clean magnitude from a noisy one, noise level known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mrbench.core.case import Case, CaseId
from mrbench.core.protocol import Protocol
from mrbench.core.random import rng_for
from mrbench.core.task import Setting
from mrbench.core.track import Track, tracks_by_name
from mrbench.datasets.intensity import head_mask
from mrbench.physics.noise import add_rician
from mrbench.tasks.restoration import HFEN, NMSE, PSNR, PSNR_FG, SHARPNESS, SSIM, SSIM_FG, Restoration

SLICES = 40
"""Axial slices around the middle of the foreground; all of a thinner volume."""

Noise = Literal["rician", "gaussian"]


@dataclass(frozen=True)
class DenoisingTrack:
    """One standardized setting.

    Attributes
    ----------
    noise : {"rician", "gaussian"}
        ``rician``: Gaussian in the real and the imaginary channel, then the magnitude, everywhere. ``gaussian``:
        added to the magnitude inside the head alone, as Bermudez et al. did.
    level : float
        ``rician``: SD of a channel, of a maximum of 1. ``gaussian``: mean signal in the head over the SD.
    """

    noise: Noise
    level: float


TRACKS = tracks_by_name(
    *(
        Track(f"rician-{n}", f"Rician noise of {n} % of the maximum", DenoisingTrack("rician", n / 100))
        for n in (10, 5, 20)
    ),
    *(
        Track(f"gaussian-snr-{n}", f"Gaussian noise in the head at SNR {n} (Bermudez)", DenoisingTrack("gaussian", n))
        for n in (1, 10, 100)
    ),
)


@dataclass(frozen=True)
class DenoisingInputs:
    """What a denoising method sees.

    Attributes
    ----------
    image : ndarray of float32, shape ``(z, y, x)``
        Noisy volume; the true one has a maximum of 1.
    sigma : float
        SD of the noise (of each channel, where it is Rician).
    noise : {"rician", "gaussian"}
    spacing : tuple of float
        mm, order ``(z, y, x)``.
    """

    image: np.ndarray
    sigma: float
    noise: Noise
    spacing: tuple[float, float, float]


def noisy(track: DenoisingTrack, volume: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Add a track's noise to a true volume.

    Returns
    -------
    image : ndarray of float32
    sigma : float
    """
    if track.noise == "rician":
        return add_rician(volume, track.level, rng).astype(np.float32), track.level
    head = head_mask(volume)
    sigma = float(volume[head].mean() / track.level)
    noise = sigma * rng.standard_normal(volume.shape, dtype=np.float32)
    return np.where(head, volume + noise, volume).astype(np.float32), sigma


class Denoising(Restoration[DenoisingInputs]):
    """Denoising of magnitude volumes.

    A prediction is the clean volume ``(z, y, x)``. With ``--split train`` a board shows the networks on the subjects
    they were trained on, under new noise: what the paper did, and too kind.
    """

    name = "denoising"
    tracks = TRACKS
    metrics = (PSNR_FG, SSIM_FG, PSNR, SSIM, NMSE, HFEN, SHARPNESS)

    def trim(
        self, case: CaseId, volume: np.ndarray, foreground: np.ndarray, track: Track[DenoisingTrack]
    ) -> tuple[slice, ...]:
        occupied = np.flatnonzero(foreground.any(axis=(1, 2)))
        middle = (occupied[0] + occupied[-1] + 1) // 2 if len(occupied) else len(volume) // 2
        first = int(np.clip(middle - SLICES // 2, 0, max(0, len(volume) - SLICES)))
        return slice(first, first + SLICES), slice(None), slice(None)

    def degrade(
        self, case: CaseId, volume: np.ndarray, track: Track[DenoisingTrack], spacing: tuple[float, float, float]
    ) -> DenoisingInputs:
        image, sigma = noisy(track.settings, volume, rng_for(case.id, f"noise {track.name}"))
        return DenoisingInputs(image, sigma, track.settings.noise, spacing)

    def protocol(self, setting: Setting) -> Protocol:
        noise = {"what": setting.track.description, **setting.track.facts}
        settings = {
            **self.scoring(setting),
            "noise": noise,
            "sigma": "known to the method",
            "slices": f"{SLICES} axial slices around the middle of the foreground",
        }
        return Protocol(f"denoising/{setting.track.name}", version=1, settings=settings)

    def shown_input(self, case: Case) -> np.ndarray:
        return case.inputs.image
