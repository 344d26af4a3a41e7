"""ISMRMRD: every flag and field that changes the image is honoured, and a damaged file ends nothing but its reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.io.mutations import mutate
from tests.io.test_kspace import HEADER

from mrbench.core.errors import DataError
from mrbench.io.ismrmrd_file import sort_readouts
from mrbench.io.kspace import read_kspace

ismrmrd = pytest.importorskip("ismrmrd")

READS, COLUMNS, COILS = 24, 16, 3


@pytest.fixture
def plane() -> np.ndarray:
    rng = np.random.default_rng(3)
    return (rng.standard_normal((COILS, READS, COLUMNS)) + 1j * rng.standard_normal((COILS, READS, COLUMNS))).astype(
        np.complex64
    )


def write(
    path: Path,
    plane: np.ndarray,
    change: Callable = lambda readout, column: None,
    header: str = HEADER,
    cut: slice = slice(None),
    more: int = 0,
) -> Path:
    """Write a slice, one readout a column; ``change`` alters each, ``more`` repeat the last column at the end."""
    with ismrmrd.Dataset(str(path), "dataset", create_if_needed=True) as scan:
        scan.write_xml_header(header)
        for number in range(COLUMNS + more):
            column = min(number, COLUMNS - 1)
            readout = ismrmrd.Acquisition.from_array(np.ascontiguousarray(plane[:, cut, column]))
            readout.idx.kspace_encode_step_1 = column
            change(readout, number)
            scan.append_acquisition(readout)
    return path


def test_reversed_readouts_are_turned_round(tmp_path: Path, plane: np.ndarray) -> None:
    def reverse_odd(readout, column: int) -> None:
        if column % 2:
            readout.data[:] = readout.data[:, ::-1].copy()
            readout.set_flag(ismrmrd.ACQ_IS_REVERSE)

    assert np.allclose(read_kspace(write(tmp_path / "a.h5", plane, reverse_odd)).kspace[0], plane)


@pytest.mark.slow
def test_an_asymmetric_echo_lies_where_its_centre_sample_says(tmp_path: Path, plane: np.ndarray) -> None:
    def centre(readout, column: int) -> None:
        readout.center_sample = READS // 2 - 6

    raw = read_kspace(write(tmp_path / "a.h5", plane, centre, cut=slice(6, None)))
    assert np.allclose(raw.kspace[0, :, 6:], plane[:, 6:]) and not raw.kspace[0, :, :6].any()
    assert raw.mask is not None and raw.mask[0, 6:].all() and not raw.mask[0, :6].any()
    short = write(tmp_path / "b.h5", plane, lambda readout, _: setattr(readout, "center_sample", 22), cut=slice(0, 10))
    with pytest.raises(DataError, match="do not fit into a matrix of 24; check center_sample"):
        read_kspace(short)


def test_samples_to_discard_are_cut_off(tmp_path: Path, plane: np.ndarray) -> None:
    def discard(readout, column: int) -> None:
        readout.discard_pre, readout.center_sample = 4, READS // 2

    raw = read_kspace(write(tmp_path / "a.h5", plane, discard))
    assert np.allclose(raw.kspace[0, :, 4:], plane[:, 4:]) and not raw.kspace[0, :, :4].any()


@pytest.mark.parametrize(
    "flag",
    [
        "ACQ_IS_NOISE_MEASUREMENT",
        "ACQ_IS_PHASECORR_DATA",
        "ACQ_IS_NAVIGATION_DATA",
        "ACQ_IS_RTFEEDBACK_DATA",
        "ACQ_IS_HPFEEDBACK_DATA",
        "ACQ_IS_DUMMYSCAN_DATA",
        "ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA",
    ],
)
def test_lines_that_are_no_image_stay_out_of_it(flag: str, tmp_path: Path, plane: np.ndarray) -> None:
    def other(readout, number: int) -> None:
        if number >= COLUMNS:
            readout.data[:] = 100
            readout.set_flag(getattr(ismrmrd, flag))

    assert np.allclose(sort_readouts(write(tmp_path / "a.h5", plane, other, more=2))["kspace"][0], plane)


@pytest.mark.parametrize("trajectory", ["radial", "spiral", "goldenangle", "epi"])
def test_what_is_not_cartesian_is_refused(trajectory: str, tmp_path: Path, plane: np.ndarray) -> None:
    header = HEADER.replace("cartesian", trajectory)
    with pytest.raises(DataError, match=f"a trajectory that is {trajectory}; only Cartesian"):
        sort_readouts(write(tmp_path / "a.h5", plane, header=header))


def test_damaged_scans_are_one_sentence(tmp_path: Path, plane: np.ndarray) -> None:
    """The readers of ISMRMRD and HDF5 may end with a signal; the process that asked goes on."""
    content = write(tmp_path / "valid.h5", plane).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "a.mrd"
    refused = 0
    for _ in range(5):
        path.write_bytes(mutate(content, rng))
        try:
            read_kspace(path)
        except DataError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused >= 3


def test_a_reader_that_crashes_is_one_sentence(tmp_path: Path, plane: np.ndarray, monkeypatch) -> None:
    path = write(tmp_path / "a.h5", plane)
    fake = tmp_path / "ends-by-signal"
    fake.write_text("#!/bin/sh\nkill -SEGV $$\n")
    fake.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(fake))
    with pytest.raises(DataError, match=r"a\.h5 ends the ISMRMRD reader \(signal 11\); the file is damaged"):
        read_kspace(path)
