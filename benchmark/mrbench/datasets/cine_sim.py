"""`cine-sim`: simulated short-axis cardiac cine, complex, 30 frames, one random chest a subject.

A still image of the chest at end-diastole, with texture, is carried by three motions: the left ventricle
contracts and its wall thickens (its area is kept), the right ventricle follows, and the chest breathes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrbench.core.random import rng_for
from mrbench.datasets.acquisition import Acquisition, KspaceDataset
from mrbench.datasets.dataset import Subject
from mrbench.physics.coils import smooth_phase
from mrbench.physics.fourier import to_kspace
from mrbench.physics.noise import complex_noise

FRAMES = 30
SHAPE = (96, 128)
"""Pixels (y, x); columns are phase-encoded."""

PIXEL_MM = 2.5
OVERSAMPLING = 3
"""The still image is drawn on a grid this much finer."""

NOISE = 0.01
"""SD of each channel, as a fraction of the brightest voxel of the sequence."""


@dataclass(frozen=True)
class Ventricle:
    """A round chamber: centre, radii at end-diastole and ejection, in mm."""

    centre: np.ndarray
    inner: float
    outer: float
    ejected_area: float
    """Fraction of the inner area that is gone at end-systole."""


class CineSim(KspaceDataset):
    """Simulated cine of 45 chests: beating ventricles, chest wall, breathing.

    ``images["cine"]`` is ``(time, y, x)``; ``mask`` is the heart. One heartbeat fills the sequence; breathing
    does not close after it, so first and last frame differ a little.
    """

    name = "cine-sim"
    title = "simulated short-axis cine of 45 chests, 30 frames: beating ventricles, breathing"
    simulated = True
    endless = True
    citation = "simulation by mrbench"
    licence = "Apache-2.0"
    preparation = 1
    region = "heart"
    dynamic = True

    def make(self, subject: str) -> Subject:
        rng = rng_for(subject, "chest")
        left, right = _ventricles(rng)
        still, blood = _chest(subject, rng, left, right)
        breath, turn = rng.uniform(2, 5), rng.uniform(0, 2 * np.pi)  # mm, rad
        peak = rng.uniform(0.32, 0.42)
        flow, swell = rng.uniform(0.03, 0.1), rng.uniform(0, 2 * np.pi)
        frames = []
        for time in np.arange(FRAMES) / FRAMES:
            position = _breathe(_grid(), breath * (np.sin(0.6 * 2 * np.pi * time + turn) - np.sin(turn)))
            for ventricle in (left, right):
                position = _contract(position, ventricle, _systole(time, peak))
            brighter = 1 + flow * np.sin(2 * np.pi * time + swell) * _sample(blood, position)
            frames.append(_sample(still, position) * brighter)
        movie = np.stack(frames)[:, ::-1]  # indices grow towards anterior
        middle = (left.centre + right.centre)[:, None, None] / 2
        heart = (np.hypot(*(_grid() - middle)) < 1.1 * (left.outer + right.outer))[::-1]
        image = (movie / movie.max()).astype(np.float32)
        return Subject(subject, {"cine": image}, np.broadcast_to(heart, movie.shape), None, (8.0, PIXEL_MM, PIXEL_MM))

    def acquisition(self, subject: str, *, coils: int | None) -> Acquisition:
        loaded = self.load(subject)
        movie = loaded.images["cine"]
        phase = smooth_phase(SHAPE, rng_for(subject, "phase"))
        kspace = to_kspace(movie * phase)[:, None]
        kspace += complex_noise(kspace.shape, NOISE, rng_for(subject, "k-space noise"))
        return Acquisition(kspace, movie, loaded.mask, None, SHAPE, loaded.spacing, dynamic=True)


def _grid(finer: int = 1) -> np.ndarray:
    """Positions of pixel centres in mm from the middle of the image, shape ``(2, y, x)``."""
    axes = [(np.arange(size * finer) - (size * finer - 1) / 2) * PIXEL_MM / finer for size in SHAPE]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def _ventricles(rng: np.random.Generator) -> tuple[Ventricle, Ventricle]:
    centre = np.array([rng.uniform(-15, 10), rng.uniform(10, 35)])
    inner, wall = rng.uniform(20, 27), rng.uniform(8, 12)
    left = Ventricle(centre, inner, inner + wall, rng.uniform(0.5, 0.68))
    angle, radius = rng.uniform(2.7, 3.5), rng.uniform(20, 26)
    away = (inner + wall + 0.45 * radius) * np.array([np.sin(angle), np.cos(angle)])
    return left, Ventricle(centre + away, radius, radius + 3.5, rng.uniform(0.3, 0.45))


def _chest(subject: str, rng: np.random.Generator, left: Ventricle, right: Ventricle) -> tuple[np.ndarray, np.ndarray]:
    """Draw the still image and where blood is, both on the fine grid; later tissues cover earlier ones."""
    from scipy.ndimage import gaussian_filter

    grid = _grid(OVERSAMPLING)
    body = np.array([rng.uniform(85, 100), rng.uniform(115, 140)])
    tissues = [  # inside, signal, relative texture
        (_ellipse(grid, (0, 0), body), rng.uniform(0.6, 0.85), 0.10),  # fat
        (_ellipse(grid, (0, 0), body - rng.uniform(8, 16)), rng.uniform(0.25, 0.35), 0.20),  # muscle
        (_ellipse(grid, (-5, -45), (62, 50)), 0.05, 0.5),  # lungs
        (_ellipse(grid, (-8, 55), (58, 48)), 0.05, 0.5),
        (_ellipse(grid, (rng.uniform(50, 58), rng.uniform(-8, 8)), (20, 24)), 0.30, 0.3),  # spine
        (_ellipse(grid, (35, -70), (rng.uniform(25, 40), rng.uniform(35, 50))), rng.uniform(0.3, 0.45), 0.15),  # liver
    ]
    tissues += _lung_vessels(grid, rng)
    aorta = _ellipse(grid, (rng.uniform(38, 46), rng.uniform(22, 32)), (10, 10))
    tissues.append((aorta, 0.9, 0.03))
    tissues.append((_disc(grid, right.centre, right.outer), 0.35, 0.15))
    cavity = _disc(grid, right.centre, right.inner)
    tissues.append((cavity, rng.uniform(0.85, 1.0), 0.04))
    muscle = rng.uniform(0.28, 0.4)
    tissues.append((_disc(grid, left.centre, left.outer), muscle, 0.15))
    lumen = _disc(grid, left.centre, left.inner)
    tissues.append((lumen, rng.uniform(0.9, 1.0), 0.04))
    for angle in rng.uniform(0, 2 * np.pi) + np.array([0.0, rng.uniform(1.6, 2.4)]):  # papillary muscles
        place = left.centre + 0.62 * left.inner * np.array([np.sin(angle), np.cos(angle)])
        tissues.append((_disc(grid, place, rng.uniform(3, 5)), muscle, 0.1))
    coarse, fine = (
        gaussian_filter(rng_for(subject, f"texture {sigma}").standard_normal(grid.shape[1:]), sigma) * sigma * 3.5
        for sigma in (3.0, 9.0)
    )
    still = np.zeros(grid.shape[1:])
    for inside, signal, texture in tissues:
        still = np.where(inside, signal * (1 + texture * 0.5 * (coarse + fine)), still)
    blood = (aorta | (cavity & ~_disc(grid, left.centre, left.outer)) | lumen).astype(float)
    shading = 1 + 0.25 * rng.uniform(-1, 1) * grid[0] / 100 + 0.25 * rng.uniform(-1, 1) * grid[1] / 140
    blur = 0.45 * OVERSAMPLING  # about one pixel, so that sampling does not alias
    return gaussian_filter(np.maximum(still, 0) * shading, blur), gaussian_filter(blood, blur)


def _lung_vessels(grid: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, float, float]]:
    vessels = []
    for _ in range(14):
        side = rng.choice([-45.0, 60.0])
        place = (rng.uniform(-50, 40), side + rng.uniform(-35, 35))
        vessels.append((_ellipse(grid, place, rng.uniform(1.5, 4, 2)), rng.uniform(0.2, 0.6), 0.0))
    return vessels


def _ellipse(grid: np.ndarray, centre: tuple[float, float], radii: np.ndarray | tuple[float, float]) -> np.ndarray:
    offset = (grid - np.asarray(centre)[:, None, None]) / np.asarray(radii)[:, None, None]
    return (offset**2).sum(0) <= 1


def _disc(grid: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    return _ellipse(grid, (float(centre[0]), float(centre[1])), (radius, radius))


def _systole(time: float, peak: float) -> float:
    """Contraction at a fraction of the heartbeat: 0 at end-diastole, 1 at end-systole; a slower way back."""
    phase = time / peak / 2 if time < peak else 0.5 + (time - peak) / (1 - peak) / 2
    return float(np.sin(np.pi * phase) ** 2)


def _breathe(position: np.ndarray, shift_mm: float) -> np.ndarray:
    """Move what lies in front (low y) along y; the back rests on the table."""
    front = np.clip(0.5 - position[0] / 160, 0, 1)
    return position + np.stack([shift_mm * front, 0 * front])


def _contract(position: np.ndarray, ventricle: Ventricle, systole: float) -> np.ndarray:
    """Pull back: where the tissue that is now at ``position`` was at end-diastole.

    Radii are mapped piecewise linearly so that the cavity shrinks, the area of the wall is kept, and
    nothing moves beyond twice the outer radius.
    """
    inner = ventricle.inner * np.sqrt(1 - ventricle.ejected_area * systole)
    outer = np.sqrt(ventricle.outer**2 - ventricle.inner**2 + inner**2)
    far = 2 * ventricle.outer
    offset = position - ventricle.centre[:, None, None]
    radius = np.hypot(*offset)
    before = np.interp(radius, [0, inner, outer, far, 1e4], [0, ventricle.inner, ventricle.outer, far, 1e4])
    return ventricle.centre[:, None, None] + offset * (before / np.maximum(radius, 1e-9))


def _sample(image: np.ndarray, position: np.ndarray) -> np.ndarray:
    from scipy.ndimage import map_coordinates

    centre = (np.asarray(image.shape) - 1)[:, None, None] / 2
    return map_coordinates(image, position * OVERSAMPLING / PIXEL_MM + centre, order=1, mode="nearest")
