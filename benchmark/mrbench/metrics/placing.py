"""How an image may lie on its grid: its axes exchanged, mirrored, moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import numpy as np

NEAR = 2
"""Voxels up to which an image is moved by voxels; beyond, by half its size."""


@dataclass(frozen=True)
class Placing:
    """What to do to an image that lies wrongly: reorder its axes, then mirror, then roll.

    Attributes
    ----------
    order : tuple of int
        Axes, as ``numpy.transpose`` takes them.
    mirrored : tuple of int
        Axes of the result.
    moved : tuple of int
        Voxels along each axis of the result, as ``numpy.roll`` takes them.
    """

    order: tuple[int, ...]
    mirrored: tuple[int, ...] = ()
    moved: tuple[int, ...] = ()

    @classmethod
    def upright(cls, dimensions: int) -> Placing:
        """Nothing to do."""
        return cls(tuple(range(dimensions)), (), (0,) * dimensions)

    @property
    def inverse(self) -> Placing:
        """What undoes it: the mistake itself."""
        order = tuple(int(axis) for axis in np.argsort(self.order))
        mirrored = tuple(axis for axis, source in enumerate(order) if source in self.mirrored)
        moved = tuple(self.moved[axis] * (1 if axis in self.mirrored else -1) for axis in order)
        return Placing(order, mirrored, moved)

    def applied(self, image: np.ndarray) -> np.ndarray:
        """The image with its axes set right."""
        turned = np.flip(np.transpose(image, self.order), self.mirrored)
        return np.roll(turned, self.moved, tuple(range(image.ndim)))

    def sources(self, shape: Sequence[int], points: np.ndarray) -> list[np.ndarray]:
        """Where voxels of the result come from.

        Parameters
        ----------
        shape : sequence of int
            Of the result.
        points : ndarray of int, shape ``(dimension, n)``
            Voxels of the result.

        Returns
        -------
        list of ndarray, one an axis of the image
        """
        sources = [points[0]] * len(shape)
        for axis, (source, size) in enumerate(zip(self.order, shape, strict=True)):
            places = points[axis]
            if self.moved[axis]:
                places = (places - self.moved[axis]) % size
            sources[source] = size - 1 - places if axis in self.mirrored else places
        return sources

    def words(self, names: Sequence[str], shape: Sequence[int]) -> str:
        """What is done, in words; ``names`` are those of the axes."""
        said = []
        exchanged = [axis for axis, source in enumerate(self.order) if axis != source]
        if len(exchanged) == 2:
            said.append(f"with {_listed([names[axis] for axis in exchanged])} exchanged")
        elif exchanged:
            said.append(f"with its axes taken as ({', '.join(names[axis] for axis in np.argsort(self.order))})")
        if self.mirrored:
            said.append(f"mirrored along {_listed([names[axis] for axis in self.mirrored])}")
        far = [axis for axis, step in enumerate(self.moved) if abs(step) > NEAR]
        if far:
            sizes = " and ".join(f"{self.moved[axis]} of {shape[axis]} voxels along {names[axis]}" for axis in far)
            said.append(f"moved by half its size ({sizes}: a Fourier transform without its shifts)")
        near = [(step, names[axis]) for axis, step in enumerate(self.moved) if 0 < abs(step) <= NEAR]
        said += [f"moved by {step:+d} voxel along {name}" for step, name in near]
        return ", ".join(said)


def orientations(shape: Sequence[int], exchangeable: Sequence[int] | None = None) -> Iterator[Placing]:
    """Every way to turn an image over that keeps its shape, upright first.

    Parameters
    ----------
    shape : sequence of int
        Of the image.
    exchangeable : sequence of int, optional
        Axes that may be exchanged for each other; all by default.
    """
    upright = Placing.upright(len(shape))
    free = upright.order if exchangeable is None else exchangeable
    wide = [axis for axis, size in enumerate(shape) if size > 1]
    flips = [chosen for count in range(len(wide) + 1) for chosen in combinations(wide, count)]
    for order in permutations(upright.order):
        changed = [axis for axis in upright.order if order[axis] != axis]
        if all(axis in free and shape[order[axis]] == shape[axis] for axis in changed):
            yield from (replace(upright, order=order, mirrored=mirrored) for mirrored in flips)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
