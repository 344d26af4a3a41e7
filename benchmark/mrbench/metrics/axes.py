"""Mix-ups of the axes of a prediction: which placing fits better than the prediction as it lies.

All tasks whose predictions lie on a grid look with this one search. It tells how a prediction lies, not how good it
is: a mistake is named where undoing it gains what the truth itself would lose by it, which holds for poor predictions
as for good ones; an honest prediction, however poor, gains nothing by being turned over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import combinations, product
from typing import Literal

import numpy as np

from mrbench.core.look import Look, cannot_tell
from mrbench.metrics.likeness import Correlation, Information, Likeness, Overlap
from mrbench.metrics.placing import NEAR, Placing, orientations

POINTS = 20_000
"""Voxels that are compared, at most; they lie on a lattice, so that the time does not grow with the image."""

SMALLEST = 10
"""Voxels of an axis along which an image can lie off by half its size: fewer are moved by voxels."""

EITHER_WAY = 0.25
"""Of what moving a prediction gains, what moving it the other way may gain for it to be a mistake."""

Kind = Literal["correlation", "overlap", "information"]


class AxesSearch:
    """How a prediction fits its truth in every way in which axes are commonly mistaken.

    Parameters
    ----------
    target, prediction : ndarray, same shape
        The truth, and what is looked at.
    names : sequence of str
        Of the axes.
    region : ndarray of bool, the same shape, optional
        Voxels of the truth that count; all by default, and where it is empty.
    exchangeable : sequence of int, optional
        Axes that may be exchanged for each other; all by default.
    halves : sequence of int, optional
        Axes along which an image may lie off by half its size; all by default.
    kind : {"correlation", "overlap", "information"}
        How likeness is measured: of images, of masks, of images whose contrast may be another.
    least_moved : float, optional
        Likeness below which nothing is named that is only moved by voxels; default: that of the kind.
    """

    def __init__(
        self,
        target: np.ndarray,
        prediction: np.ndarray,
        *,
        names: Sequence[str],
        region: np.ndarray | None = None,
        exchangeable: Sequence[int] | None = None,
        halves: Sequence[int] | None = None,
        kind: Kind = "correlation",
        least_moved: float | None = None,
    ) -> None:
        self.target, self.prediction, self.names = target, prediction, tuple(names)
        self.shape, dimensions = target.shape, target.ndim
        self.exchangeable = tuple(range(dimensions) if exchangeable is None else exchangeable)
        self.halves = tuple(a for a in (range(dimensions) if halves is None else halves) if self.shape[a] >= SMALLEST)
        self.upright = Placing.upright(dimensions)
        counts = target > 0 if kind == "overlap" else region if region is not None and region.any() else None
        self.points = _lattice(counts, self.shape)
        self.likeness = self._likeness(kind)
        self.least_moved = self.likeness.least_moved if least_moved is None else least_moved

    def _likeness(self, kind: Kind) -> Likeness:
        true, returned = (image[tuple(self.points)] for image in (self.target, self.prediction))
        if kind == "overlap":
            return Overlap(int(np.count_nonzero(self.target)), int(np.count_nonzero(self.prediction)))
        return Correlation(true, returned) if kind == "correlation" else Information(true, returned)

    def fit(self, placing: Placing) -> float:
        """Likeness of the prediction to the truth, once it is placed so."""
        return self.likeness.of(self.prediction[tuple(placing.sources(self.shape, self.points))])

    def truth(self, placing: Placing) -> float:
        """Likeness of the truth to itself, mistaken so that it must be placed so: high where nobody could tell."""
        return self.likeness.of_truth(self.target[tuple(placing.inverse.sources(self.shape, self.points))])

    @cached_property
    def as_it_lies(self) -> float:
        """Fit of the prediction as it was returned."""
        return self.fit(self.upright)

    @cached_property
    def best(self) -> tuple[Placing, float]:
        """The placing that fits best, and its fit; as it lies where nothing fits better."""
        fits = {placing: self.fit(placing) for placing in self._coarse()}
        # of a nearly symmetric image that is moved, the mirrored one may fit before it is moved back
        for coarse in dict.fromkeys((self.upright, max(fits, key=fits.__getitem__))):
            fits |= {placing: self.fit(placing) for placing in self._near(coarse)}
        best = max(fits, key=fits.__getitem__)
        return (best, fits[best]) if fits[best] > self.as_it_lies else (self.upright, self.as_it_lies)

    @cached_property
    def mistake(self) -> Placing | None:
        """What to do to the prediction so that it lies right; None where it lies right or nobody can tell."""
        best, fit = self.best
        if best == self.upright:
            return None
        itself = self.likeness.of_prediction(self.prediction[tuple(best.inverse.sources(self.shape, self.points))])
        if not self.likeness.is_mistaken(fit, self.as_it_lies, max(self.truth(best), itself)):
            return None
        if _family(best) != "moved":
            return best
        # an honest image whose edges are of the wrong contrast fits better moved either way
        other_way = self.fit(replace(best, moved=tuple(-step for step in best.moved)))
        one_way = other_way - self.as_it_lies < EITHER_WAY * (fit - self.as_it_lies)
        return best if fit >= self.least_moved and one_way else None

    def warning(self, what: str) -> str:
        """The mistake in a sentence about ``what``, the prediction's name; empty where there is none."""
        if self.mistake is None:
            return ""
        return (
            f"{what} fits better {self.mistake.words(self.names, self.shape)}: {self.likeness.name} {self.best[1]:.3f} "
            f"instead of {self.as_it_lies:.3f}."
        )

    def looks(self, what: str) -> list[Look]:
        """What was looked for, and what could not be, each in a sentence; ``what`` is the prediction's name."""
        found, warning = _family(self.mistake) if self.mistake else "", self.warning(what)
        looks = []
        for family, (name, kept) in _FAMILIES.items():
            told, untold = self._told(family)
            blind = self._blind(what, self.least_moved if family == "moved" else self.likeness.least)
            if blind and family != found:
                looks.append(cannot_tell(Look(name, kept), blind))
                continue
            if told or family == found:
                looks.append(Look(name, f"{kept}: {', '.join(told)}.", warning if family == found else ""))
            for reason, where in untold.items():
                looks.append(Look(name, f"{name.capitalize()} cannot be told: {', '.join(where)}.", unable=reason))
        return looks

    def _blind(self, what: str, least: float) -> str:
        if not self.points.size:
            return "the reference is empty."
        fit = self.best[1]
        if fit >= least:
            return ""
        if (self.prediction == self.prediction.flat[0]).all():
            return f"{what} is the same everywhere."
        return f"{what} resembles the reference too little: {self.likeness.name} {fit:.2f}, and {least:g} is needed."

    def _told(self, family: str) -> tuple[list[str], dict[str, list[str]]]:
        """Mistakes of a family that can be told in this case; and those that cannot, by the reason."""
        told: list[str] = []
        untold: dict[str, list[str]] = {}
        for where, placing in self._typical(family):
            if placing is None:
                untold.setdefault("their sizes differ, so that such a prediction is refused for its shape.", []).append(
                    where
                )
            elif self.truth(placing) > self.likeness.symmetric:
                untold.setdefault("the reference looks the same either way.", []).append(where)
            else:
                told.append(where)
        return told, untold

    def _typical(self, family: str) -> Iterator[tuple[str, Placing | None]]:
        """Each simplest mistake of a family with its name; None where the shape forbids it."""
        wide = [axis for axis, size in enumerate(self.shape) if size > 1]
        if family == "exchanged":
            for pair in combinations([axis for axis in self.exchangeable if axis in wide], 2):
                first, second = pair
                order = list(self.upright.order)
                order[first], order[second] = second, first
                fits = self.shape[first] == self.shape[second]
                yield (
                    f"{self.names[first]} and {self.names[second]}",
                    (replace(self.upright, order=tuple(order)) if fits else None),
                )
        elif family == "mirrored":
            for axis in wide:
                yield self.names[axis], replace(self.upright, mirrored=(axis,))
        elif family == "halves":
            for axis in self.halves:
                yield self.names[axis], self._rolled(self.upright, {axis: self.shape[axis] // 2})
        else:
            for axis in wide:
                yield self.names[axis], self._rolled(self.upright, {axis: 1})

    def _coarse(self) -> Iterator[Placing]:
        """Every orientation that the shape allows, and half the size off along any axes, also turned about."""
        yield from orientations(self.shape, self.exchangeable)
        for count in range(1, len(self.halves) + 1):
            for chosen in combinations(self.halves, count):
                rolled = self._rolled(self.upright, {axis: self.shape[axis] // 2 for axis in chosen})
                yield rolled
                yield replace(rolled, mirrored=self.halves)  # the transform forwards instead of back

    def _near(self, placing: Placing) -> Iterator[Placing]:
        """The same, moved by up to two voxels along an axis; by one along several where it is mirrored or rolled.

        An even size mirrored about its zero frequency lies one voxel off, and halves of odd sizes differ by one.
        """
        for axis, size in enumerate(self.shape):
            for step in (-2, -1, 1, 2):
                if size > 2 * abs(step):
                    yield self._rolled(placing, {axis: step})
        changed = sorted({*placing.mirrored, *(axis for axis, step in enumerate(placing.moved) if step)})
        for steps in product((-1, 0, 1), repeat=len(changed)):
            if np.count_nonzero(steps) > 1:
                yield self._rolled(placing, dict(zip(changed, steps, strict=True)))

    def _rolled(self, placing: Placing, steps: dict[int, int]) -> Placing:
        return replace(placing, moved=tuple(step + steps.get(axis, 0) for axis, step in enumerate(placing.moved)))


_FAMILIES = {
    "mirrored": ("mirrored axes", "No axis is mirrored"),
    "exchanged": ("exchanged axes", "No axes are exchanged"),
    "halves": ("moved by half", "It does not lie off by half its size (Fourier transforms without their shifts)"),
    "moved": ("moved by voxels", "It does not lie off by a voxel or two"),
}
"""Kinds of mistakes: name, and what right predictions keep."""


def _family(placing: Placing) -> str:
    """The kind that a mistake is told as: the grossest thing about it."""
    if placing.order != tuple(sorted(placing.order)):
        return "exchanged"
    if any(abs(step) > NEAR for step in placing.moved):
        return "halves"
    return "mirrored" if placing.mirrored else "moved"


def _lattice(region: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Voxels of a region at equal steps along every axis, ``(dimension, n)``."""
    inside = np.broadcast_to(True, shape) if region is None else region
    count = int(np.prod(shape)) if region is None else int(np.count_nonzero(region))
    steps = [1] * len(shape)
    while count > POINTS * np.prod(steps):
        steps[int(np.argmax(np.divide(shape, steps)))] += 1  # the axis that is sampled most densely
    every = tuple(slice(None, None, step) for step in steps)
    points = np.stack(np.nonzero(inside[every])) * np.reshape(steps, (-1, 1))
    return points if points.size else np.stack(np.nonzero(inside))[:, :POINTS]
