"""Simulated k-space and cine: physics that can be checked, and nothing that depends on order."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mrbench.core.registry import find_dataset, find_task
from mrbench.core.task import Setting
from mrbench.datasets.cine_sim import FRAMES, SHAPE, _grid
from mrbench.datasets.simulated_kspace import MATRIX, SLICES, FolderScans, OasisScans
from mrbench.physics.fourier import root_sum_of_squares, to_image
from mrbench.simulation.heart import RIGHT_WALL, Heart, beats, contract


def test_cine_beats_breathes_and_is_the_same_twice() -> None:
    dataset = find_dataset("cine-sim")
    subject, again = dataset.make("cine07"), dataset.make("cine07")
    movie = subject.images["cine"]
    assert movie.shape == (FRAMES, *SHAPE) and movie.max() == 1 and (movie == again.images["cine"]).all()
    assert not np.allclose(movie, dataset.make("cine08").images["cine"], atol=0.1)
    inside = subject.mask[0]
    area = np.array([(frame[inside] > 0.6).sum() for frame in movie])
    systole = int(np.argmin(area[:20]))
    assert 5 <= systole <= 17 and area[systole] < 0.75 * area[0]  # blood leaves, and comes back
    assert area[systole:].max() > 0.85 * area[0]
    assert np.abs(movie[10] - movie[0])[~inside].max() > 0.05  # the chest moves, too


def test_beats_differ_in_number_and_strength() -> None:
    curves = np.stack([beats(np.random.default_rng(seed), FRAMES) for seed in range(40)])
    assert curves.min() == 0 and 0.8 < curves.max() <= 1.15 and (curves[:, 0] == 0).all()
    peaks = (curves[:, 1:-1] > 0.7) & (curves[:, 1:-1] >= curves[:, :-2]) & (curves[:, 1:-1] > curves[:, 2:])
    assert set(peaks.sum(1)) == {1, 2}
    assert curves.max(1).std() > 0.03


HEART = Heart(np.zeros(2), 25.0, 35.0, 0.6, width=26.0, angle=np.pi, span=1.4, shortened=0.4)


@pytest.mark.slow
def test_contraction_keeps_the_area_of_the_wall() -> None:
    fine = _grid(6)
    for systole in (0.0, 0.5, 1.0):
        before = np.hypot(*contract(fine, HEART, systole))
        wall, cavity = ((before > 25) & (before <= 35)).sum(), (before <= 25).sum()
        if systole == 0.0:
            whole, full = wall, cavity
            assert np.allclose(contract(fine, HEART, 0.0), fine)
        assert wall == pytest.approx(whole, rel=0.02)
        assert cavity == pytest.approx(full * (1 - 0.6 * systole), rel=0.02)
        assert np.allclose(contract(fine, HEART, systole)[:, before > 97], fine[:, before > 97])


def test_the_right_ventricle_is_a_crescent_that_narrows() -> None:
    """It lies on one side, is widest in its middle, ends in two points, and its free wall keeps its thickness."""
    fine = _grid(6)
    radius, width = HEART.polar(fine)
    crescent = (radius > 35) & (radius <= 35 + width)
    y, x = fine
    assert (x[crescent] < 10).all() and width.max() == pytest.approx(26, abs=0.1)
    assert np.ptp(y[crescent]) > 2.5 * width.max(), "longer than it is wide"
    row = np.abs(y) < 1
    before = HEART.polar(contract(fine, HEART, 1.0))[0]
    cavity, wall = (before > 35) & (before <= 35 + width), (before > 35 + width) & (before <= 35 + width + RIGHT_WALL)
    left = row & (x < 0)
    assert (cavity & left).sum() == pytest.approx(0.6 * (crescent & left).sum(), rel=0.05)
    still = (radius > 35 + width) & (radius <= 35 + width + RIGHT_WALL)
    assert (wall & left).sum() == pytest.approx((still & left).sum(), rel=0.15)


def test_simulated_coils_combine_to_the_clean_magnitude(monkeypatch) -> None:

    from mrbench.datasets import simulated_kspace
    from mrbench.datasets.dataset import Subject

    monkeypatch.setattr(simulated_kspace, "NOISE", 0.0)
    monkeypatch.setattr(simulated_kspace, "ARRAY_NOISE", 0.0)
    dataset = find_dataset("icbm-sim", "k-space")
    z, y, x = np.mgrid[:60, :112, :96]
    head = (((z - 30) / 28) ** 2 + ((y - 56) / 50) ** 2 + ((x - 48) / 40) ** 2 < 1).astype(np.float32)
    subject = Subject("sim00", {"T1": head}, head > 0, None, (2.0, 2.0, 2.0))
    monkeypatch.setattr(dataset, "load", lambda _: subject)
    for coils in (1, 8):
        scan = dataset.acquisition("sim00", coils=coils)
        assert scan.kspace.shape == (20, coils, 128, 128) and scan.kspace.dtype == np.complex64
        images = to_image(scan.kspace)
        assert np.allclose(root_sum_of_squares(images), scan.reference, atol=2e-6)
        assert np.abs(images.imag).max() > 0.3  # the object has a phase
    assert scan.reference[0].shape == (128, 128) and (scan.reference[:, :, 112:] == 0).all()  # padded evenly


@pytest.mark.real_data
def test_real_heads_keep_their_skull_and_their_people() -> None:
    heads = find_dataset("ixi-hh-2mm", "k-space")
    assert heads.simulated and heads.simulation == "simulated k-space"
    aligned = find_dataset("ixi-hh-2mm")
    assert heads.split_file.sha256 == aligned.split_file.sha256 and heads.fingerprint != aligned.fingerprint
    scan = heads.acquisition(heads.subjects("test")[0], coils=1)
    assert scan.reference.max() == 1 and (scan.reference[~scan.foreground] > 0.3).any()
    noise = to_image(scan.kspace)[:, 0, :, :8]  # padding: no head there
    assert noise.real.std() == pytest.approx(0.01, rel=0.1) and noise.imag.std() == pytest.approx(0.01, rel=0.1)


@pytest.mark.slow
def test_a_folder_of_images_is_simulated_kspace(tmp_path: Path) -> None:
    folder = tmp_path / "heads"
    folder.mkdir()
    z, y, x = np.mgrid[-1:1:60j, -1:1:150j, -1:1:140j]
    head = ((z / 0.9) ** 2 + (y / 0.8) ** 2 + (x / 0.7) ** 2 < 1) * (1 + 0.3 * np.sin(9 * x))
    nib.Nifti1Image(head.T.astype(np.float32), np.diag([1.0, 1, 1, 1])).to_filename(folder / "a.nii.gz")
    dataset = find_dataset(f"folder:{folder}", "k-space")
    assert isinstance(dataset, FolderScans) and dataset.simulated and "simulated from images" in dataset.simulation
    assert any("it is simulated from the images" in note for note in dataset.notes)
    scan = dataset.acquisition("a", coils=None)
    assert scan.kspace.shape == (20, 8, 160, 160) and scan.spacing == (2.0, 1.0, 1.0)  # every second slice of 1 mm
    full = root_sum_of_squares(to_image(scan.kspace))
    assert np.corrcoef(full.ravel(), scan.reference.ravel())[0, 1] > 0.99
    setting = Setting.of(find_task("reconstruction"), dataset)
    assert setting.track.name == "singlecoil-4x" and len(setting.all_cases) == 3
    assert setting.load(setting.all_cases[0]).inputs.kspace.shape == (5, 1, 160, 160)
    thin = dataset.content_key("a")
    nib.Nifti1Image(2 * head.T.astype(np.float32) ** 2, np.eye(4)).to_filename(folder / "a.nii.gz")
    assert find_dataset(f"folder:{folder}", "k-space").content_key("a") != thin


@pytest.mark.real_data
def test_oasis_is_heard_by_an_array_at_its_own_resolution() -> None:
    """Another scanner than `ixi-hh-2mm`, and another matrix: 1 mm, slices 2 mm apart."""
    scans = OasisScans()
    assert scans.simulated and not scans.subjects("train") and len(scans.subjects("test")) == 18
    acquired = scans.acquisition("1002", coils=8)
    slices, coils, rows, columns = acquired.kspace.shape
    assert (slices, coils, rows) == (SLICES, 8, columns) and rows % 16 == 0 and rows > MATRIX
    assert acquired.spacing == pytest.approx((2, 1, 1)) and acquired.reference.max() == 1
