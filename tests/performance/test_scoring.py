"""Ratios against named peers, measured in one run: `pytest tests/performance`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from monai.losses import LocalNormalizedCrossCorrelationLoss
from scipy.ndimage import gaussian_filter

from mrbench.core.case import Case
from mrbench.metrics.deformation import jacobian_determinant
from mrbench.metrics.overlap import dice_per_label
from mrbench.tasks.registration import Registration, RegistrationInputs, RegistrationReference
from mrbench_methods.registration.losses import LocalCrossCorrelation

SHAPE, LABELS = (96, 112, 96), 148


def seconds(function: Callable[[], Any], repeats: int = 3) -> float:
    """Shortest CPU time of a few calls."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        spent.append(time.process_time() - start)
    return min(spent)


@pytest.fixture(scope="module")
def brain() -> tuple[Case, np.ndarray]:
    """A case of the size of the boards, with 148 labels, and a field."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(1, LABELS + 1, (12, 14, 12))
    fixed = np.kron(coarse, np.ones((8, 8, 8), np.int16)).astype(np.int16)
    radius = sum(((axis - n / 2) / (n / 2.2)) ** 2 for axis, n in zip(np.indices(SHAPE), SHAPE, strict=True))
    mask = radius < 1
    fixed[~mask] = 0
    moving = np.roll(fixed, 2, axis=1)
    image = gaussian_filter(fixed / LABELS, 1).astype(np.float32)
    field = gaussian_filter(rng.normal(size=(3, *SHAPE)), (0, 5, 5, 5)).astype(np.float32) * 40
    structures = {f"s{i}": (i,) for i in range(1, 30)}
    inputs = RegistrationInputs(image, image, mask, mask, (2.0, 2.0, 2.0))
    reference = RegistrationReference(fixed, moving, structures, field)
    return Case("c", ("a", "b"), inputs, reference, (2.0, 2.0, 2.0)), field


def test_scoring_a_case(benchmark, brain) -> None:
    """One 96x112x96 case with 148 labels, every metric."""
    case, field = brain
    benchmark.pedantic(Registration().score, args=(case, field), rounds=3)
    benchmark.extra_info["voxels"] = int(np.prod(SHAPE))


def test_dice_against_a_loop_over_labels(benchmark, brain) -> None:
    case, _ = brain
    target, moved = case.reference.fixed_labels, case.reference.moving_labels
    labels = [label for label in range(1, LABELS + 1) if (target == label).any()]

    def loop() -> np.ndarray:
        pairs = ((target == label, moved == label) for label in labels)
        return np.array([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in pairs])

    np.testing.assert_allclose(dice_per_label(target, moved, labels), loop())
    benchmark.pedantic(dice_per_label, args=(target, moved, labels), rounds=5)
    benchmark.extra_info["times_faster_than_loop"] = round(
        seconds(loop) / seconds(lambda: dice_per_label(target, moved, labels)), 1
    )


def test_jacobian_against_numpy_det(benchmark, brain) -> None:
    _, field = brain

    def peer() -> np.ndarray:
        gradient = np.stack([np.stack(np.gradient(component)) for component in field])
        return np.linalg.det(np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(3))

    np.testing.assert_allclose(jacobian_determinant(field), peer(), atol=1e-4)
    benchmark.pedantic(jacobian_determinant, args=(field,), rounds=5)
    benchmark.extra_info["times_faster_than_numpy_det"] = round(
        seconds(peer) / seconds(lambda: jacobian_determinant(field)), 1
    )


def test_cross_correlation_against_monai(benchmark, brain) -> None:
    """Value and gradient, window 9."""
    fixed = torch.from_numpy(brain[0].inputs.fixed)[None, None]
    moving = fixed.roll(1, 2).clone().requires_grad_()
    monai = LocalNormalizedCrossCorrelationLoss(kernel_size=9)
    ours = LocalCrossCorrelation(fixed, 9)

    def step(loss: Callable[[], torch.Tensor]) -> None:
        moving.grad = None
        loss().backward()

    benchmark.pedantic(step, args=(lambda: ours(moving),), rounds=3)
    benchmark.extra_info["times_faster_than_monai"] = round(
        seconds(lambda: step(lambda: monai(moving, fixed)), 2) / seconds(lambda: step(lambda: ours(moving)), 2), 1
    )
