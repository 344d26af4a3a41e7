"""What learned synthesis trains on: slices of scans, in pairs of one person or, unpaired, of two people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mrbench.space.position import position_in
from mrbench.tasks.synthesis import Scan, TrainingScans
from mrbench_methods.slices import across

SMALLEST = 32
"""Side in pixels of the smallest slice that a patch discriminator is shown."""

RIGHT = 2
"""Which of the maps rises from left to right."""

POSITION_SCALE = np.array([1 / 80, 1 / 80, 1 / 80, 1 / 20], np.float32)[:, None, None, None]
"""Per mm: brings position and depth in a brain to about -1 to 1."""


def position_maps(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Position and depth of each voxel, ``(4, z, y, x)``, as networks see them."""
    return position_in(mask, spacing) * POSITION_SCALE


def crop(
    scan: Scan,
    names: Sequence[str],
    *,
    maps: np.ndarray | None = None,
    axis: int,
    context: int,
    sides: Sequence[int],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Cut the same block out of contrasts and mask, around a random voxel of the brain.

    Parameters
    ----------
    scan : Scan
        What is cut.
    names : sequence of str
        Contrasts to cut.
    maps : ndarray, shape ``(map, z, y, x)``, optional
        `position_maps`; they give their middle slice, ``(map, y, x)``.
    axis : int
        Across which the slice is cut.
    context : int
        Slices on either side that come with it.
    sides : sequence of int
        In voxels, order ``(z, y, x)``, at most those of the scan; across ``axis``, ``2 context + 1`` counts instead.
    rng : np.random.Generator
        Where the place comes from.

    Returns
    -------
    dict of str to ndarray
        ``(2 context + 1, y, x)`` across the axis, mirrored left to right every second time.
    """
    size = [2 * context + 1 if number == axis else side for number, side in enumerate(sides)]
    middle = np.unravel_index(scan.brain[rng.integers(len(scan.brain))], scan.mask.shape)
    first = [int(np.clip(m - s // 2, 0, n - s)) for m, s, n in zip(middle, size, scan.mask.shape, strict=True)]
    part = tuple(slice(a, a + s) for a, s in zip(first, size, strict=True))
    arrays: Mapping[str, np.ndarray] = {**{name: scan.images[name] for name in names}, "mask": scan.mask}
    step = -1 if rng.random() < 0.5 else 1
    cut = {name: across(array[part][..., ::step], axis) for name, array in arrays.items()}
    if maps is not None:
        cut["maps"] = np.stack([across(array[part][..., ::step], axis)[context] for array in maps])
        cut["maps"][RIGHT] *= step  # the brain is mirrored, its left and right stay where they are
    return cut


def filled(slices: np.ndarray, stride: int) -> np.ndarray:
    """Slices ``(..., y, x)`` with zeros at the end, up to sides that are multiples of ``stride``, 32 at the least."""
    margin = [max(SMALLEST, -(-side // stride) * stride) - side for side in slices.shape[-2:]]
    return np.pad(slices, [*[(0, 0)] * (slices.ndim - 2), *((0, more) for more in margin)])


def unpaired_scans(examples: TrainingScans, rng: np.random.Generator) -> tuple[Scan, Scan]:
    """Draw two people: one gives the first contrast, the other the second, so that no pair can leak.

    Raises
    ------
    ValueError
        If there is one person only.
    """
    if len(examples.scans) < 2:
        raise ValueError("unpaired training needs two train subjects at the least")
    first, second = rng.choice(len(examples.scans), 2, replace=False)
    return examples.scans[int(first)], examples.scans[int(second)]
