"""A DICOM series in files, as a scanner writes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

SHAPE = (12, 10, 9)
"""Slices, rows, columns."""

UIDS = {name: generate_uid(entropy_srcs=[name]) for name in ("a", "b")}

COSINE, SINE = np.cos(0.3), np.sin(0.3)
SAGITTAL = (0.0, 1, 0, 0, 0, -1)
OBLIQUE = (COSINE, SINE, 0.0, -SINE, COSINE, 0.0)


def volume() -> np.ndarray:
    z, y, x = np.indices(SHAPE)
    inside = ((z - 6) / 5) ** 2 + ((y - 5) / 4) ** 2 + ((x - 4) / 3.5) ** 2 < 1
    return np.where(inside, 100 + 10 * z + 3 * y + x, 0).astype(np.uint16)


def write(
    folder: Path,
    orientation: tuple[float, ...] = OBLIQUE,
    series: str = "a",
    description: str = "t1 mprage",
    change: Callable[[Dataset, int], None] = lambda header, number: None,
    modality: str = "MR",
) -> Path:
    """Write a series in an order that is not that of its positions, with a slope, slices of 3 mm."""
    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(orientation[:3], orientation[3:])
    for number, pixels in enumerate(volume()):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        header.SOPClassUID, header.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        header.PatientID, header.Modality, header.SeriesDescription = "P 01/x", modality, description
        header.SeriesInstanceUID = UIDS[series]
        header.Rows, header.Columns = pixels.shape
        header.PixelSpacing, header.ImageOrientationPatient = [2.0, 1.5], [f"{value:.8f}" for value in orientation]
        header.ImagePositionPatient = [f"{value:.6f}" for value in np.array([-30.0, 20, 5]) + 3.0 * number * normal]
        header.BitsAllocated = header.BitsStored = 16
        header.HighBit, header.PixelRepresentation, header.SamplesPerPixel = 15, 0, 1
        header.PhotometricInterpretation = "MONOCHROME2"
        header.RescaleSlope, header.RescaleIntercept = 0.5, 0
        header.PixelData = pixels.tobytes()
        change(header, number)
        header.save_as(folder / f"{series}{(7 * number) % 12:03d}.dcm", enforce_file_format=True)
    return folder
