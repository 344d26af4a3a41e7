"""The search for mistaken axes: each mistake is named, and nothing honest is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from mrbench.metrics.axes import POINTS, AxesSearch
from mrbench.metrics.placing import Placing, orientations

CUBE = (28, 28, 28)
BOX = (24, 30, 28)


def head(shape: tuple[int, ...] = CUBE, seed: int = 0) -> np.ndarray:
    """Texture of a few voxels in an ellipsoid of halves that differ."""
    texture = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.5)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    inside = sum(((axis - 0.05) / 0.85) ** 2 for axis in grid) < 1
    return (inside * (1 + texture / texture.std() / 3)).astype(np.float32)


def noisy(image: np.ndarray, sd: float, seed: int = 1) -> np.ndarray:
    return (image + sd * np.random.default_rng(seed).standard_normal(image.shape)).astype(np.float32)


@pytest.mark.parametrize("shape", [(5, 5, 5), (4, 5, 4), (3, 6)])
def test_what_is_read_is_what_is_applied_and_undone(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).standard_normal(shape)
    points = np.indices(shape).reshape(len(shape), -1)
    for number, turned in enumerate(orientations(shape)):
        placing = Placing(turned.order, turned.mirrored, tuple((number + axis) % 3 for axis in range(len(shape))))
        placed = placing.applied(image)
        assert np.array_equal(image[tuple(placing.sources(shape, points))].reshape(shape), placed)
        assert np.array_equal(placing.inverse.applied(placed), image)
    assert number + 1 == {(5, 5, 5): 48, (4, 5, 4): 16, (3, 6): 4}[shape]


@pytest.mark.parametrize("quality", [lambda q: q, lambda q: noisy(q, 0.3), lambda q: gaussian_filter(q, 1)])
@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda p: np.flip(p, 0), "mirrored along z:"),
        (lambda p: np.flip(p, (1, 2)), "mirrored along y and x:"),
        (lambda p: np.swapaxes(p, 0, 2), "with z and x exchanged:"),
        (lambda p: np.transpose(p, (1, 2, 0)), "with its axes taken as (y, z"),
        (lambda p: np.rot90(p, axes=(1, 2)), "with y and x exchanged, mirrored along"),
        (lambda p: np.roll(p, 1, 1), "moved by -1 voxel along y:"),
        (lambda p: np.roll(p, -2, 2), "moved by +2 voxel along x:"),
        (lambda p: np.roll(p, 14, 2), "moved by half its size (14 of 28 voxels along x"),
        (lambda p: 255 * np.flip(p, 2), "mirrored along x:"),
    ],
)
def test_a_mistake_is_named_whatever_the_quality_and_the_units(mistake, words: str, quality) -> None:
    target = head()
    returned = np.ascontiguousarray(mistake(quality(target)), np.float32)
    search = AxesSearch(target, returned, names="zyx")
    words = words if "taken as" not in words else "with its axes taken as ("
    assert words in search.warning("the volume")
    assert np.allclose(
        search.mistake.applied(returned),
        mistake(quality(target)).max() / quality(target).max() * quality(target),
        atol=1e-3,
    )


HONEST: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda t: t,
    lambda t: gaussian_filter(t, 3),
    lambda t: noisy(t, 1),
    lambda t: noisy(0 * t, 1),
    lambda t: 0 * t + 1,
    lambda t: (t > 0).astype(np.float32),
    lambda t: -t,
    lambda t: (t > 0) * (2 - t),
    lambda t: np.maximum(t, t[:, :, ::-1]),  # ghosts
    lambda t: t + np.roll(t, 14, 1),
    lambda t: shift(t, (0, 0.5, 0), order=1),
    lambda t: head(seed=5),
]


@pytest.mark.parametrize("kind", ["correlation", "information"])
@pytest.mark.parametrize("number", range(len(HONEST)))
def test_nothing_honest_is_warned_of(number: int, kind) -> None:
    target = head()
    returned = np.ascontiguousarray(HONEST[number](target), np.float32)
    assert AxesSearch(target, returned, names="zyx", region=target > 0, kind=kind).mistake is None


def test_an_inverted_contrast_needs_information() -> None:
    """Of the source as it is: correlation tells nothing, information tells how it lies."""
    target = head()
    mirrored = np.ascontiguousarray(((target > 0) * (2 - target))[:, ::-1])
    tried = {
        k: AxesSearch(target, mirrored, names="zyx", region=target > 0, kind=k) for k in ("correlation", "information")
    }
    assert tried["correlation"].mistake is None
    assert "mirrored along y: bits of mutual information" in tried["information"].warning("the image")


def test_edges_of_a_wrong_contrast_are_no_move() -> None:
    """Fine detail of the opposite sign fits better moved to either side."""
    target = head()
    coarse = gaussian_filter(target, 2)
    wrong = (coarse - 0.4 * (target - coarse)).astype(np.float32)
    search = AxesSearch(target, wrong, names="zyx", region=target > 0)
    assert search.best[0] != search.upright and search.mistake is None


def test_what_cannot_be_told_is_said_with_its_reason() -> None:
    even = np.indices(BOX)[0] + np.abs(np.linspace(-1, 1, BOX[2])) * 9
    looks = AxesSearch(even, noisy(even, 0.1), names="zyx").looks("the volume")
    said = {f"{look.asked} {look.unable}".strip() for look in looks}
    assert "No axis is mirrored: z." in said
    assert "Mirrored axes cannot be told: y, x. the reference looks the same either way." in said
    refused = "their sizes differ, so that such a prediction is refused for its shape."
    assert f"Exchanged axes cannot be told: z and y, z and x, y and x. {refused}" in said
    assert not any(look.warning for look in looks)


@pytest.mark.parametrize(
    ("target", "returned", "reason"),
    [
        (head(), 0 * head(), "the volume is the same everywhere."),
        (head(), noisy(0 * head(), 1), "the volume resembles the reference too little: correlation 0."),
        (0 * head(), head(), "resembles the reference too little"),
    ],
)
def test_what_resembles_nothing_is_said(target: np.ndarray, returned: np.ndarray, reason: str) -> None:
    looks = AxesSearch(target, returned, names="zyx").looks("the volume")
    assert len(looks) == 4 and all(reason in look.unable and not look.warning for look in looks)


def test_of_a_poor_image_nobody_tells_whether_it_lies_off_by_a_voxel() -> None:
    """A blurred, honest one fitted a little better to some side, and a doctor accused it."""
    texture = np.random.default_rng(3).standard_normal(CUBE).astype(np.float32)
    search = AxesSearch(gaussian_filter(texture, 1), np.roll(gaussian_filter(texture, 2), 1, 0), names="zyx")
    assert search.likeness.least < search.best[1] < search.least_moved and search.mistake is None
    (moved,) = [look for look in search.looks("the volume") if look.name == "moved by voxels"]
    assert "0.8 is needed" in moved.unable and not moved.warning


def test_masks_are_told_by_their_overlap() -> None:
    mask = np.zeros(CUBE, bool)
    mask[3:10, 4:12, 15:20] = True
    search = AxesSearch(mask, mask[:, :, ::-1].copy(), names="zyx", kind="overlap")
    assert "mirrored along x: overlap 1.000 instead of 0.000" in search.warning("the label map")
    assert AxesSearch(mask, mask, names="zyx", kind="overlap").mistake is None
    poor = mask & (np.indices(CUBE)[0] < 7)
    assert AxesSearch(mask, poor, names="zyx", kind="overlap", least_moved=0.85).mistake is None
    empty = AxesSearch(0 * mask, mask, names="zyx", kind="overlap").looks("the label map")
    assert all(look.unable == "the reference is empty." for look in empty)
    missed = AxesSearch(mask, 0 * mask, names="zyx", kind="overlap").looks("the label map")
    assert all(look.unable == "the label map is the same everywhere." for look in missed)


def test_few_voxels_are_compared_whatever_the_size() -> None:
    large = np.zeros((160, 160, 120), np.float32)
    assert POINTS / 4 < AxesSearch(large, large, names="zyx").points.shape[1] <= POINTS
