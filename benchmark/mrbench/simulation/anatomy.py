"""Structures of the ICBM template: tissue maps cut up by simple regions in MNI space.

The template comes without a label map that may be redistributed. These regions (ellipsoids and boxes read
off the tissue maps, mirrored left and right) are good enough to measure overlap of simulated anatomies,
which share them exactly; they are not an anatomical reference.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mrbench.space.template import template_1mm

_PAIRED = (
    "lateral ventricle",
    "thalamus",
    "caudate",
    "putamen",
    "pallidum",
    "hippocampus",
    "amygdala",
    "cerebellar grey",
    "cerebellar white",
    "cortical grey",
    "cerebral white",
)
_MIDLINE = ("3rd ventricle", "4th ventricle", "brain stem", "corpus callosum")

STRUCTURES: dict[str, tuple[int, ...]] = {
    **{f"{side} {name}": (1 + 2 * i + j,) for i, name in enumerate(_PAIRED) for j, side in enumerate("RL")},
    **{name: (1 + 2 * len(_PAIRED) + i,) for i, name in enumerate(_MIDLINE)},
}
"""26 structures: 11 by side and 4 on the midline. CSF outside the ventricles is not one."""


@lru_cache
def tissue_fractions() -> dict[str, np.ndarray]:
    """Tissue fractions at 1 mm, sharpened from a population average towards one person.

    Probabilities are cubed and renormalised; what is brain but neither grey nor white is CSF.

    Returns
    -------
    dict of ndarray
        ``csf``, ``gm``, ``wm``: float32, shape (189, 233, 197), summing to 1 in the brain and 0 outside.
    """
    brain = brain_mask()
    grey, white = template_1mm("gm")[0], template_1mm("wm")[0]
    fractions = {"csf": np.clip(1 - grey - white, 0, 1), "gm": grey, "wm": white}
    cubes = {name: fraction**3 for name, fraction in fractions.items()}
    total = np.maximum(np.sum(list(cubes.values()), axis=0), 1e-6)
    return {name: np.where(brain, cube / total, 0).astype(np.float32) for name, cube in cubes.items()}


@lru_cache
def brain_mask() -> np.ndarray:
    """Brain and the CSF around it, as the template was stripped; bool at 1 mm."""
    return template_1mm("t1")[0] > 0.02


@lru_cache
def structure_labels() -> np.ndarray:
    """Label map of `STRUCTURES` at 1 mm, int16, shape (189, 233, 197)."""
    fractions = tissue_fractions()
    order = ("csf", "gm", "wm")
    tissue = np.argmax([fractions[name] for name in order], axis=0)
    csf, gm, wm = ((tissue == i) & brain_mask() for i in range(3))
    solid = gm | wm
    mixed = solid & (template_1mm("gm")[0] > 0.2)
    z, y, x = _positions_mm()
    side = np.abs(x)
    right = x >= 0

    cerebellum = _cerebellum(side, y, z)
    stem = (side < 18) & (y < -8) & (z < -8) & (y > -36 - 0.22 * (-10 - z)) & ~((side > 12) & (y < -34))
    ventricle = csf & (
        _box(side, y, z, (1, 26), (-25, 30), (13, 32))
        | _box(side, y, z, (8, 28), (-48, -25), (8, 32))
        | _box(side, y, z, (1, 18), (3, 30), (-4, 13))
        | _box(side, y, z, (17, 37), (-56, -34), (-4, 14))
    )
    paired = {
        "cerebral white": wm,
        "cortical grey": gm,
        "cerebellar grey": gm & cerebellum,
        "cerebellar white": wm & cerebellum,
        "hippocampus": gm & _ellipsoid(side, y, z, (27, -23, -13), (9, 17, 8)),
        "amygdala": gm & _ellipsoid(side, y, z, (23, -4, -19), (9, 7.5, 8)),
        "putamen": gm & _ellipsoid(side, y, z, (26, 2, 1), (8, 18, 12)),
        "pallidum": mixed & _ellipsoid(side, y, z, (18, -4, -1), (5.5, 8, 6)),
        "caudate": gm
        & (_ellipsoid(side, y, z, (12, 12, 6), (7, 12, 12)) | _ellipsoid(side, y, z, (16, 0, 19), (5, 16, 7))),
        "thalamus": mixed & _ellipsoid(side, y, z, (11, -18, 8), (10.5, 13, 9.5)),
        "lateral ventricle": ventricle,
    }
    midline = {
        "brain stem": solid & stem & ~cerebellum,
        "corpus callosum": wm & _box(side, y, z, (0, 8), (-46, 36), (-4, 34)),
        "3rd ventricle": csf & _box(side, y, z, (0, 5), (-24, 4), (-12, 11)),
        "4th ventricle": csf & _box(side, y, z, (0, 9), (-54, -34), (-46, -16)),
    }
    labels = np.zeros(tissue.shape, np.int16)
    for name, region in paired.items():
        labels[region & right] = STRUCTURES[f"R {name}"][0]
        labels[region & ~right] = STRUCTURES[f"L {name}"][0]
    for name, region in midline.items():
        labels[region] = STRUCTURES[name][0]
    return labels


def _positions_mm() -> list[np.ndarray]:
    volume, origin = template_1mm("t1")
    axes = [np.arange(size, dtype=np.float32) + start for size, start in zip(volume.shape, origin, strict=True)]
    return list(np.meshgrid(*axes, indexing="ij", sparse=True))


def _cerebellum(side: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Below the tentorium, which falls from the midline to both sides and backwards, and behind the stem."""
    roof = 2 - 0.75 * side - 0.6 * np.maximum(0, -60 - y)
    behind = y < -36 - 0.22 * (-10 - z) - 2
    return (z < roof) & (behind | ((side > 14) & (y < -36) & (z < -20)))


def _ellipsoid(
    side: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
) -> np.ndarray:
    """Ellipsoid mirrored left and right; centre and radii in mm, order (|x|, y, z)."""
    distance = np.zeros(())
    for axis, c, r in zip((side, y, z), centre, radii, strict=True):
        distance = distance + ((axis - c) / r) ** 2
    return distance <= 1


def _box(side: np.ndarray, y: np.ndarray, z: np.ndarray, *limits: tuple[float, float]) -> np.ndarray:
    """Box mirrored left and right; limits in mm, order (|x|, y, z)."""
    inside = np.ones((), bool)
    for axis, (low, high) in zip((side, y, z), limits, strict=True):
        inside = inside & (axis >= low) & (axis <= high)
    return inside
