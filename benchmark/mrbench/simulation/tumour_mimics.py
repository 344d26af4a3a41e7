"""What looks like a part of a tumour in one contrast and is none: white-matter lesions, vessels, choroid plexus."""

from __future__ import annotations

import numpy as np

from mrbench.core.random import rng_for
from mrbench.simulation.anatomy import STRUCTURES
from mrbench.simulation.fields import smooth_noise
from mrbench.simulation.lesions import lesions

CAPS, SPOTS = 0.7, 0.5
"""Shares of people with periventricular caps and with spots of white-matter hyperintensity: most of the elderly have
some (de Leeuw et al., JNNP 2001)."""

VENTRICLES = STRUCTURES["R lateral ventricle"] + STRUCTURES["L lateral ventricle"]


def mimics(subject: str, healthy: dict[str, np.ndarray], structures: np.ndarray) -> dict[str, np.ndarray]:
    """Fractions of white-matter lesion and of enhancing vessel in a healthy anatomy."""
    ventricles = np.isin(structures, VENTRICLES)
    return {
        "lesion": white_matter_hyperintensity(subject, healthy["wm"], ventricles),
        "vessel": vessels(subject, healthy["csf"], ventricles),
    }


def white_matter_hyperintensity(subject: str, white: np.ndarray, ventricles: np.ndarray) -> np.ndarray:
    """Caps around the lateral ventricles, and spots; bright in T2 and FLAIR as oedema is (Fazekas et al., AJR 1987)."""
    from scipy.ndimage import distance_transform_edt

    rng = rng_for(subject, "white-matter hyperintensity")
    lesion = np.zeros_like(white)
    if rng.random() < CAPS:
        reach = rng.uniform(1, 4) * (1 + 0.5 * smooth_noise(subject, "caps", 4.0)[0])
        lesion = np.clip(reach - distance_transform_edt(~ventricles) + 1, 0, 1).astype(np.float32) * white
        lesion *= rng.uniform(0.6, 1)
    if rng.random() < SPOTS:
        lesion = np.maximum(lesion, lesions(rng, white))
    return lesion


def vessels(subject: str, fluid: np.ndarray, ventricles: np.ndarray) -> np.ndarray:
    """Curved tubes in the fluid around the brain, and choroid plexus in the ventricles: no blood-brain barrier."""
    # two random surfaces meet in random curves
    across = np.hypot(*smooth_noise(subject, "vessels", 4.0, components=2))
    tubes = np.clip(1.4 - 5 * across, 0, 1)
    plexus = np.clip(2 * smooth_noise(subject, "choroid plexus", 1.5)[0] - 1.5, 0, 1)
    return fluid * np.where(ventricles, plexus, tubes)
