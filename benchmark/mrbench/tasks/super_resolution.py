"""Super-resolution: a volume from a low-resolution one, by a named loss of resolution."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrbench.core.case import Case, CaseId
from mrbench.core.errors import DataError
from mrbench.core.grid import Grid
from mrbench.core.protocol import Protocol
from mrbench.core.random import rng_for
from mrbench.core.task import Setting
from mrbench.core.track import Track, tracks_by_name
from mrbench.physics.noise import complex_noise
from mrbench.physics.resolution import Degradation, spline
from mrbench.tasks.files import read_prediction
from mrbench.tasks.restoration import GMSD, HFEN, NMSE, PSNR, PSNR_FG, SHARPNESS, SSIM, SSIM_3D, SSIM_FG, Restoration


@dataclass(frozen=True)
class SuperResolutionTrack:
    """One standardized setting: how resolution is lost, and the SD of complex noise, of a maximum of 1."""

    degradation: Degradation
    noise: float = 0.0


TRACKS = tracks_by_name(
    *(
        Track(name, description, SuperResolutionTrack(*loss))
        for name, description, *loss in (
            ("3d-x2", "k-space truncation, half along each axis", Degradation("truncation", (2, 2, 2))),
            ("2d-x2", "k-space truncation, half in the axial plane", Degradation("truncation", (1, 2, 2))),
            ("2d-x4", "k-space truncation, a quarter in the axial plane", Degradation("truncation", (1, 4, 4))),
            (
                "through-plane-x4",
                "contiguous axial slices four times as thick, Gaussian profile",
                Degradation("slices", (4, 1, 1)),
            ),
            (
                "3d-x2-blur",
                "Gaussian blur of 1 voxel, then every second voxel (SRGAN papers)",
                Degradation("blur", (2, 2, 2)),
            ),
            (
                "3d-x2-noise",
                "k-space truncation along each axis, with 2 % complex noise",
                Degradation("truncation", (2, 2, 2)),
                0.02,
            ),
        )
    )
)


@dataclass(frozen=True)
class SuperResolutionInputs:
    """What a super-resolution method sees.

    Attributes
    ----------
    image : ndarray of float32, shape ``(z, y, x)``
        Low-resolution magnitude; the true volume has a maximum of 1.
    degradation : Degradation
        How it was made: voxel n lies at ``degradation.origin + n * degradation.factors`` of the grid asked for.
    sigma : float
        SD of the noise in the real and the imaginary channel; 0 for none.
    spacing : tuple of float
        mm of the low-resolution voxels, order ``(z, y, x)``.
    """

    image: np.ndarray
    degradation: Degradation
    sigma: float
    spacing: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the volume to return."""
        return self.degradation.high_shape(self.image.shape)


def low_resolution(track: SuperResolutionTrack, volume: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Degrade a true volume as a track says: resolution, noise, magnitude. float32."""
    low = track.degradation.apply(volume)
    if track.noise:
        low = low + complex_noise(low.shape, track.noise, rng)
    return np.ascontiguousarray(np.abs(low), dtype=np.float32)


class SuperResolution(Restoration[SuperResolutionInputs]):
    """Super-resolution of volumes.

    A prediction is the volume ``(z, y, x)`` of `SuperResolutionInputs.shape`. A volume that the factors do not divide
    loses its last voxels before it is degraded.
    """

    name = "super-resolution"
    tracks = TRACKS
    metrics = (PSNR, SSIM, NMSE, PSNR_FG, SSIM_FG, SSIM_3D, GMSD, HFEN, SHARPNESS)

    def trim(
        self, case: CaseId, volume: np.ndarray, foreground: np.ndarray, track: Track[SuperResolutionTrack]
    ) -> tuple[slice, ...]:
        factors = track.settings.degradation.factors
        short = [n for n, factor in enumerate(factors) if factor > 1 and volume.shape[n] < 2 * factor]
        if short:
            mend = "choose a track that leaves z alone, such as 2d-x2" if short == [0] else "use larger images"
            raise DataError(
                f"case '{case.id}' of {volume.shape} voxels is too small for the track {track.name}, which divides "
                f"it by {factors}; {mend}."
            )
        return tuple(slice(0, size - size % factor) for size, factor in zip(volume.shape, factors, strict=True))

    def degrade(
        self, case: CaseId, volume: np.ndarray, track: Track[SuperResolutionTrack], spacing: tuple[float, float, float]
    ) -> SuperResolutionInputs:
        setting = track.settings
        low = low_resolution(setting, volume, rng_for(case.id, f"noise {track.name}"))
        wide = tuple(mm * factor for mm, factor in zip(spacing, setting.degradation.factors, strict=True))
        return SuperResolutionInputs(low, setting.degradation, setting.noise, wide)  # type: ignore[arg-type]

    def read_output(self, inputs: SuperResolutionInputs, path: Path) -> object:
        fine = tuple(mm / factor for mm, factor in zip(inputs.spacing, inputs.degradation.factors, strict=True))
        return read_prediction(path, self.holds, Grid(inputs.shape, fine))  # type: ignore[arg-type]

    def protocol(self, setting: Setting) -> Protocol:
        loss = {"what": setting.track.description, **setting.track.facts}
        settings = {**self.scoring(setting), "low_resolution": loss, "grid": "cut to a multiple"}
        return Protocol(f"super-resolution/{setting.track.name}", version=1, settings=settings)

    def plane(self, case: Case) -> int:
        return 1 if case.inputs.degradation.kind == "slices" else 0

    def shown_input(self, case: Case) -> np.ndarray:
        return spline(case.inputs.image, case.inputs.degradation, order=0)
