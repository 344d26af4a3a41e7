"""A beating heart in short axis: a round left ventricle, and a right one that lies around it as a crescent.

Everything is described from the centre of the left ventricle, by radius and angle, so that one radial map carries both
ventricles: the left cavity shrinks and its wall thickens at constant area, and the free wall of the right one comes
towards the septum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RIGHT_WALL = 3.5
"""Thickness of the right ventricle's free wall in mm."""


@dataclass(frozen=True)
class Heart:
    """Both ventricles at end-diastole; lengths in mm, angles in rad from the x axis towards y.

    Attributes
    ----------
    centre : ndarray, shape ``(2,)``
        Of the left ventricle, order ``(y, x)``.
    inner, outer : float
        Radii of the left ventricle.
    ejected : float
        Fraction of the left cavity's area that is gone at end-systole.
    width, angle, span : float
        Of the right ventricle: between its septum and its free wall where it is widest, where that is, and half the
        angle that it takes up.
    shortened : float
        Fraction of that width that is gone at end-systole.
    """

    centre: np.ndarray
    inner: float
    outer: float
    ejected: float
    width: float
    angle: float
    span: float
    shortened: float

    def polar(self, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance from the centre, and width of the right ventricle's cavity in that direction; both in mm."""
        y, x = position - self.centre[:, None, None]
        from_middle = (np.arctan2(y, x) - self.angle + np.pi) % (2 * np.pi) - np.pi
        across = np.cos(np.clip(from_middle / self.span, -1, 1) * np.pi / 2)
        return np.hypot(y, x), self.width * across**0.8


def draw_heart(rng: np.random.Generator) -> Heart:
    """Draw a heart of normal size: end-diastolic diameter 40 to 54 mm, ejection 50 to 68 % of the area."""
    centre = np.array([rng.uniform(-15, 10), rng.uniform(10, 35)])
    inner, wall = rng.uniform(20, 27), rng.uniform(8, 12)
    return Heart(
        centre=centre,
        inner=inner,
        outer=inner + wall,
        ejected=rng.uniform(0.5, 0.68),
        width=rng.uniform(22, 32),
        angle=rng.uniform(2.8, 3.6),
        span=rng.uniform(1.3, 1.6),
        shortened=rng.uniform(0.3, 0.5),
    )


def contract(position: np.ndarray, heart: Heart, systole: float) -> np.ndarray:
    """Pull back: where the tissue that is now at ``position`` was at end-diastole.

    Radii are mapped piecewise linearly so that the left cavity shrinks, the area of its wall is kept, the right cavity
    narrows, and nothing moves beyond twice the outer radius and the right ventricle.
    """
    radius, width = heart.polar(position)
    inner = heart.inner * np.sqrt(1 - heart.ejected * systole)
    outer = np.sqrt(heart.outer**2 - heart.inner**2 + inner**2)
    free, freed = heart.outer + width, outer + (1 - heart.shortened * systole) * width
    far = free + heart.outer
    # the free wall keeps its thickness, and what lies around follows less and less
    now = np.stack(np.broadcast_arrays(0.0, inner, outer, freed, freed + RIGHT_WALL, far))
    then = np.stack(np.broadcast_arrays(0.0, heart.inner, heart.outer, free, free + RIGHT_WALL, far))
    lengths, sources = np.diff(now, axis=0), np.diff(then, axis=0)
    inside = np.clip(radius - now[:-1], 0, lengths)
    before = np.maximum(radius - far, 0) + (inside * sources / np.maximum(lengths, 1e-9)).sum(0)
    offset = position - heart.centre[:, None, None]
    return heart.centre[:, None, None] + offset * (before / np.maximum(radius, 1e-9))


def beats(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Contraction in each frame: 0 at end-diastole, about 1 at end-systole.

    The sequence covers 0.9 to 1.8 beats. Each has an amplitude of its own; the faster the heart, the larger the share
    of systole. After a fast filling comes a plateau, then the kick of the atria (Chung et al., Am. J. Physiol. 2004).
    """
    from scipy.interpolate import PchipInterpolator

    rate = rng.uniform(0.9, 1.8)
    peak = np.clip(0.36 + 0.06 * (rate - 1) + 0.02 * rng.standard_normal(), 0.3, 0.45)
    kick = rng.uniform(0.15, 0.3)
    early, late = peak + rng.uniform(0.18, 0.24), rng.uniform(0.84, 0.9)
    beat = PchipInterpolator([0, 0.05, peak, early, late, 1], [0, 0.02, 1, kick + 0.03, kick, 0])
    phase = np.arange(frames) / frames * rate
    amplitude = 1 + 0.08 * rng.standard_normal(3)
    return np.clip(beat(phase % 1) * amplitude[phase.astype(int)], 0, 1.15)
