"""Scans of a simulated anatomy: signal equations, bias field, noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from mrbench.core.random import rng_for
from mrbench.physics.contrast import PATHOLOGY_3T, TISSUES_3T, Tissue, inversion_recovery, spin_echo
from mrbench.physics.noise import add_rician
from mrbench.simulation.anatomy import brain_mask, structure_labels, tissue_fractions
from mrbench.simulation.deformation import smooth_noise
from mrbench.space.template import grid_in_template, template_1mm

Signal = Callable[[Tissue], float]

CONTRASTS: dict[str, Signal] = {
    "T1": partial(inversion_recovery, inversion_time=900, repetition_time=2300),
    "T2": partial(spin_echo, echo_time=90, repetition_time=4000),
}

BIAS_SD = 0.06
TISSUE_SD = 0.04
"""Of the logarithm of relaxation times, between subjects."""


def anatomy(to_template: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Tissue fractions, brain and structure labels of the template under a displacement, on the 2 mm grid."""
    from scipy.ndimage import map_coordinates

    position = grid_in_template(template_1mm("t1")[1]) + 2 * to_template  # 2 mm voxels to 1 mm voxels
    fractions = {tissue: map_coordinates(volume, position, order=1) for tissue, volume in tissue_fractions().items()}
    mask = map_coordinates(brain_mask().astype(np.uint8), position, order=0) > 0
    return fractions, mask, map_coordinates(structure_labels(), position, order=0)


def scans(
    subject: str,
    fractions: Mapping[str, np.ndarray],
    mask: np.ndarray,
    contrasts: Mapping[str, Signal],
    noise: float,
    *,
    bias_sd: float = BIAS_SD,
    pathology_sd: float = TISSUE_SD,
) -> dict[str, np.ndarray]:
    """Image tissue fractions in each contrast, noise in percent of the brightest healthy tissue; float32, [0, 1]."""
    own = _tissues(subject, pathology_sd)
    return {
        contrast: _scan(
            subject, contrast, fractions, {name: signal(t) for name, t in own.items()}, mask, noise, bias_sd
        )
        for contrast, signal in contrasts.items()
    }


def _tissues(subject: str, pathology_sd: float) -> dict[str, Tissue]:
    """Tissues with the subject's own relaxation times."""
    rng = rng_for(subject, "tissue parameters")
    own = {}
    for name, tissue in (TISSUES_3T | PATHOLOGY_3T).items():
        sd = pathology_sd if name in PATHOLOGY_3T else TISSUE_SD
        t1, t2 = (time * float(np.exp(sd * rng.standard_normal())) for time in (tissue.t1, tissue.t2))
        own[name] = replace(tissue, t1=t1, t2=t2)
    return own


def _scan(
    subject: str,
    contrast: str,
    fractions: Mapping[str, np.ndarray],
    signals: Mapping[str, float],
    mask: np.ndarray,
    noise_percent: float,
    bias_sd: float,
) -> np.ndarray:
    """Mix the tissues of each voxel, then add bias field and Rician noise, strip and scale to [0, 1]."""
    signal = np.abs(sum(signals[tissue] * fraction for tissue, fraction in fractions.items()))
    bias = np.exp(bias_sd * smooth_noise(subject, f"bias {contrast}", 24, 8)[0])
    sigma = noise_percent / 100 * max(abs(signals[tissue]) for tissue in TISSUES_3T)
    image = np.where(mask, add_rician(signal * bias, sigma, rng_for(subject, f"noise {contrast}")), 0)
    return np.clip(image / np.percentile(image[mask], 99.5), 0, 1).astype(np.float32)
