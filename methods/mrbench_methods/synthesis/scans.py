"""What learned synthesis trains on: slices of scans, in pairs of one person or, unpaired, of two people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mrbench.data.position import position_in
from mrbench.tasks.synthesis import Scan, TrainingScans
from mrbench_methods.slices import across

FEWEST = 0.1
"""Share of a crop that must be brain."""

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
    side: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Cut the same block out of contrasts and mask: ``(2 context + 1, y, x)`` across an axis, sides at most ``side``.

    Mirrored left to right every second time. ``maps``, ``(map, z, y, x)``, give their middle slice, ``(map, y, x)``.
    """
    shape = scan.mask.shape
    wanted = [side] * 3
    wanted[axis] = 2 * context + 1
    size = [min(a, n) for a, n in zip(wanted, shape, strict=True)]
    while True:
        first = [int(rng.integers(n - s + 1)) for n, s in zip(shape, size, strict=True)]
        part = tuple(slice(a, a + s) for a, s in zip(first, size, strict=True))
        if scan.mask[part].mean() > FEWEST:
            break
    arrays: Mapping[str, np.ndarray] = {**{name: scan.images[name] for name in names}, "mask": scan.mask}
    step = -1 if rng.random() < 0.5 else 1
    cut = {name: across(array[part][..., ::step], axis) for name, array in arrays.items()}
    if maps is not None:
        cut["maps"] = np.stack([across(array[part][..., ::step], axis)[context] for array in maps])
    return cut


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
