"""Small cases of super-resolution and denoising."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

from mrbench.core.case import Case, CaseId
from mrbench.datasets.intensity import head_mask
from mrbench.datasets.volumes import VolumeFolder
from mrbench.tasks.denoising import Denoising
from mrbench.tasks.restoration import RestorationReference
from mrbench.tasks.super_resolution import SuperResolution

TASKS = [SuperResolution(), Denoising()]


SPACING = (2.0, 1.0, 1.5)


def phantom(shape: tuple[int, int, int] = (21, 34, 27), seed: int = 0) -> np.ndarray:
    """A lopsided head in air, with texture; maximum 1."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    radius = np.sqrt((((grid.T - [0.1, 0.05, -0.1]) / [0.9, 0.7, 0.6]) ** 2).sum(-1)).T
    texture = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.5)
    signal = 0.5 + 0.15 * grid[0] + 0.1 * grid[2] + 0.8 * texture
    volume = np.where(radius < 1, np.clip(signal, 0.2, None), 0) * (1 + 0.5 * (radius > 0.85))
    return (volume / volume.max()).astype(np.float32)


def folder_of(path: Path, **volumes: np.ndarray) -> VolumeFolder:
    path.mkdir(exist_ok=True)
    for name, volume in volumes.items():
        nib.Nifti1Image(volume.T, np.diag([*SPACING[::-1], 1.0])).to_filename(path / f"{name}.nii.gz")
    return VolumeFolder(path)


def case_of(task, track: str, volume: np.ndarray | None = None) -> Case:
    volume = phantom() if volume is None else volume
    part = task.trim(CaseId("c", ("c",)), volume, head_mask(volume), task.tracks[track])
    volume = np.ascontiguousarray(volume[part])
    inputs = task.degrade(CaseId("c", ("c",)), volume, task.tracks[track], SPACING)
    return Case("c", ("c",), inputs, RestorationReference(volume, head_mask(volume)), SPACING)


EVERY_TRACK = [(task, track) for task in TASKS for track in task.tracks]
