"""k-space as CMRxRecon, M4Raw and SKM-TEA distribute it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from tests.settings import setting_of

from mrbench.core.errors import DataError
from mrbench.datasets.kspace_folder import KspaceFolder
from mrbench.io.kspace import read_kspace
from mrbench.physics.fourier import root_sum_of_squares, to_image, to_kspace
from mrbench.tasks.reconstruction import Reconstruction

TIMES, SLICES, COILS, PHASE, READ = 5, 3, 4, 30, 44


@pytest.fixture
def cine() -> np.ndarray:
    """k-space ``(time, slice, coil, y, x)``: rows are read out, columns phase-encoded."""
    rng = np.random.default_rng(0)
    image = np.zeros((TIMES, SLICES, COILS, READ, PHASE), complex)
    image[..., 10:34, 6:24] = rng.random((TIMES, SLICES, COILS, 24, 18))
    noise = rng.standard_normal(image.shape) + 1j * rng.standard_normal(image.shape)
    return to_kspace(image + 0.01 * noise).astype(np.complex64)


def write_v73(path: Path, name: str, matlab: np.ndarray) -> Path:
    """As MATLAB writes it: axes reversed, real and imaginary part in pairs, 512 bytes of its own before HDF5."""
    stored = np.empty(matlab.T.shape, [("real", "<f4"), ("imag", "<f4")])
    stored["real"], stored["imag"] = matlab.T.real, matlab.T.imag
    with h5py.File(path, "w", userblock_size=512) as file:
        file[name] = stored
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
    return path


def matlab_order(cine: np.ndarray) -> np.ndarray:
    return cine.transpose(3, 4, 2, 1, 0)  # readout, phase, coil, slice, time


@pytest.mark.parametrize("new", [True, False], ids=["v7.3", "older"])
def test_cmrxrecon_is_a_cine_of_its_middle_slice(new: bool, cine: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "cine_sax.mat"
    if new:
        write_v73(path, "kspace_full", matlab_order(cine))
    else:
        savemat(path, {"kspace_full": matlab_order(cine), "other": np.ones(3)})
    raw = read_kspace(path)
    assert raw.dynamic and raw.mask is None and raw.note == "Slice 2 of 3 of each file, over time."
    assert np.allclose(raw.kspace, cine[:, 1])
    assert np.allclose(raw.reference, root_sum_of_squares(to_image(cine[:, 1])), atol=1e-4)


def test_undersampled_and_single_coil_files(cine: np.ndarray, tmp_path: Path) -> None:
    taken = np.zeros(PHASE, bool)
    taken[::4], taken[11:19] = True, True
    path = write_v73(tmp_path / "a.mat", "kspace_sub04", matlab_order(np.where(taken, cine, 0)))
    raw = read_kspace(path)
    assert raw.reference is None and raw.mask is not None and (raw.mask == taken).all()
    single = write_v73(tmp_path / "b.mat", "kspace_single_full", matlab_order(cine)[:, :, 0])
    assert np.allclose(read_kspace(single).kspace, cine[:, 1, :1])
    still = write_v73(tmp_path / "c.mat", "kspace_full", matlab_order(cine)[..., 0])
    assert not read_kspace(still).dynamic and np.allclose(read_kspace(still).kspace, cine[0])


def test_a_folder_of_cmrxrecon_has_its_track(cine: np.ndarray, tmp_path: Path) -> None:
    for person in ("P001", "P002"):
        (tmp_path / "cmr" / person).mkdir(parents=True)
        write_v73(tmp_path / "cmr" / person / "cine_sax.mat", "kspace_full", matlab_order(cine))
    write_v73(tmp_path / "cmr" / "P001" / "cine_sax_mask.mat", "mask04", np.ones((PHASE, READ)))
    folder = KspaceFolder(tmp_path / "cmr")
    assert folder.left_out == ("P001/cine_sax_mask.mat is a mask, a label map or a transform by its name.",)
    setting = setting_of(Reconstruction(), folder)
    assert setting.track.name == "cmrxrecon-4x" and folder.subjects("test") == ("P001_cine_sax", "P002_cine_sax")
    inputs = setting.load(setting.all_cases[0]).inputs
    assert inputs.dynamic and inputs.kspace.shape == (TIMES, COILS, READ, PHASE)
    assert inputs.calibration[1] >= 24 and inputs.mask.all(axis=1)[0].sum() < PHASE


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: savemat(path, {"image": np.ones(3)}), "holds image but no kspace_full"),
        (lambda path: savemat(path, {"kspace_full": np.ones((9, 9, 2, 1, 2))}), "complex k-space of .* is needed"),
        (lambda path: path.write_bytes(b"MATLAB 7.3 MAT-file" + b"x" * 600), "cannot be read as MATLAB"),
        (lambda path: path.write_bytes(b"nothing of the kind"), "cannot be read as MATLAB"),
    ],
)
def test_faulty_matlab_files_are_one_sentence(write, message: str, tmp_path: Path) -> None:
    write(tmp_path / "a.mat")
    with pytest.raises(DataError, match=message):
        read_kspace(tmp_path / "a.mat")


def test_m4raw_is_read_as_fastmri_is(cine: np.ndarray, tmp_path: Path) -> None:
    kspace = cine[0]
    with h5py.File(tmp_path / "2022061003_T101.h5", "w") as file:
        file["kspace"] = kspace
        file["reconstruction_rss"] = root_sum_of_squares(to_image(kspace))
        file.attrs["acquisition"] = "T1"
    raw = read_kspace(tmp_path / "2022061003_T101.h5")
    assert np.allclose(raw.kspace, kspace) and raw.protocol == "T1" and raw.crop == (PHASE, PHASE)


def test_skm_tea_is_read_in_part(cine: np.ndarray, tmp_path: Path) -> None:
    hybrid = np.tile(cine[:, 1].transpose(0, 2, 3, 1)[:, :, :, None, :], (4, 1, 1, 2, 1))  # x, ky, kz, echo, coil
    hybrid[..., 1, :] = 0  # the second echo
    hybrid[:, :2, :2] = 0  # a corner that the ellipse leaves out
    with h5py.File(tmp_path / "MTR_001.h5", "w") as file:
        file["kspace"] = hybrid.astype(np.complex64)
    raw = read_kspace(tmp_path / "MTR_001.h5")
    assert raw.kspace.shape == (8, COILS, READ, PHASE) and raw.mask is None and not raw.dynamic
    assert np.allclose(raw.kspace[0], hybrid[5, :, :, 0].transpose(2, 0, 1))
    assert raw.note.startswith("First echo of 8 of 20 positions along x")
