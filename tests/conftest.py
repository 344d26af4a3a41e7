"""A tiny cohort on disk, and an environment in which nothing outside the test is touched."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import nibabel as nib
import numpy as np
import pytest
import typer.main
import typer.testing
from scipy.ndimage import gaussian_filter

from mrbench.core.case import Case
from mrbench.datasets.folder import Folder
from mrbench.engine.threads import thread_environment
from mrbench.tasks.registration import Registration, RegistrationInputs, RegistrationReference

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import WorkStealingScheduling

hypothesis.settings.register_profile("mrbench", deadline=None)  # the first call of a kernel compiles it
hypothesis.settings.load_profile("mrbench")
os.environ.update(thread_environment(1))  # as in a run: some tools give other digits on two threads


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests that measure time, unless they are asked for: ``pytest tests/performance``."""
    asked = any("performance" in argument for argument in config.args)
    return True if collection_path.name == "performance" and not asked else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WorkStealingScheduling:
    """Let a file stay in one process, with the fixtures and libraries that it has loaded, until others stand idle.

    Not by ``--dist`` in the settings: pytest-benchmark then measures nothing, even where no pytest-xdist runs.
    """
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave without unloading: ITK, SimpleITK and ANTs in one process crash when the interpreter takes them down.

    In a run each method has a process of its own. A worker of pytest-xdist has sent all its results by now; where no
    session was held (``--help``, a wrong option), nothing was loaded and the exit code is pytest's.
    """
    status = getattr(config, "_mrbench_exit", None)
    if status is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(status))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config._mrbench_exit = exitstatus  # type: ignore[attr-defined]


CHECKOUT = Path(__file__).parents[1]


def visible_names() -> set[str]:
    """Of the checkout's own folder, less what tools hide there."""
    return {path.name for path in CHECKOUT.iterdir() if not path.name.startswith((".", "__"))}


@pytest.fixture(scope="session")
def _checkout() -> set[str]:
    return visible_names()


@pytest.fixture(autouse=True)
def _nothing_is_written_into_the_checkout(_checkout: set[str]) -> Iterator[None]:
    """Results, logs, weights and what a tool leaves in the working directory belong into a test's own folder."""
    yield
    new = visible_names() - _checkout
    _checkout |= new
    assert not new, f"this test, or one beside it, left {sorted(new)} in {CHECKOUT}"


SHAPE = (32, 40, 36)
"""Axes (z, y, x), all different, so that a swapped axis cannot pass."""


_NUMBERS = count()


@pytest.fixture(scope="session", autouse=True)
def _commands_once() -> Iterator[None]:
    """Typer builds all commands anew in every call, which a user makes once a process."""
    patch, once = pytest.MonkeyPatch(), cache(typer.main.get_command)
    patch.setattr(typer.main, "get_command", once)
    patch.setattr(typer.testing, "_get_command", once)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, request) -> None:
    """Give each test a cache of its own, except tests of the real data, which share the user's.

    The harness makes the folder where a test needs one.
    """
    if "real_data" not in request.keywords:
        folder = tmp_path_factory.getbasetemp() / "caches" / str(next(_NUMBERS))
        monkeypatch.setenv("MRBENCH_CACHE", str(folder))


