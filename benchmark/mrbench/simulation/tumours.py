"""Growth of a simulated glioma: where it lies, what it pushes aside, and which tissues it is made of.

Fractions vary inside a part and the parts fade into each other, as in patients: what is one tissue to the label is many
grey levels to the scanner (Menze et al., IEEE Trans. Med. Imaging 2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrbench.core.random import rng_for
from mrbench.simulation.fields import smooth_noise

WITHOUT_RIM = 0.2
"""Share of tumours that do not enhance: their label is empty, as in low-grade glioma."""


@dataclass(frozen=True)
class Tumour:
    """One person's tumour, lengths in voxels of 2 mm.

    Attributes
    ----------
    centre : ndarray
    radius : float
        Of the core.
    rim : float
        Mean thickness of the enhancing rim; 0 for none.
    uptake : float
        Share of the rim's tissue that takes up gadolinium, above one half.
    solid : float
        Mean share of solid tumour inside the rim; the rest is necrosis.
    oedema : float
        How far oedema reaches beyond the core.
    push : float
        Strength of the mass effect, from 0 to below 1.
    stretch : ndarray
        Relative length of the semi-axes.
    """

    centre: np.ndarray
    radius: float
    rim: float
    uptake: float
    solid: float
    oedema: float
    push: float
    stretch: np.ndarray

    def displacement(self, shape: tuple[int, ...]) -> np.ndarray:
        """Mass effect, pull-back: tissue was pushed outwards, so it comes from nearer the centre.

        ``m(p) = -push exp(-r^2 / 2 s^2) (p - centre)`` with ``s = 1.2 radius``: radially monotone for ``push < 1``.
        """
        offset = np.indices(shape, dtype=np.float32) - self.centre[:, None, None, None].astype(np.float32)
        squared = (offset**2).sum(0)
        return (-self.push * np.exp(-squared / (2 * (1.2 * self.radius) ** 2)) * offset).astype(np.float32)

    def depth(self, subject: str, shape: tuple[int, ...]) -> np.ndarray:
        """Distance below the surface of the core, negative outside; the surface is rough."""
        offset = np.indices(shape, dtype=np.float32) - self.centre[:, None, None, None].astype(np.float32)
        distance = np.sqrt(((offset / self.stretch[:, None, None, None]) ** 2).sum(0))
        rough = smooth_noise(subject, "tumour surface", 3.0)[0]
        return self.radius * (1 + 0.2 * rough) - distance


def draw(subject: str, white: np.ndarray) -> Tumour:
    """Draw a tumour from the subject's id, its centre deep in white matter (fractions ``(z, y, x)``)."""
    from scipy.ndimage import gaussian_filter

    rng = rng_for(subject, "tumour")
    deep = np.argwhere(gaussian_filter(white, 3) > 0.6)
    radius = rng.uniform(4, 10)
    low_grade = rng.random() < WITHOUT_RIM
    return Tumour(
        centre=deep[rng.integers(len(deep))].astype(np.float32),
        radius=radius,
        rim=0.0 if low_grade else rng.uniform(0.2, 0.45) * radius,
        uptake=rng.uniform(0.6, 1),
        solid=rng.uniform(0.8, 1.0) if low_grade else rng.uniform(0.0, 0.6),
        oedema=rng.uniform(2, 8),
        push=rng.uniform(0.2, 0.6),
        stretch=rng.uniform(0.75, 1.3, 3).astype(np.float32),
    )


def grow(subject: str, tumour: Tumour, white: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Fractions of necrosis, solid and enhancing tumour, and oedema; they leave room for what is infiltrated."""
    depth = tumour.depth(subject, white.shape)
    core = fraction_below(depth) * mask
    # rims are thick in places and open in others
    thickness = tumour.rim * np.clip(1.2 + smooth_noise(subject, "rim", 4.0)[0], 0, 2)
    inner = fraction_below(depth - thickness) * mask
    enhancing = tumour.uptake * (core - inner)
    cells = np.clip(tumour.solid + 0.3 * smooth_noise(subject, "solid tumour", 2.5)[0], 0, 1)
    # cells grow between fibres that are still there (Claes et al., Acta Neuropathol. 2007)
    dense = np.clip(0.85 + 0.12 * smooth_noise(subject, "density", 2.0)[0], 0.6, 1)
    solid = (inner * cells + (1 - tumour.uptake) * (core - inner)) * dense
    return {
        "necrosis": inner * (1 - cells),
        "solid": solid,
        "enhancing": enhancing,
        "oedema": _oedema(subject, tumour, depth) * white * (1 - core) * mask,
    }


def _oedema(subject: str, tumour: Tumour, depth: np.ndarray) -> np.ndarray:
    """Fraction of white matter taken by oedema: all of it near the core, little more than half at the border."""
    reach = tumour.oedema * (1 + 0.4 * smooth_noise(subject, "oedema", 5.0)[0])
    inside = depth + reach
    patchy = 0.1 * smooth_noise(subject, "oedema texture", 2.0)[0]
    grade = np.clip(0.6 + 0.35 * inside / tumour.oedema + patchy, 0.5, 1)
    return grade * np.clip(0.75 + inside / 2, 0, 1)


def fraction_below(depth: np.ndarray) -> np.ndarray:
    """Fraction of a voxel that lies below a surface."""
    return np.clip(depth + 0.5, 0, 1).astype(np.float32)
