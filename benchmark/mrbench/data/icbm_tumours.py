"""`icbm-sim` with a glioma in every person: four contrasts, and labels of core, oedema and enhancing rim."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from mrbench.core.random import rng_for
from mrbench.data.dataset import Dataset, Subject
from mrbench.data.icbm_sim import (
    CONTRASTS,
    NOISE_PERCENT,
    IcbmSim,
    Signal,
    anatomy,
    exponential,
    random_velocity,
    scans,
    smooth_noise,
)
from mrbench.data.template import GRID_SPACING
from mrbench.metrics.deformation import compose
from mrbench.physics.contrast import Tissue, enhanced, fluid_attenuated


def t1_after_contrast(tissue: Tissue) -> float:
    """The T1 sequence after a gadolinium agent."""
    return CONTRASTS["T1"](enhanced(tissue))


TUMOUR_CONTRASTS: dict[str, Signal] = {
    "T1": CONTRASTS["T1"],
    "T1c": t1_after_contrast,
    "T2": CONTRASTS["T2"],
    "FLAIR": partial(fluid_attenuated, inversion_time=2500, echo_time=110, repetition_time=9000),
}

NECROSIS, OEDEMA, ENHANCING = 1, 2, 3
"""Labels as BraTS has them since 2023: 1 necrotic and non-enhancing core, 2 oedema, 3 enhancing tumour."""

WITHOUT_RIM = 0.15
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
        Thickness of the enhancing rim; 0 for none.
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
        rough = smooth_noise(subject, "tumour surface", 3.0, 1)[0]
        return self.radius * (1 + 0.15 * rough) - distance


class IcbmTumours(Dataset):
    """The people of `icbm-sim`, each with one glioma: T1, T1c (gadolinium), T2 and FLAIR by the signal equations.

    The tumour lies in white matter, pushes the brain aside, and has a necrotic core, in most an enhancing rim, and
    oedema that spreads in white matter alone. Labels are `NECROSIS`, `OEDEMA` and `ENHANCING`.
    """

    name = "icbm-sim"
    title = "simulated glioma in 60 people: T1, T1c, T2, FLAIR, three labels"
    simulated = True
    citation = IcbmSim.citation
    licence = IcbmSim.licence
    preparation = 1
    form = "tumours"
    structures = {"necrotic core": (NECROSIS,), "oedema": (OEDEMA,), "enhancing tumour": (ENHANCING,)}

    def make(self, subject: str) -> Subject:
        to_template = exponential(random_velocity(subject))
        tumour = draw(subject, anatomy(to_template)[0]["wm"])
        displaced = compose(to_template, tumour.displacement(to_template.shape[1:]))
        healthy, mask, _ = anatomy(displaced)
        parts = grow(subject, tumour, healthy["wm"], mask)
        spared = 1 - sum(parts.values())
        fractions = {tissue: fraction * spared for tissue, fraction in healthy.items()} | parts
        images = scans(subject, fractions, mask, TUMOUR_CONTRASTS, NOISE_PERCENT)
        return Subject(subject, images, mask, labels_of(parts), GRID_SPACING)


def draw(subject: str, white: np.ndarray) -> Tumour:
    """Draw a tumour from the subject's id, its centre deep in white matter (fractions ``(z, y, x)``)."""
    from scipy.ndimage import gaussian_filter

    rng = rng_for(subject, "tumour")
    deep = np.argwhere(gaussian_filter(white, 3) > 0.6)
    radius = rng.uniform(4, 10)
    rim = 0.0 if rng.random() < WITHOUT_RIM else rng.uniform(0.2, 0.45) * radius
    return Tumour(
        centre=deep[rng.integers(len(deep))].astype(np.float32),
        radius=radius,
        rim=rim,
        oedema=rng.uniform(2, 8),
        push=rng.uniform(0.2, 0.6),
        stretch=rng.uniform(0.75, 1.3, 3).astype(np.float32),
    )


def grow(subject: str, tumour: Tumour, white: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Fractions of necrosis, enhancing tumour and oedema; oedema spreads in white matter alone."""
    depth = tumour.depth(subject, white.shape)
    core, inner = _edge(depth) * mask, _edge(depth - tumour.rim) * mask
    reach = tumour.oedema * (1 + 0.3 * smooth_noise(subject, "oedema", 5.0, 1)[0])
    oedema = _edge(depth + reach) * white * (1 - core) * mask
    return {"necrosis": inner, "enhancing": core - inner, "oedema": oedema}


def labels_of(parts: dict[str, np.ndarray]) -> np.ndarray:
    """The tissue that fills most of a voxel, where tumour fills half of it; int16."""
    shares = np.stack([parts[name] for name in ("necrosis", "oedema", "enhancing")])
    return np.where(shares.sum(0) > 0.5, 1 + shares.argmax(0), 0).astype(np.int16)


def _edge(depth: np.ndarray) -> np.ndarray:
    """Fraction of a voxel that lies below a surface."""
    return np.clip(depth + 0.5, 0, 1).astype(np.float32)
