"""Conventions of displacement fields: the ways in which the numbers of one can be meant, and which one fits.

Registration tools agree on nothing: ITK writes mm along left, posterior and superior, x first; Learn2Reg voxels in the
order of the array; some push where others pull. All combinations are tried together, because mistakes come together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Literal

import numpy as np

from mrbench.metrics.placing import orientations

POINTS = 20_000
"""Labelled voxels, at most, on which a field that is turned over is tried."""

GAIN = 0.02
"""Share of labels by which a field must fit better than no motion before a convention is named."""

CLEAR = 0.8
"""Share of the best gain over no motion that another reading must stay below for the best one to be clear."""

INVERSIONS = 8
"""Fixed-point steps by which a pushing field is turned into one that pulls."""


@dataclass(frozen=True)
class Convention:
    """One way in which the three numbers of a voxel are meant.

    Attributes
    ----------
    unit : {"voxel", "mm"}
    order : {"zyx", "xyz"}
        Of the components.
    axes : {"ras", "lps"}
        Whether x grows to the right and y to the front, or x to the left and y to the back.
    direction : {"pull", "push"}
        ``warped(p) = moving(p + u(p))``, or the field lies on the moving image and says where its voxels go.
    """

    unit: Literal["voxel", "mm"] = "voxel"
    order: Literal["zyx", "xyz"] = "zyx"
    axes: Literal["ras", "lps"] = "ras"
    direction: Literal["pull", "push"] = "pull"

    def __str__(self) -> str:
        return f"{self.unit}-{self.order}-{self.axes}-{self.direction}"

    @property
    def changes(self) -> str:
        """In words, what is other than in mrbench's own convention."""
        words = [
            "in millimetres" if self.unit == "mm" else "",
            "with components in the order (x, y, z)" if self.order == "xyz" else "",
            "with axes to the left and the back (LPS)" if self.axes == "lps" else "",
            "from moving to fixed (push)" if self.direction == "push" else "",
        ]
        return ", ".join(word for word in words if word) or "as voxels (z, y, x) of the fixed grid, pull-back"

    def to_voxels(self, field: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
        """Read a field that is meant in this convention.

        Parameters
        ----------
        field : ndarray, shape ``(3, z, y, x)``
            On a RAS+ grid.
        spacing : sequence of float
            mm, order ``(z, y, x)``.

        Returns
        -------
        ndarray of float32, shape ``(3, z, y, x)``
            Voxels, pull-back, components ``(z, y, x)``.
        """
        pulled = self._ordered(np.asarray(field, np.float64), spacing)
        if self.direction == "push":
            pulled = inverse(pulled)
        return np.ascontiguousarray(pulled, np.float32)

    def from_voxels(self, field: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
        """Write a field of mrbench's own convention in this one; the inverse of `to_voxels`. float64."""
        converted = (
            inverse(np.asarray(field, np.float64)) if self.direction == "push" else np.asarray(field, np.float64)
        )
        factors = np.asarray(_signs(self.axes)) * (np.asarray(spacing) if self.unit == "mm" else 1.0)
        converted = converted * factors[:, None, None, None]
        return np.ascontiguousarray(converted[::-1] if self.order == "xyz" else converted)

    def _ordered(self, field: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
        ordered = field[::-1] if self.order == "xyz" else field
        factors = np.asarray(_signs(self.axes)) / (np.asarray(spacing) if self.unit == "mm" else 1.0)
        return ordered * factors.reshape(3, *[1] * (field.ndim - 1))


def _signs(axes: str) -> tuple[float, float, float]:
    return (1.0, -1.0, -1.0) if axes == "lps" else (1.0, 1.0, 1.0)


OURS = Convention()

CONVENTIONS: Mapping[str, Convention] = {
    str(convention): convention
    for convention in (
        Convention(unit, order, axes, direction)  # type: ignore[arg-type]
        for direction, axes, order, unit in product(("pull", "push"), ("ras", "lps"), ("zyx", "xyz"), ("voxel", "mm"))
    )
}
"""All of them by name, mrbench's own first."""


def inverse(field: np.ndarray) -> np.ndarray:
    """Turn a field that pushes into one that pulls, or back, by fixed-point iteration.

    Parameters
    ----------
    field : ndarray of float64, shape ``(3, z, y, x)``
        Voxels.

    References
    ----------
    Chen et al., A simple fixed-point approach to invert a deformation field, Med. Phys. 2008.
    """
    from scipy.ndimage import map_coordinates

    grid = np.indices(field.shape[1:], dtype=np.float64)
    inverted = np.zeros_like(field)
    for _ in range(INVERSIONS):
        inverted = -np.stack([map_coordinates(part, grid + inverted, order=1, mode="nearest") for part in field])
    return inverted


@dataclass(frozen=True)
class Pair:
    """What fields are tried on: two images and their labels on one grid ``(z, y, x)``, spacing in mm."""

    fixed: np.ndarray
    moving: np.ndarray
    fixed_labels: np.ndarray
    moving_labels: np.ndarray
    spacing: Sequence[float]


@dataclass(frozen=True)
class Fit:
    """How well a field fits on a sample of voxels: share of equal labels, correlation of intensities."""

    labels: float
    images: float


@dataclass(frozen=True)
class Fits:
    """How well a field fits in each convention, and without any motion.

    Attributes
    ----------
    still : Fit
    by_name : mapping of str to Fit
    """

    still: Fit
    by_name: Mapping[str, Fit]

    @property
    def best(self) -> Convention:
        """The convention in which most labels agree; of equals the one nearest to mrbench's own."""
        return CONVENTIONS[max(self.by_name, key=lambda name: round(self.by_name[name].labels, 6))]

    def gain(self, convention: Convention) -> float:
        """Share of labels that a reading brings together beyond those that agree without motion."""
        return self.gained(str(convention))

    def gained(self, name: str) -> float:
        """The same of a name in ``by_name``, which may hold more than the conventions."""
        return self.by_name[name].labels - self.still.labels

    def beats(self, convention: Convention, other: Convention) -> bool:
        """Whether a reading is clearly right where another is clearly wrong, by labels and images.

        A poor field may gain from any change; a mistaken convention, once mended, also beats no motion.
        """
        return self.beats_named(str(convention), str(other))

    def beats_named(self, name: str, other: str) -> bool:
        """The same of two names in ``by_name``."""
        first, second = self.by_name[name], self.by_name[other]
        gained = self.gained(name)
        apart = first.labels - second.labels > GAIN
        labels = gained > GAIN and apart and second.labels - self.still.labels < CLEAR * gained
        return labels and first.images > max(second.images, self.still.images)

    @property
    def clear(self) -> bool:
        """Whether the best reading brings labels together, and every reading that differs clearly less."""
        best = self.by_name[str(self.best)]
        rivals = [name for name, fit in self.by_name.items() if fit != best]
        return self.gain(self.best) > GAIN and all(self.beats(self.best, CONVENTIONS[name]) for name in rivals)


def fits(field: np.ndarray, pair: Pair, *, step: int = 3) -> Fits:
    """Read a field in every convention and measure how well it then brings the pair together.

    Parameters
    ----------
    field : ndarray, shape ``(3, z, y, x)``
        As it was returned or stored.
    pair : Pair
        Images of the case that the field is of.
    step : int
        Every how many voxels of the labelled region are tried.
    """
    sample = _sampled(pair, step)
    by_name = {
        name: sample.fit(_displacement(field, convention, pair.spacing, sample.places))
        for name, convention in CONVENTIONS.items()
    }
    return Fits(sample.still, by_name)


def turned_fits(field: np.ndarray, pair: Pair, *, step: int = 3) -> Fits:
    """Turn a field of mrbench's own convention over and measure how well it then brings the pair together.

    Parameters
    ----------
    field : ndarray, shape ``(3, z, y, x)``
        As it was returned or stored.
    pair : Pair
        Images of the case that the field is of.
    step : int
        Every how many voxels of the labelled region are tried; more where they are many.

    Returns
    -------
    Fits
        By what is done to the field, in words: its grid alone is turned over, or its components with it, as where the
        images were turned over. As it lies by the name of `OURS`.
    """
    sample = _sampled(pair, step, POINTS)
    by_name = {str(OURS): sample.fit(_at(field, sample.places))}
    for placing in islice(orientations(pair.fixed.shape), 1, None):
        words = placing.words("zyx", pair.fixed.shape)
        alone = _at(field, np.stack(placing.sources(pair.fixed.shape, sample.places)))
        signs = np.array([[-1.0 if axis in placing.mirrored else 1.0] for axis in range(3)])
        by_name[f"{words}, its grid alone"] = sample.fit(alone)
        by_name[f"{words}, components and all"] = sample.fit(signs * alone[list(placing.order)])
    return Fits(sample.still, by_name)


def _sampled(pair: Pair, step: int, most: int | None = None) -> _Sample:
    """Labelled voxels of the fixed image, at most so many."""
    every = (slice(None, None, step),) * 3
    fixed = pair.fixed_labels[every]
    inside = fixed > 0
    if not inside.any():
        every, fixed = (slice(None),) * 3, pair.fixed_labels
        inside = fixed > 0
    places = np.indices(pair.fixed.shape, dtype=np.float64)[(slice(None), *every)][:, inside]
    fewer = slice(None, None, 1 if most is None else -(-places.shape[1] // most) or 1)
    return _Sample(pair, places[:, fewer], fixed[inside][fewer], pair.fixed[every][inside][fewer])


def mean(several: Sequence[Fits]) -> Fits:
    """The mean over cases."""

    def averaged(parts: Sequence[Fit]) -> Fit:
        return Fit(float(np.mean([p.labels for p in parts])), float(np.mean([p.images for p in parts])))

    still = averaged([one.still for one in several])
    return Fits(still, {name: averaged([one.by_name[name] for one in several]) for name in CONVENTIONS})


@dataclass(frozen=True)
class _Sample:
    pair: Pair
    places: np.ndarray
    labels: np.ndarray
    intensities: np.ndarray

    @property
    def still(self) -> Fit:
        """Without any motion."""
        return self.fit(np.zeros_like(self.places))

    def fit(self, displacement: np.ndarray) -> Fit:
        source = _nearest(self.places + displacement, self.pair.moving.shape)
        moved = self.pair.moving[source]
        known = moved.std() > 0 and self.intensities.std() > 0
        correlation = float(np.corrcoef(moved, self.intensities)[0, 1]) if known else 0.0
        return Fit(float(np.mean(self.pair.moving_labels[source] == self.labels)), correlation)


def _displacement(
    field: np.ndarray, convention: Convention, spacing: Sequence[float], places: np.ndarray
) -> np.ndarray:
    """What a convention says at some places ``(3, n)``; a pushing field is inverted there alone, to the voxel."""
    if convention.direction == "pull":
        return convention._ordered(_at(field, places), spacing)
    inverted = np.zeros_like(places)
    for _ in range(INVERSIONS):
        inverted = -convention._ordered(_at(field, places + inverted), spacing)
    return inverted


def _at(field: np.ndarray, places: np.ndarray) -> np.ndarray:
    z, y, x = _nearest(places, field.shape[1:])
    return field[:, z, y, x].astype(np.float64)


def _nearest(places: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    limit = np.asarray(shape)[:, None] - 1
    return tuple(np.clip(np.rint(np.nan_to_num(places)), 0, limit).astype(np.intp))
