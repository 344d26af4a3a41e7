"""Scans of a simulated anatomy: signal equations, bias field, noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from mrbench.core.random import rng_for
from mrbench.metrics.deformation import warp
from mrbench.physics.contrast import HEAD_3T, PATHOLOGY_3T, TISSUES_3T, Tissue, inversion_recovery, spin_echo
from mrbench.physics.noise import add_rician
from mrbench.simulation.anatomy import brain_box, brain_mask, labelled, regions, tissue_fractions
from mrbench.simulation.fields import smooth_noise
from mrbench.space.position import relative_position
from mrbench.space.template import GRID_SHAPE, grid_in_template

Signal = Callable[[Tissue], float]

CONTRASTS: dict[str, Signal] = {
    "T1": partial(inversion_recovery, inversion_time=1100, repetition_time=2300),
    "T2": partial(spin_echo, echo_time=90, repetition_time=4000),
}

ODDS_SD = {"csf": 0.35, "gm": 0.2}
"""Of the logarithm of a tissue's odds, between subjects and from place to place."""

TEXTURE = {"gm": (0.10, 0.06), "wm": (0.05, 0.035)}
"""Mean and SD of the share of a tissue that is the other one: myelin in cortex, cells in white matter."""

BIAS_SD = 0.06
TISSUE_SD = 0.04
"""Of the logarithm of relaxation times, between subjects."""


def anatomy(subject: str, to_template: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Tissue fractions, brain and structure labels of a subject, on the 2 mm grid: the template under a displacement.

    Sulci are wider in one person than in another, and cortex thicker: odds of fluid against tissue, and of grey against
    white matter, have a factor of the person and of the place.
    """
    # 2 mm voxels to 1 mm voxels
    shift = grid_in_template(brain_box()[1]) + 2 * to_template - np.indices(GRID_SHAPE, dtype=np.float32)
    fractions = {tissue: warp(volume, shift, order=1) for tissue, volume in tissue_fractions().items()}
    for tissue, sd in ODDS_SD.items():
        everywhere = rng_for(subject, f"odds of {tissue}").standard_normal()
        local = smooth_noise(subject, f"local odds of {tissue}", 8.0)[0]
        fractions[tissue] = fractions[tissue] * np.exp(np.float32(sd) * (np.float32(everywhere) + local))
    mask = warp(brain_mask(), shift, order=0)
    total = np.maximum(sum(fractions.values()), 1e-6)
    fractions = {tissue: np.where(mask, part / total, 0) for tissue, part in fractions.items()}
    return fractions, mask, labelled(warp(regions(), shift, order=0), fractions)


def scans(
    subject: str,
    fractions: Mapping[str, np.ndarray],
    mask: np.ndarray,
    contrasts: Mapping[str, Signal],
    noise: float,
    *,
    bias_sd: float = BIAS_SD,
    pathology_sd: float = TISSUE_SD,
    stripped: bool = True,
) -> dict[str, np.ndarray]:
    """Image tissue fractions in each contrast, noise in percent of the brightest healthy tissue; float32, [0, 1].

    What is stripped is 0 outside the brain and scaled by the 99.5th percentile inside; a whole head is divided by its
    maximum.
    """
    tissues = _tissues(subject, pathology_sd)
    fractions = textured(subject, fractions)
    return {
        contrast: _scan(
            subject,
            contrast,
            fractions,
            {name: signal(t) for name, t in tissues.items()},
            mask,
            noise,
            bias_sd,
            stripped,
        )
        for contrast, signal in contrasts.items()
    }


def textured(subject: str, fractions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Mix grey and white matter with each other, unevenly on two scales: no tissue is of one grey level."""
    moved = {}
    for tissue, (mean, sd) in TEXTURE.items():
        fine, broad = (smooth_noise(subject, f"texture {tissue} {length}", length)[0] for length in (1.25, 5.0))
        share = np.float32(mean) + np.float32(sd) * (np.float32(0.7) * fine + np.float32(0.7) * broad)
        moved[tissue] = np.clip(share, 0, 1) * fractions[tissue]
    grey, white = (fractions[tissue] - moved[tissue] for tissue in ("gm", "wm"))
    return {**fractions, "gm": grey + moved["wm"], "wm": white + moved["gm"]}


def _tissues(subject: str, pathology_sd: float) -> dict[str, Tissue]:
    """Tissues with the subject's own relaxation times."""
    rng = rng_for(subject, "tissue parameters")
    tissues = {}
    for name, tissue in (TISSUES_3T | PATHOLOGY_3T | HEAD_3T).items():
        sd = pathology_sd if name in PATHOLOGY_3T else TISSUE_SD
        t1, t2 = (time * float(np.exp(sd * rng.standard_normal())) for time in (tissue.t1, tissue.t2))
        tissues[name] = replace(tissue, t1=t1, t2=t2)
    return tissues


def _towards_the_rim(subject: str, mask: np.ndarray) -> np.ndarray:
    """Loss of signal from the middle of the brain outwards, as a logarithm: waves at 3 T add up in the middle.

    0.3 at the rim on average; see Collins et al., JMRI 2005.
    """
    strength = 0.3 * np.exp(0.3 * rng_for(subject, "bright middle").standard_normal())
    radius = sum(along**2 for along in relative_position(mask))
    return np.float32(strength) * np.minimum(radius, 1.5)


def _scan(
    subject: str,
    contrast: str,
    fractions: Mapping[str, np.ndarray],
    signals: Mapping[str, float],
    mask: np.ndarray,
    noise_percent: float,
    bias_sd: float,
    stripped: bool,
) -> np.ndarray:
    """Mix the tissues of each voxel, then add bias field and Rician noise, strip and scale to [0, 1]."""
    signal = np.abs(sum(signals[tissue] * fraction for tissue, fraction in fractions.items()))
    bias = np.exp(bias_sd * smooth_noise(subject, f"bias {contrast}", 24)[0] - _towards_the_rim(subject, mask))
    sigma = noise_percent / 100 * max(abs(signals[tissue]) for tissue in TISSUES_3T)
    image = add_rician(signal * bias, sigma, rng_for(subject, f"noise {contrast}"))
    if not stripped:
        return (image / image.max()).astype(np.float32)
    return np.where(mask, np.clip(image / np.percentile(image[mask], 99.5), 0, 1), 0).astype(np.float32)
