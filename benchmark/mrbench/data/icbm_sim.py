"""`icbm-sim`: a simulated cohort that needs no download, with every truth known.

One person is the ICBM 2009a template under a random diffeomorphism of several scales, with tissue
parameters, bias field and noise of their own. Everything follows from the subject id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from mrbench.core.random import rng_for
from mrbench.data.dataset import Dataset, Subject
from mrbench.data.icbm_atlas import STRUCTURES, brain_mask, structure_labels, tissue_fractions
from mrbench.data.template import GRID_SHAPE, GRID_SPACING, grid_in_template, template_1mm
from mrbench.metrics.deformation import compose
from mrbench.physics.contrast import PATHOLOGY_3T, TISSUES_3T, Tissue, inversion_recovery, spin_echo
from mrbench.physics.noise import add_rician

SCALES = ((16.0, 2.0, 8), (6.0, 1.0, 2), (2.5, 0.6, 1))
"""Correlation length and amplitude (root mean square length) of the velocity, in voxels of 2 mm, and the grid
step it is drawn on. Two people then differ about as much as real ones do after affine alignment.

The longest moves lobes and ventricles, the shortest makes gyri differ between subjects."""

Signal = Callable[[Tissue], float]

CONTRASTS: dict[str, Signal] = {
    "T1": partial(inversion_recovery, inversion_time=900, repetition_time=2300),
    "T2": partial(spin_echo, echo_time=90, repetition_time=4000),
}

SQUARINGS = 5
NOISE_PERCENT = 2.0
BIAS_SD = 0.06
TISSUE_SD = 0.04
"""Of the logarithm of relaxation times, between people."""


class IcbmSim(Dataset):
    """Simulated T1 and T2 of 60 people at 2 mm, with 26 structures and the true deformation.

    ``truth`` holds ``to_template`` and ``from_template``: displacements in voxels of the 2 mm grid from
    the subject to the template and back, inverse to each other.
    """

    name = "icbm-sim"
    title = "simulated T1 and T2 of 60 people, 26 structures, true deformation known"
    simulated = True
    endless = True
    citation = "Fonov et al., NeuroImage 2011 (ICBM 152 2009a template, as packaged by nilearn); simulation by mrbench"
    licence = "ICBM template: permissive, see nilearn; simulation: Apache-2.0"
    preparation = 1
    structures = STRUCTURES
    noise_percent = NOISE_PERCENT

    def make(self, subject: str) -> Subject:
        velocity = random_velocity(subject)
        to_template, from_template = exponential(velocity), exponential(-velocity)
        fractions, mask, labels = anatomy(to_template)
        images = scans(subject, self.pathology(subject, fractions), mask, CONTRASTS, self.noise_percent)
        truth = {
            "to_template": to_template.astype(np.float16),
            "from_template": from_template.astype(np.float16),
        }
        return Subject(subject, images, mask, labels, GRID_SPACING, truth)

    def pathology(self, subject: str, fractions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Put diseased tissue in the place of healthy tissue: here there is none."""
        return fractions


def random_velocity(subject: str) -> np.ndarray:
    """Stationary velocity field of one person, in voxels, shape ``(3, 96, 112, 96)``."""
    total = np.zeros((3, *GRID_SHAPE), np.float32)
    for length, amplitude, step in SCALES:
        total += amplitude / np.sqrt(3) * smooth_noise(subject, f"velocity {length}", length, step, components=3)
    return total


def smooth_noise(subject: str, purpose: str, length: float, step: int, *, components: int = 1) -> np.ndarray:
    """Gaussian random field of unit SD, drawn on every ``step``-th voxel and interpolated.

    Returns
    -------
    ndarray of float32, shape ``(components, 96, 112, 96)``
    """
    from scipy.ndimage import gaussian_filter, zoom

    coarse = [size // step for size in GRID_SHAPE]
    noise = rng_for(subject, purpose).standard_normal((components, *coarse))
    sigma = length / step
    # wrapping keeps the variance the same everywhere; the unfiltered SD is 1, so this is the analytic one
    smooth = gaussian_filter(noise, (0, sigma, sigma, sigma), mode="wrap") * (2 * np.sqrt(np.pi) * sigma) ** 1.5
    if step > 1:
        smooth = np.stack([zoom(part, step, order=3, mode="grid-wrap", grid_mode=True) for part in smooth])
    return smooth.astype(np.float32)


def exponential(velocity: np.ndarray) -> np.ndarray:
    """Displacement of the flow of a stationary velocity, by scaling and squaring."""
    field = velocity / 2**SQUARINGS
    for _ in range(SQUARINGS):
        field = compose(field, field)
    return field


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
