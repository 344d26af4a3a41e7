"""Simulated k-space of magnitude volumes: real heads, or the simulated cohort.

k-space that is made from magnitude images is optimistic (no off-resonance, no motion, no coil coupling);
every table says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mrbench.core.random import rng_for
from mrbench.datasets.acquisition import Acquisition, KspaceDataset
from mrbench.datasets.dataset import Dataset, SplitFile, Subject
from mrbench.datasets.icbm_sim import IcbmHeads
from mrbench.datasets.ixi_hh import IxiHeads
from mrbench.datasets.oasis import OasisVolumes
from mrbench.datasets.volumes import VolumeFolder
from mrbench.physics.coils import receive_coils, smooth_phase
from mrbench.physics.fourier import to_kspace
from mrbench.physics.noise import complex_noise

SLICES = 20
"""Axial slices around the middle of the brain."""

APART_MM = 2.0
"""From one slice to the next, so that they cover 40 mm: of thinner ones, some are passed over."""

MATRIX = 128
"""Least side in pixels that images are padded to; of larger ones, the next multiple of 16."""

NOISE = 0.01
"""SD of each channel of a single coil, as a fraction of the brightest voxel of the slab."""

ARRAY_NOISE = 0.005
"""The same of each coil of an array, whose combined signal is as strong: small coils hear less of the body."""


NO_KSPACE = "No k-space in the folder: it is simulated from the images, with coils, phase and noise."


class SimulatedScans(KspaceDataset):
    """k-space of the middle axial slices of another dataset's volumes.

    The object is the magnitude, divided by its maximum over the slab, times a smooth random phase; each
    coil sees it through its sensitivity; complex Gaussian noise is added. The reference is the clean
    magnitude.
    """

    preparation = 1
    simulated = True
    region = "brain"
    contrast = "T1"

    def __init__(self, volumes: Dataset) -> None:
        self.volumes = volumes
        self.name, self.address = volumes.name, volumes.address
        self.title = f"simulated k-space of {volumes.title}"
        self.citation, self.licence = volumes.citation, volumes.licence
        self.endless = volumes.endless
        if not volumes.simulated:
            self.simulation = "simulated k-space"

    @property
    def split_file(self) -> SplitFile:
        return self.volumes.split_file

    @property
    def fingerprint(self) -> str:
        facts = f"kspace|{self.preparation}|{self.volumes.fingerprint}"
        return hashlib.sha256(facts.encode()).hexdigest()[:12]

    @property
    def cache(self) -> Path:
        return self.volumes.cache

    def entry(self, subject: str) -> Path:
        return self.volumes.entry(subject)

    def source_files(self, subject: str) -> Sequence[Path | str]:
        return self.volumes.source_files(subject)

    def content_key(self, subject: str) -> str:
        facts = f"kspace|{self.preparation}|{self.volumes.content_key(subject)}"
        return hashlib.sha256(facts.encode()).hexdigest()[:20]

    def person(self, subject: str) -> str:
        return self.volumes.person(subject)

    def _image(self, volume: Subject) -> np.ndarray:
        return volume.images[self.contrast]

    def make(self, subject: str) -> Subject:
        return self.volumes.make(subject)

    def prepare(self, subjects: Iterable[str]) -> Iterable[str]:
        return self.volumes.prepare(subjects)

    def load(self, subject: str) -> Subject:
        return self.volumes.load(subject)

    def acquisition(self, subject: str, *, coils: int | None) -> Acquisition:
        volume = self.load(subject)
        brain = volume.mask if volume.labels is None else volume.labels > 0
        image = self._image(volume)
        chosen = _slices(brain, volume.spacing[0])
        side = max(MATRIX, *(-(-size // 16) * 16 for size in image.shape[1:]))
        magnitude = _pad(image[chosen], side)
        magnitude = magnitude / magnitude.max()
        coils = coils or 8
        phase = smooth_phase(magnitude.shape, rng_for(subject, "phase"))
        maps = np.ones((1, side, side), np.complex64)
        if coils > 1:
            maps = receive_coils((side, side), coils, rng_for(subject, f"{coils} coils"))
        kspace = to_kspace((magnitude * phase)[:, None] * maps)
        kspace += complex_noise(
            kspace.shape, NOISE if coils == 1 else ARRAY_NOISE, rng_for(subject, f"k-space noise {coils}")
        )
        spacing = ((chosen.step or 1) * volume.spacing[0], *volume.spacing[1:])
        return Acquisition(kspace, magnitude, _pad(brain[chosen], side), None, (side, side), spacing)


def _slices(brain: np.ndarray, spacing: float) -> slice:
    """The slices around the middle of a brain, `APART_MM` apart or as near as there are."""
    step = max(1, round(APART_MM / spacing))
    occupied = np.flatnonzero(brain.any(axis=(1, 2)))
    first = (occupied[0] + occupied[-1] + 1) // 2 - step * SLICES // 2
    return slice(max(0, int(first)), max(0, int(first)) + step * SLICES, step)


def _pad(slab: np.ndarray, side: int) -> np.ndarray:
    missing = [side - size for size in slab.shape[1:]]
    return np.pad(slab, [(0, 0), *((gap // 2, gap - gap // 2) for gap in missing)])


class IxiScans(SimulatedScans):
    """`ixi-hh-2mm` as simulated k-space: real heads with their skulls."""

    def __init__(self) -> None:
        super().__init__(IxiHeads())


class IcbmScans(SimulatedScans):
    """`icbm-sim` as simulated k-space: heads with their skulls."""

    def __init__(self) -> None:
        super().__init__(IcbmHeads())


class OasisScans(SimulatedScans):
    """`oasis-miccai2012` as simulated k-space: brains of another scanner at 1 mm, without skulls; test only."""

    def __init__(self) -> None:
        super().__init__(OasisVolumes())


class FolderScans(SimulatedScans):
    """A folder of the user's own images as simulated k-space, by the same physics as `ixi-hh-2mm`'s.

    Parameters
    ----------
    path : Path
        Volumes in any layout that `VolumeFolder` reads.

    Raises
    ------
    DataError
        As `VolumeFolder`.
    """

    simulation = "k-space simulated from images"

    def __init__(self, path: Path) -> None:
        volumes = VolumeFolder(path)
        super().__init__(volumes)
        self.simulation = type(self).simulation
        self.left_out = volumes.left_out
        self.notes = (*volumes.notes, NO_KSPACE)

    def _image(self, volume: Subject) -> np.ndarray:
        return next(iter(volume.images.values()))  # a volume has one
