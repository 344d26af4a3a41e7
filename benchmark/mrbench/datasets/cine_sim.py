"""`cine-sim`: simulated short-axis cardiac cine, complex, 30 frames, one random chest a subject.

A still image of the chest at end-diastole, with texture, is carried by the motions of `mrbench.simulation.heart` and by
breathing.
"""

from __future__ import annotations

import numpy as np

from mrbench.core.random import rng_for
from mrbench.datasets.acquisition import Acquisition, KspaceDataset
from mrbench.datasets.dataset import Subject
from mrbench.physics.coils import smooth_phase
from mrbench.physics.fourier import to_kspace
from mrbench.physics.noise import complex_noise
from mrbench.simulation.heart import RIGHT_WALL, Heart, beats, contract, draw_heart

FRAMES = 30
SHAPE = (96, 128)
"""Pixels (y, x); columns are phase-encoded."""

PIXEL_MM = 2.5
OVERSAMPLING = 3
"""The still image is drawn on a grid this much finer."""

NOISE = 0.01
"""SD of each channel, as a fraction of the brightest voxel of the sequence."""


class CineSim(KspaceDataset):
    """Simulated cine of 45 chests: beating ventricles, chest wall, breathing.

    ``images["cine"]`` is ``(time, y, x)``; ``mask`` is the heart. About one heartbeat or two fill the sequence, each
    with an amplitude of its own, and nothing closes at its end: as in a real-time acquisition.
    """

    name = "cine-sim"
    title = "simulated short-axis cine of 45 chests, 30 frames: beating ventricles, breathing"
    simulated = True
    endless = True
    citation = "simulation by mrbench"
    licence = "Apache-2.0"
    preparation = 2
    region = "heart"
    dynamic = True

    def make(self, subject: str) -> Subject:
        rng = rng_for(subject, "chest")
        heart = draw_heart(rng)
        still, blood = _chest(subject, rng, heart)
        breath, turn, cycles = rng.uniform(2, 5), rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.6)  # mm, rad
        flow, swell = rng.uniform(0.03, 0.1), rng.uniform(0, 2 * np.pi)
        frames = []
        for time, systole in zip(np.arange(FRAMES) / FRAMES, beats(rng, FRAMES), strict=True):
            position = _breathe(_grid(), breath * (np.sin(cycles * 2 * np.pi * time + turn) - np.sin(turn)))
            position = contract(position, heart, float(systole))
            brighter = 1 + flow * np.sin(2 * np.pi * time + swell) * _sample(blood, position)
            frames.append(_sample(still, position) * brighter)
        movie = np.stack(frames)[:, ::-1]  # indices grow towards anterior
        radius, width = heart.polar(_grid())
        inside = (radius < 1.15 * (heart.outer + width + RIGHT_WALL))[::-1]
        image = (movie / movie.max()).astype(np.float32)
        return Subject(subject, {"cine": image}, np.broadcast_to(inside, movie.shape), None, (8.0, PIXEL_MM, PIXEL_MM))

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


def _chest(subject: str, rng: np.random.Generator, heart: Heart) -> tuple[np.ndarray, np.ndarray]:
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
    radius, width = heart.polar(grid)
    # trabeculae make the edges of both cavities uneven
    rough = gaussian_filter(rng_for(subject, "trabeculae").standard_normal(radius.shape), 2.5) * 2.5 * 3.5
    free, muscle = heart.outer + width, rng.uniform(0.28, 0.4)
    tissues.append((radius <= heart.outer + rng.uniform(4, 8), rng.uniform(0.55, 0.75), 0.1))  # epicardial fat
    tissues.append(((radius <= free + RIGHT_WALL) & (width > 0), muscle, 0.15))
    right = (radius > heart.outer) & (radius + 0.8 * rough <= free) & (width > 2)
    tissues.append((right, rng.uniform(0.85, 1.0), 0.04))
    tissues.append((radius <= heart.outer, muscle, 0.15))
    left = radius + 0.6 * np.abs(rough) <= heart.inner
    tissues.append((left, rng.uniform(0.9, 1.0), 0.04))
    for angle in heart.angle + np.pi + np.array([-1.0, 1.0]) * rng.uniform(0.7, 1.1):  # papillary muscles, opposite
        place = heart.centre + rng.uniform(0.62, 0.74) * heart.inner * np.array([np.sin(angle), np.cos(angle)])
        shape = rng.uniform(3, 5.5, 2)
        tissues.append((_ellipse(grid, (float(place[0]), float(place[1])), shape), muscle, 0.1))
    coarse, fine = (
        gaussian_filter(rng_for(subject, f"texture {sigma}").standard_normal(grid.shape[1:]), sigma) * sigma * 3.5
        for sigma in (3.0, 9.0)
    )
    still = np.zeros(grid.shape[1:])
    for inside, signal, texture in tissues:
        still = np.where(inside, signal * (1 + texture * 0.5 * (coarse + fine)), still)
    blood = (aorta | right | left).astype(float)
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


def _breathe(position: np.ndarray, shift_mm: float) -> np.ndarray:
    """Move what lies in front (low y) along y; the back rests on the table."""
    front = np.clip(0.5 - position[0] / 160, 0, 1)
    return position + np.stack([shift_mm * front, 0 * front])


def _sample(image: np.ndarray, position: np.ndarray) -> np.ndarray:
    from scipy.ndimage import map_coordinates

    centre = (np.asarray(image.shape) - 1)[:, None, None] / 2
    return map_coordinates(image, position * OVERSAMPLING / PIXEL_MM + centre, order=1, mode="nearest")
