"""Scores against what users run today, measured in one run: `pytest tests/performance`."""

from __future__ import annotations

import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.losses import LocalNormalizedCrossCorrelationLoss
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree
from tests.performance import peers
from tests.performance.conftest import Versus

from mrbench.core.case import Case
from mrbench.metrics import (
    frechet_distance,
    kernel_mmd,
    nearest_correlations,
    pair_ms_ssim,
    precision_recall,
    warp,
)
from mrbench.metrics.sharpness import gmsd
from mrbench.tasks.reconstruction import Reconstruction, ReconstructionReference
from mrbench.tasks.registration import Registration, RegistrationInputs, RegistrationReference
from mrbench.tasks.synthesis import CEILING, Synthesis, SynthesisInputs, SynthesisReference
from mrbench_methods.registration.losses import LocalCrossCorrelation

SHAPES = {"2mm": (96, 112, 96), "1mm": (182, 218, 182)}
LABELS, SINGLE = 148, 27


def smooth(shape: tuple[int, ...], sd: float, seed: int) -> np.ndarray:
    """Noise of SD 1 after smoothing along the last three axes."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), (0, sd, sd, sd)[-len(shape) :])
    return (noise / noise.std()).astype(np.float32)


def head(shape: tuple[int, ...]) -> np.ndarray:
    radius = sum(((axis - n / 2) / (n / 2.3)) ** 2 for axis, n in zip(np.indices(shape), shape, strict=True))
    return radius < 1


def pair(size: str) -> tuple[Case, np.ndarray]:
    """Two brains of 148 compact labels; 27 structures are one label each, two as large as cortex and white matter."""
    shape = SHAPES[size]
    coarse = tuple(n // 4 for n in shape)
    seeds = np.random.default_rng(0).permutation(np.argwhere(head(coarse)))[:LABELS]
    regions = 1 + cKDTree(seeds).query(np.indices(coarse).reshape(3, -1).T)[1].reshape(coarse)
    grid = np.indices(shape) * np.reshape([(c - 1) / (n - 1) for c, n in zip(coarse, shape, strict=True)], (3, 1, 1, 1))
    wobble = 0.5 * smooth((3, *shape), shape[0] / 30, 1)
    fixed = map_coordinates(regions, grid + wobble, order=0, mode="nearest").astype(np.int16) * head(shape)
    moving = warp(fixed, smooth((3, *shape), shape[0] / 16, 2) * shape[0] / 60, order=0)
    field = smooth((3, *shape), shape[0] / 16, 3) * (shape[0] / 50)
    structures = {f"s{n}": (n,) for n in range(1, SINGLE + 1)}
    structures |= {"odd": tuple(range(29, LABELS + 1, 2)), "even": tuple(range(28, LABELS + 1, 2))}
    spacing = (192 / shape[0],) * 3
    image = (fixed / LABELS).astype(np.float32)
    inputs = RegistrationInputs(image, image, fixed > 0, moving > 0, spacing)
    reference = RegistrationReference(fixed, moving, structures, 1.1 * field)
    return Case("c", ("a", "b"), inputs, reference, spacing), field


@pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")  # of surface-distance
@pytest.mark.parametrize(("size", "goal", "repeats"), [("2mm", 20, 2), ("1mm", 15, 1)], ids=SHAPES)
def test_registration_score_against_learn2reg(versus: Versus, size: str, goal: float, repeats: int) -> None:
    """Every metric of a case with 148 labels and 29 structures."""
    case, field = pair(size)
    reference, groups = case.reference, list(case.reference.structures.values())
    kept: dict[str, dict[str, float]] = {}

    def peer() -> None:
        kept["peer"] = peers.learn2reg(
            reference.fixed_labels,
            reference.moving_labels,
            groups,
            field,
            reference.displacement,
            case.inputs.fixed_mask,
            case.spacing,
        )

    versus(lambda: Registration().score(case, field), peer, name="Learn2Reg style", goal=goal, repeats=repeats)
    own = Registration().score(case, field).metrics
    for name in ("dice", "dice_all", "ndv_percent", "epe_mm"):
        assert own[name] == pytest.approx(kept["peer"][name], rel=1e-4), name
    assert own["hd95_mm"] == pytest.approx(kept["peer"]["hd95_mm"], rel=0.4), "voxels, not areas, of the surface"


def test_reconstruction_score_against_fastmri(versus: Versus) -> None:
    """Volume, slices and foreground of 30 x 320 x 320; the peer gives the volume alone."""
    y, x = np.mgrid[-1:1:320j, -1:1:320j]
    shape = np.exp(-4 * (y**2 + x**2)) * (1 + 0.3 * np.cos(9 * x) * np.cos(7 * y))
    target = (shape * np.linspace(0.1, 1, 30)[:, None, None]).astype(np.float32)
    prediction = np.abs(target + 0.02 * np.random.default_rng(0).standard_normal(target.shape)).astype(np.float32)
    reference = ReconstructionReference(target, target > 0.1, (320, 320), "")
    inputs = SimpleNamespace(mask=np.ones(target.shape, bool), dynamic=False)
    case = Case("c", ("c",), inputs, reference, (1.0, 1.0, 1.0))
    own, other = Reconstruction().score(case, prediction).metrics, peers.fastmri(target, prediction)
    for name in ("psnr_db", "ssim", "nmse"):
        assert own[name] == pytest.approx(other[name], rel=1e-4), name  # the peer sums in single precision
    versus(
        lambda: Reconstruction().score(case, prediction),
        lambda: peers.fastmri(target, prediction),
        name="fastmri/evaluate.py style",
        goal=7,
        repeats=5,
    )


def test_synthesis_score_against_synthrad(versus: Versus) -> None:
    """Score and alignment check of 182 x 218 x 182."""
    shape = SHAPES["1mm"]
    mask = head(shape)
    source = np.where(mask, np.clip(0.6 + 0.2 * smooth(shape, 4, 0), 0, CEILING), 0).astype(np.float32)
    target = np.where(mask, np.clip(1.2 - source + 0.05 * smooth(shape, 1, 1), 0, CEILING), 0).astype(np.float32)
    prediction = np.where(mask, gaussian_filter(target, 1), 0).astype(np.float32)
    inputs = SynthesisInputs(source, mask, "T1", "T2", (1.0, 1.0, 1.0))
    case = Case("c", ("c",), inputs, SynthesisReference(target, mask), (1.0, 1.0, 1.0))
    task = Synthesis()
    kept: dict[str, dict[str, float]] = {}

    def peer() -> None:
        kept["peer"] = peers.synthrad(target, prediction, mask, CEILING)
        assert peers.best_shift(source, target, mask, CEILING)[1] == 0

    versus(
        lambda: (task.diagnose(case, prediction), task.score(case, prediction)),
        peer,
        name="SynthRAD style",
        goal=7,
        repeats=3,
    )
    metrics = task.score(case, prediction).metrics
    for name, value in kept["peer"].items():  # SynthRAD scores volumes; those by slice have no peer there
        assert metrics[name] == pytest.approx(value, rel=1e-4), name


def test_generation_metrics_against_prdc_monai_and_numpy(versus: Versus) -> None:
    """120 generated and 120 real slices, 640 of training; their features are given, as both would take the same."""
    real, generated = np.random.default_rng(0).standard_normal((2, 120, 64))
    images, training = (np.clip(0.5 + 0.2 * smooth((n, 112, 96), 3, n), 0, 1) for n in (120, 640))
    partners = np.roll(np.arange(120), 1)

    def ours() -> dict[str, float]:
        precision, recall = precision_recall(real, generated)
        return {
            "frechet": frechet_distance(real, generated),
            "mmd": kernel_mmd(real, generated),
            "precision": precision,
            "recall": recall,
            "pair_ms_ssim": pair_ms_ssim(images, partners, data_range=1),
            "nearest_ncc": float(np.median(nearest_correlations(images, training, nearest=1)[1])),
        }

    def peer() -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of MONAI
            return peers.generation(real, generated, images, training, partners)

    assert ours() == pytest.approx(peer(), abs=1e-5)
    versus(ours, peer, name="prdc, MONAI and numpy", goal=5)


def test_gmsd_against_its_published_form(versus: Versus) -> None:
    """90 slices of 108 x 90."""
    target = smooth((90, 108, 90), 1, 0)
    prediction = (target + 0.05 * smooth(target.shape, 0.5, 1)).astype(np.float32)
    assert gmsd(target, prediction, data_range=1) == pytest.approx(peers.gmsd(target, prediction), rel=1e-9)
    ours = partial(gmsd, target, prediction, data_range=1)
    versus(ours, lambda: peers.gmsd(target, prediction), name="GMSD.m by scipy", goal=1.5)


def test_cross_correlation_loss_against_monai(versus: Versus) -> None:
    """Value and gradient, window 9, at 2 mm."""
    fixed = torch.from_numpy(smooth(SHAPES["2mm"], 2, 0))[None, None]
    moving = fixed.roll(1, 2).clone().requires_grad_()
    monai, ours = LocalNormalizedCrossCorrelationLoss(kernel_size=9), LocalCrossCorrelation(fixed, 9)

    def step(loss: torch.Tensor) -> None:
        moving.grad = None
        loss.backward()

    versus(lambda: step(ours(moving)), lambda: step(monai(moving, fixed)), name="MONAI", goal=2)