@pytest.fixture(autouse=True)
def _pages_without_figures(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Draw nothing into the pages of boards outside `tests/report`: seconds a board, of which no other test looks."""
    if request.path.parent.name != "report" and "figures" not in request.keywords:
        monkeypatch.setattr("mrbench.report.page.drawn", lambda report: [])


@pytest.fixture
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SimpleITK register by a tenth of the voxels that it would draw: seconds less, and exact enough for a test."""
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod
    drawn = method.SetMetricSamplingPercentage
    monkeypatch.setattr(method, "SetMetricSamplingPercentage", lambda self, share, seed: drawn(self, share / 10, seed))


def blob_labels(shift: tuple[float, float, float]) -> np.ndarray:
    """Four ellipsoids inside a head, moved by ``shift`` voxels."""
    grid = np.indices(SHAPE) - np.asarray(shift)[:, None, None, None]
    labels = np.zeros(SHAPE, np.int16)
    centre = np.asarray(SHAPE)[:, None, None, None] / 2
    labels[(((grid - centre) / np.array([12, 15, 13])[:, None, None, None]) ** 2).sum(0) <= 1] = 1
    for number, (offset, radii) in enumerate(
        [((0, 6, 3), (5, 4, 6)), ((3, -5, -4), (4, 6, 3)), ((-5, 0, 5), (3, 5, 4))], start=2
    ):
        inside = grid - centre - np.asarray(offset)[:, None, None, None]
        labels[((inside / np.asarray(radii)[:, None, None, None]) ** 2).sum(0) <= 1] = number
    return labels


def blob_image(labels: np.ndarray, seed: int) -> np.ndarray:
    """Intensities by label, smoothed, with a little noise."""
    noise = np.random.default_rng(seed).normal(0, 0.01, labels.shape)
    image = gaussian_filter(np.array([0, 0.4, 0.9, 0.7, 1.0])[labels], 0.7) + noise
    return np.where(labels > 0, np.clip(image, 0.01, 1), 0).astype(np.float32)


SHIFTS = ((0, 0, 0), (1, -2, 1), (-1, 1, 2), (2, 1, -1), (0, -1, -2), (1, 2, 0), (-2, 0, 1), (0, 2, -1))


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight subjects: three to train, two to validate, three to test."""
    folder = tmp_path_factory.mktemp("data") / "blobs"
    folder.mkdir()
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    rows = []
    for number, shift in enumerate(SHIFTS):
        labels = blob_labels(shift)
        for kind, array in {"t1": blob_image(labels, number), "labels": labels}.items():
            nib.Nifti1Image(array.transpose(2, 1, 0), affine).to_filename(folder / f"{number}_{kind}.nii.gz")
        split = ("train", "train", "validation", "test", "test", "test", "train", "validation")[number]
        rows.append(
            {"subject": f"b{number}", "split": split, "T1": f"{number}_t1.nii.gz", "labels": f"{number}_labels.nii.gz"}
        )
    with (folder / "subjects.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def dataset(cohort: Path) -> Folder:
    return Folder(cohort)


SLICES_SHAPE = (18, 80, 66)
"""Axes (z, y, x) of `aligned_heads`: large enough for four scales of SSIM."""


def head(seed: int) -> np.ndarray:
    """A head in air: darker towards the front, with two dark ventricles whose place and size are its own."""
    rng = np.random.default_rng(seed)
    z, y, x = (
        np.linspace(-1, 1, n).reshape([-1 if i == k else 1 for i in range(3)]) for k, n in enumerate(SLICES_SHAPE)
    )
    width, height, side = rng.uniform(0.1, 0.2), rng.uniform(0.2, 0.4), rng.uniform(0.15, 0.25)
    volume = np.where((z / 1.1) ** 2 + (y / 0.9) ** 2 + (x / 0.8) ** 2 < 1, 0.7 - 0.2 * y, 0.0)
    for way in (-1, 1):
        volume[((x - way * side) / width) ** 2 + ((y + 0.1 * rng.standard_normal()) / height) ** 2 + z**2 < 1] *= 0.4
    return gaussian_filter(volume, 1).astype(np.float32)


@pytest.fixture(scope="session")
def aligned_heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of nine subjects with T1: five to train, two to validate, two to test."""
    folder = tmp_path_factory.mktemp("data") / "heads"
    folder.mkdir()
    lines = ["subject,split,T1,labels"]
    for number, split in enumerate(["train"] * 5 + ["validation"] * 2 + ["test"] * 2):
        volume = head(number)
        for kind, array in {"t1": volume, "labels": (volume > 0.05).astype(np.int16)}.items():
            nib.Nifti1Image(array.T, np.diag([2.0, 2.0, 2.0, 1.0])).to_filename(folder / f"{number}_{kind}.nii.gz")
        lines.append(f"h{number},{split},{number}_t1.nii.gz,{number}_labels.nii.gz")
    (folder / "subjects.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def task() -> Registration:
    return Registration()


@pytest.fixture
def case() -> Case:
    """A pair whose true displacement is known: moving is fixed shifted by (2, -3, 1) voxels."""
    shift = (2, -3, 1)
    fixed_labels, moving_labels = blob_labels((0, 0, 0)), blob_labels(shift)
    fixed, moving = blob_image(fixed_labels, 0), blob_image(moving_labels, 1)
    inputs = RegistrationInputs(fixed, moving, fixed_labels > 0, moving_labels > 0, (1.0, 2.0, 1.5))
    truth = np.broadcast_to(np.asarray(shift, np.float32)[:, None, None, None], (3, *SHAPE)).copy()
    structures = {"head": (1,), "a": (2,), "b": (3,), "c": (4,)}
    reference = RegistrationReference(fixed_labels, moving_labels, structures, truth)
    return Case("m_to_f", ("m", "f"), inputs, reference, (1.0, 2.0, 1.5))
