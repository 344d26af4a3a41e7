"""ISMRMRD raw data: the readouts of a 2-D Cartesian scan, every flag and field honoured that changes its image.

The file is read by a process of its own: on a damaged one the readers of ISMRMRD and HDF5 end with a segmentation
fault, which would take the worker with it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.apart import read_apart, serve
from mrbench.io.bounds import MOST_BYTES
from mrbench.io.fastmri import header_crop
from mrbench.io.raw import AXES, RawKspace, as_frames, fit_mask, only_padding, settle

if TYPE_CHECKING:
    import ismrmrd

NOT_IMAGING = (
    "ACQ_IS_NOISE_MEASUREMENT",
    "ACQ_IS_PARALLEL_CALIBRATION",
    "ACQ_IS_NAVIGATION_DATA",
    "ACQ_IS_PHASECORR_DATA",
    "ACQ_IS_HPFEEDBACK_DATA",
    "ACQ_IS_DUMMYSCAN_DATA",
    "ACQ_IS_RTFEEDBACK_DATA",
    "ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA",
    "ACQ_IS_PHASE_STABILIZATION",
    "ACQ_IS_PHASE_STABILIZATION_REFERENCE",
)
"""Flags of readouts that belong to no image, by the names of ismrmrd.h."""


def read_ismrmrd(path: Path, given: np.ndarray | None = None) -> RawKspace:
    """Sort the readouts of a scan by slice and phase-encoding step; repeated ones are averaged.

    Readouts that are no imaging data are left out; those that are flagged as reversed are turned round; samples marked
    for discarding are cut off; an asymmetric echo is placed so that its centre sample is the middle of k-space, and
    what it lacks counts as not sampled.

    Parameters
    ----------
    path : Path
        The file.
    given : ndarray, optional
        A mask that goes before what the readouts say.

    Raises
    ------
    DataError
        If the file cannot be read, is not Cartesian and 2-D, or holds several images (contrasts, phases, ...).
    """
    if find_spec("ismrmrd") is None:
        raise DataError(f"{path} is ISMRMRD, which needs its reader: pip install ismrmrd.")
    arrays = read_apart(__name__, "ISMRMRD", path)
    array, taken, crop = arrays["kspace"], arrays["taken"], tuple(arrays["crop"].tolist())
    kspace = as_frames(path, array, AXES)
    if given is not None:
        taken = fit_mask(path, given, kspace)
    return settle(path, kspace, None if only_padding(taken) else taken, crop)


def sort_readouts(path: Path) -> dict[str, np.ndarray]:
    """What `read_ismrmrd` says, in this process.

    Returns
    -------
    dict of str to ndarray
        ``kspace``, ``(frame, coil, y, x)``; what was ``taken``, ``(frame, y, x)``; and the ``crop``.

    Raises
    ------
    DataError
        As of `read_ismrmrd`; a damaged file may raise anything else, or end the process.
    """
    import ismrmrd

    with ismrmrd.Dataset(str(path), "dataset", mode="r") as scan:
        header = scan.read_xml_header()
        readouts = [scan.read_acquisition(number) for number in range(scan.number_of_acquisitions())]
    crop = header_crop(path, header)
    encoding = _encoding(path, header)
    other = [getattr(ismrmrd, name) for name in NOT_IMAGING]
    readouts = [r for r in readouts if not any(r.is_flag_set(flag) for flag in other)]
    _check_one_image(path, readouts)
    coils = readouts[0].data.shape[0]
    size = encoding.encodedSpace.matrixSize
    reads, columns, frames = int(size.x), int(size.y), 1 + max(r.idx.slice for r in readouts)
    if min(reads, columns, coils) < 1 or frames * coils * reads * columns * 8 > MOST_BYTES:
        raise DataError(f"{path} claims {frames} slices, {coils} coils, {reads} x {columns} samples; correct it.")
    limits = encoding.encodingLimits.kspace_encoding_step_1
    shift = columns // 2 - int(limits.center) if limits is not None else 0
    kspace = np.zeros((frames, coils, reads, columns), np.complex64)
    count = np.zeros((frames, reads, columns), np.int32)
    for readout in readouts:
        frame, column = readout.idx.slice, readout.idx.kspace_encode_step_1 + shift
        if not 0 <= column < columns:
            raise DataError(f"{path}: a readout lies at step {column} of {columns}; check encodedSpace and its limits.")
        samples, centre = _forwards(readout, readout.is_flag_set(ismrmrd.ACQ_IS_REVERSE))
        rows = _placed(path, samples.shape[1], centre, reads)
        kspace[frame, :, rows, column] += samples
        count[frame, rows, column] += 1
    kspace /= np.maximum(count, 1)[:, None]
    return {"kspace": kspace, "taken": count > 0, "crop": np.asarray(crop)}


def _encoding(path: Path, header: bytes) -> ismrmrd.xsd.encodingType:
    import ismrmrd

    encodings = ismrmrd.xsd.CreateFromDocument(header).encoding
    if not encodings:
        raise DataError(f"{path}: its header has no encoding; complete it.")
    encoding = encodings[0]
    trajectory = getattr(encoding.trajectory, "value", encoding.trajectory)
    if trajectory != "cartesian":
        raise DataError(f"{path} has a trajectory that is {trajectory}; only Cartesian scans can be read, regrid it.")
    if encoding.encodedSpace.matrixSize.z > 1:
        raise DataError(f"{path} is a 3-D scan; cut it into slices by a Fourier transform along its partitions first.")
    return encoding


def _check_one_image(path: Path, readouts: list[Any]) -> None:
    if not readouts:
        raise DataError(f"{path} holds no readouts of an image; check the file.")
    for index in ("contrast", "phase", "repetition", "set", "kspace_encode_step_2"):
        if len({getattr(r.idx, index) for r in readouts}) > 1:
            raise DataError(f"{path} has several values of {index}; write each into a file of its own.")
    if len({r.encoding_space_ref for r in readouts}) > 1:
        raise DataError(f"{path} has readouts of several encodings; write each into a file of its own.")
    if len({r.data.shape for r in readouts}) > 1:
        raise DataError(f"{path} has readouts of different coils or lengths; split the file.")


def _forwards(readout: ismrmrd.Acquisition, backwards: bool) -> tuple[np.ndarray, int]:
    """The samples to keep in the order of k-space, ``(coil, read)``, and which is its centre."""
    length = readout.data.shape[1]
    kept = slice(readout.discard_pre, length - readout.discard_post)
    samples, centre = readout.data[:, kept], readout.center_sample - readout.discard_pre
    if not backwards:
        return samples, centre
    return samples[:, ::-1], samples.shape[1] - 1 - centre


def _placed(path: Path, length: int, centre: int, reads: int) -> slice:
    """The rows that a readout fills, so that its centre sample is the middle of k-space."""
    if length == reads:  # nowhere else to lie; many files leave center_sample at 0
        return slice(0, reads)
    first = reads // 2 - centre
    if length < 1 or first < 0 or first + length > reads:
        raise DataError(
            f"{path} has readouts of {length} samples with centre {centre}, which do not fit into a matrix of {reads}; "
            "check center_sample and encodedSpace."
        )
    return slice(first, first + length)


if __name__ == "__main__":
    sys.exit(serve(sort_readouts))
