"""fastMRI's protocol: its masks column for column, its crop, its scores, its strata."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from tests.kspace_phantom import acquire
from tests.settings import setting_of
from tests.stats.rows import row

from mrbench.core.errors import RequestError
from mrbench.core.registry import find_dataset
from mrbench.datasets.index import index
from mrbench.datasets.kspace_folder import KspaceFolder
from mrbench.physics.fastmri_masks import fastmri_columns
from mrbench.physics.fourier import root_sum_of_squares, to_image
from mrbench.stats.frame import frame
from mrbench.tasks.reconstruction import Reconstruction
from mrbench.tasks.strata import by_acquisition

task = Reconstruction()

MASKS = json.loads((Path(__file__).parent / "fastmri_masks.json").read_text())
"""Made by fastmri/data/subsample.py of facebookresearch/fastMRI at 91f2df4: columns packed into bytes."""

HEADER = """<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<encodedSpace><matrixSize><x>48</x><y>96</y><z>1</z></matrixSize></encodedSpace>
<reconSpace><matrixSize><x>40</x><y>32</y><z>1</z></matrixSize></reconSpace>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>89</maximum><center>45</center>
</kspace_encoding_step_1></encodingLimits></encoding></ismrmrdHeader>"""


def write(path: Path, kind: str, *, seed: int = 0, coils: int = 3) -> np.ndarray:
    """A file of fastMRI: k-space with 3 empty columns on either side, a target taller than wide; returns the target."""
    kspace = acquire(2, coils, seed=seed).kspace
    kspace[..., :3] = kspace[..., 93:] = 0
    target = root_sum_of_squares(to_image(kspace))[:, 4:44, 32:64].astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace if coils > 1 else kspace[:, 0]
        file["reconstruction_rss" if coils > 1 else "reconstruction_esc"] = target
        file["ismrmrd_header"] = HEADER
        file.attrs["acquisition"] = kind
    return target


@pytest.mark.parametrize("mask", MASKS, ids=lambda m: f"{m['pattern']}-{m['acceleration']}-{m['width']}")
def test_masks_are_the_official_ones(mask: dict) -> None:
    expected = np.unpackbits(np.frombuffer(bytes.fromhex(mask.pop("columns")), np.uint8))[: mask["width"]] > 0
    assert (fastmri_columns(**mask) == expected).all()


def test_a_centre_wider_than_the_acceleration_allows_is_refused() -> None:
    with pytest.raises(RequestError, match="cannot be sampled 30-fold around a centre of 8"):
        fastmri_columns("fastmri-random", 100, 30, 0.08, "a.h5")


def test_scores_equal_evaluate_py(tmp_path: Path) -> None:
    target = write(tmp_path / "brains" / "file_brain_AXT2_1.h5", "AXT2")
    setting = setting_of(task, KspaceFolder(tmp_path / "brains"))
    assert setting.track.name == "fastmri-brain-4x" and len(setting.all_cases) == 1
    case = setting.load(setting.all_cases[0])
    columns = fastmri_columns("fastmri-equispaced-fraction", 96, 4, 0.08, "file_brain_AXT2_1.h5")
    columns[:3] = columns[93:] = False
    assert (case.inputs.mask == columns).all()
    image = root_sum_of_squares(to_image(case.inputs.kspace))
    scores = task.score(case, task.check(case, image)).metrics
    # evaluate.py: both to a square as wide as the target, peak and range of SSIM that of the whole cropped target
    truth = target[:, 4:36]
    guess = image[:, 8:40, 32:64] * case.reference.scale
    peak = truth.max()
    assert scores["psnr_db"] == pytest.approx(peak_signal_noise_ratio(truth, guess, data_range=peak), rel=1e-6)
    assert scores["nmse"] == pytest.approx(((truth - guess) ** 2).sum() / (truth**2).sum(), rel=1e-6)
    ssim = np.mean([structural_similarity(t, g, data_range=peak) for t, g in zip(truth, guess, strict=True)])
    assert scores["ssim"] == pytest.approx(ssim, abs=1e-6)


def test_a_release_as_it_is_unpacked(tmp_path: Path) -> None:
    for number, kind in enumerate(("CORPD_FBK", "CORPDFS_FBK")):
        write(tmp_path / f"knee/multicoil_val/file{number}.h5", kind, seed=number)
    write(tmp_path / "knee/multicoil_train/file9.h5", "CORPD_FBK", seed=9)
    write(tmp_path / "knee/multicoil_test/file8.h5", "CORPD_FBK", seed=8)
    write(tmp_path / "knee/singlecoil_val/file0.h5", "CORPD_FBK", coils=1)
    folder = KspaceFolder(tmp_path / "knee")
    assert folder.subjects("test") == ("file0", "file1") and folder.subjects("train") == ("file9",)
    assert folder.left_out == ("multicoil_test has no target.", "singlecoil_val lies beside multicoil data.")
    assert "val is the test split here" in folder.notes[0]
    assert setting_of(task, folder).track.name == "fastmri-knee-4x"
    table = index(tmp_path / "knee")
    assert list(table["acquisition"]) == ["CORPD_FBK", "CORPD_FBK", "CORPDFS_FBK"]
    (tmp_path / "knee/subjects.csv").write_text(table[table["acquisition"] == "CORPDFS_FBK"].to_csv(index=False))
    assert KspaceFolder(tmp_path / "knee").subjects("test") == ("file1",)


def test_single_coil_knees_have_their_track(tmp_path: Path) -> None:
    write(tmp_path / "knee/singlecoil_val/file0.h5", "CORPD_FBK", coils=1)
    assert setting_of(task, KspaceFolder(tmp_path / "knee")).track.name == "fastmri-knee-singlecoil-4x"


def test_strata_stand_under_the_table() -> None:
    rows = [
        row("zero-filled", case, scores, details={"acquisition": kind})
        for case, kind, scores in (
            ("a", "CORPD_FBK", {"ssim": 0.8, "psnr_db": 30, "nmse": 0.1}),
            ("b", "CORPDFS_FBK", {"ssim": 0.6, "psnr_db": 28, "nmse": 0.2}),
            ("c", "CORPDFS_FBK", {"ssim": 0.5, "psnr_db": 26, "nmse": 0.4}),
        )
    ]
    first, second = by_acquisition(frame(rows))
    assert first.startswith("CORPDFS_FBK, 2 volumes") and "zero-filled 0.5500 / 27.00 / 0.3000" in first
    assert second.startswith("CORPD_FBK, 1 volume,")
    assert by_acquisition(frame(rows[1:])) == []


def test_official_masks_want_files_and_noisy_targets_want_simulations(tmp_path: Path) -> None:
    heads = find_dataset("icbm-sim", "k-space")
    with pytest.raises(RequestError, match="'fastmri-knee-4x' does not suit icbm-sim"):
        setting_of(task, heads, "fastmri-knee-4x").cases()
    write(tmp_path / "brains" / "a.h5", "AXT2")
    with pytest.raises(RequestError, match="does not suit brains"):
        setting_of(task, KspaceFolder(tmp_path / "brains"), "multicoil-4x-noisy-target").cases()


def test_a_noisy_target_is_the_full_kspace(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = find_dataset("icbm-sim", "k-space")
    scan = acquire(8, 4, noise=0.05)
    monkeypatch.setattr(type(heads), "acquisition", lambda self, subject, coils: scan)
    clean, noisy = (setting_of(task, heads, track) for track in ("multicoil-4x", "multicoil-4x-noisy-target"))
    assert clean.protocol.hash != noisy.protocol.hash
    case = noisy.load(noisy.all_cases[0])
    full = root_sum_of_squares(to_image(scan.kspace))[::4]
    assert np.allclose(case.reference.magnitude * case.reference.scale, full, atol=1e-5)
    assert not np.allclose(full, scan.reference[::4], atol=0.02)
