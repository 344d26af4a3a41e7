"""`icbm-sim` with a glioma in every person: four contrasts, and labels of core, oedema and enhancing rim."""

from __future__ import annotations

from functools import partial

import numpy as np

from mrbench.datasets.dataset import Dataset, Subject
from mrbench.datasets.icbm_sim import IcbmSim
from mrbench.metrics.deformation import compose
from mrbench.physics.contrast import Tissue, enhanced, fluid_attenuated
from mrbench.simulation.acquisition import CONTRASTS, Signal, anatomy, scans
from mrbench.simulation.deformation import exponential, random_velocity
from mrbench.simulation.tumour_mimics import mimics
from mrbench.simulation.tumours import draw, grow
from mrbench.space.template import GRID_SPACING


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

NOISE_PERCENT, BIAS_SD = 4.0, 0.1
"""More than in `IcbmSim`: clinical scans, fast and of several scanners."""

PATHOLOGY_SD = 0.12
"""Relaxation times differ more between two tumours than between two healthy brains (Badve et al., AJNR 2017)."""


class IcbmTumours(Dataset):
    """The people of `icbm-sim`, each with one glioma: T1, T1c (gadolinium), T2 and FLAIR by the signal equations.

    The tumour lies in white matter, pushes the brain aside, and has a core of necrosis and solid tumour, in most an
    enhancing rim, and oedema that spreads in white matter alone and thins out. Many people have white-matter
    hyperintensity too, and vessels and choroid plexus enhance in all, so grey levels alone do not tell a tumour. Labels
    are `NECROSIS`, `OEDEMA` and `ENHANCING`.
    """

    name = "icbm-sim"
    title = "simulated glioma in 60 people: T1, T1c, T2, FLAIR, three labels"
    simulated = True
    endless = True
    citation = IcbmSim.citation
    licence = IcbmSim.licence
    preparation = 3
    representation = "tumours"
    form = "tumours"
    structures = {"necrotic core": (NECROSIS,), "oedema": (OEDEMA,), "enhancing tumour": (ENHANCING,)}

    def make(self, subject: str) -> Subject:
        fractions, mask = self.tissues(subject)
        images = scans(
            subject, fractions, mask, TUMOUR_CONTRASTS, NOISE_PERCENT, bias_sd=BIAS_SD, pathology_sd=PATHOLOGY_SD
        )
        return Subject(subject, images, mask, labels_of(fractions), GRID_SPACING)

    def tissues(self, subject: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Fractions of every tissue, healthy and diseased, and the brain."""
        to_template = exponential(random_velocity(subject))
        tumour = draw(subject, anatomy(subject, to_template)[0]["wm"])
        healthy, mask, structures = anatomy(subject, compose(to_template, tumour.displacement(to_template.shape[1:])))
        parts = grow(subject, tumour, healthy["wm"], mask)
        others = mimics(subject, healthy, structures)
        spared, unmixed = 1 - sum(parts.values()), 1 - sum(others.values())
        mixed = {name: fraction * unmixed for name, fraction in healthy.items()} | others
        return {name: fraction * spared for name, fraction in mixed.items()} | parts, mask


def labels_of(fractions: dict[str, np.ndarray]) -> np.ndarray:
    """The part that fills most of a voxel, where tumour fills half of it; int16."""
    core = fractions["necrosis"] + fractions["solid"]
    shares = np.stack([core, fractions["oedema"], fractions["enhancing"]])
    return np.where(shares.sum(0) > 0.5, 1 + shares.argmax(0), 0).astype(np.int16)
