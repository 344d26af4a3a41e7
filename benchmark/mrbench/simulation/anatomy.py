"""Structures of the ICBM template: tissue maps cut up by simple regions in MNI space.

The template comes without a label map that may be redistributed. These regions (ellipsoids and boxes read
off the tissue maps, mirrored left and right) are good enough to measure overlap of simulated anatomies,
which share them exactly; they are not an anatomical reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from mrbench.simulation.cortex import folded
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

WHITE_SHARE = {"putamen": 0.25, "caudate": 0.15, "thalamus": 0.45, "pallidum": 0.7}
"""Of the grey matter in deep nuclei, how much is myelinated: their grey levels lie between those of cortex and white
matter. Chosen by eye beside real scans."""

BRAIN = 0.02
"""Of the template's T1: what its skull stripping has left."""


GREY_OF = {
    STRUCTURES[f"{side} {white}"][0]: STRUCTURES[f"{side} {grey}"][0]
    for side in "RL"
    for white, grey in (("cerebral white", "cortical grey"), ("cerebellar white", "cerebellar grey"))
}
"""Label of the grey matter that goes with a label of white matter."""


@lru_cache
def brain_box() -> tuple[tuple[slice, ...], tuple[float, float, float]]:
    """Where the brain lies in the 1 mm template, two voxels around it with it, and the MNI position of that corner."""
    volume, origin = template_1mm("t1")
    inside = volume > BRAIN
    box = []
    for axis, size in enumerate(volume.shape):
        where = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        box.append(slice(max(int(where[0]) - 2, 0), min(int(where[-1]) + 3, size)))
    z, y, x = (start + part.start for start, part in zip(origin, box, strict=True))
    return tuple(box), (z, y, x)


def _map(kind: str) -> np.ndarray:
    return template_1mm(kind)[0][brain_box()[0]]


@lru_cache
def brain_mask() -> np.ndarray:
    """Brain and the CSF around it, as the template was stripped; bool at 1 mm, inside `brain_box`."""
    return _map("t1") > BRAIN


@lru_cache
def _average() -> dict[str, np.ndarray]:
    """Tissue fractions of the population average, sharpened: probabilities are cubed and renormalised.

    What is brain but neither grey nor white is CSF.
    """
    brain, grey, white = brain_mask(), _map("gm"), _map("wm")
    cubes = {
        name: part * part * part
        for name, part in (("csf", np.clip(1 - grey - white, 0, 1)), ("gm", grey), ("wm", white))
    }
    total = np.maximum(sum(cubes.values()), 1e-6)
    return {name: np.where(brain, cube / total, 0).astype(np.float32) for name, cube in cubes.items()}


@lru_cache
def tissue_fractions() -> dict[str, np.ndarray]:
    """Tissue fractions at 1 mm: the deep structures of the average, and a cortex with sulci (`folded`).

    Returns
    -------
    dict of ndarray
        ``csf``, ``gm``, ``wm``: float32, inside `brain_box`, summing to 1 in the brain and 0 outside.
    """
    from scipy.ndimage import binary_dilation

    places, average = regions(), dict(_average())
    for name, share in WHITE_SHARE.items():
        moved = share * average["gm"] * np.isin(places, [STRUCTURES[whole][0] for whole in STRUCTURES if name in whole])
        average |= {"gm": average["gm"] - moved, "wm": average["wm"] + moved}
    cerebellum = np.isin(places, [STRUCTURES[f"{side} cerebellar white"][0] for side in "RL"])
    cerebrum = np.isin(places, [0, *(STRUCTURES[f"{side} cerebral white"][0] for side in "RL")])
    return folded(average, brain_mask(), binary_dilation(~cerebrum, iterations=3), cerebellum)


@lru_cache
def regions() -> np.ndarray:
    """Places of `STRUCTURES` at 1 mm, int16, inside `brain_box`; `labelled` makes labels of them.

    Deep structures have their label. The rest of cerebrum and cerebellum has that of its white matter.
    """
    average, brain = _average(), brain_mask()
    tissue = np.argmax([average[name] for name in ("csf", "gm", "wm")], axis=0)
    csf, gm, wm = ((tissue == i) & brain for i in range(3))
    solid = gm | wm
    mixed = solid & (_map("gm") > 0.2)
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
        "cerebral white": brain,
        "cerebellar white": brain & cerebellum,
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
    places = np.zeros(tissue.shape, np.int16)
    for name, region in paired.items():
        places[region & right] = STRUCTURES[f"R {name}"][0]
        places[region & ~right] = STRUCTURES[f"L {name}"][0]
    for name, region in midline.items():
        places[region] = STRUCTURES[name][0]
    return places


def labelled(places: np.ndarray, fractions: Mapping[str, np.ndarray]) -> np.ndarray:
    """Label map of `STRUCTURES`, int16: of `regions`, grey and white matter are told apart by what fills the voxel."""
    csf, grey, white = (fractions[name] for name in ("csf", "gm", "wm"))
    labels = places.copy()
    for label, grey_label in GREY_OF.items():
        zone = places == label
        labels[zone & (grey > white)] = grey_label
        labels[zone & (csf >= np.maximum(grey, white))] = 0
    return labels


@lru_cache
def structure_labels() -> np.ndarray:
    """Label map of `STRUCTURES` at 1 mm, int16, inside `brain_box`."""
    return labelled(regions(), tissue_fractions())


def _positions_mm() -> list[np.ndarray]:
    axes = [np.arange(n, dtype=np.float32) + start for n, start in zip(brain_mask().shape, brain_box()[1], strict=True)]
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
