"""ITK's transforms as displacements; run as a program by `mrbench.io.predictions.fields`: ITK may crash on them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from mrbench.core.errors import DataError
from mrbench.io.apart import serve


def displacements(path: Path, grid: str) -> dict[str, np.ndarray]:
    """Return ``lps_mm``, ``(3, z, y, x)``, of a transform on a grid.

    Parameters
    ----------
    path : Path
        The file.
    grid : str
        JSON: ``shape`` ``(z, y, x)`` and ``affine`` from ``(x, y, z)`` indices to mm of LPS.

    Raises
    ------
    DataError
        If ITK cannot read it.
    """
    import SimpleITK as sitk

    where = json.loads(grid)
    lps = np.asarray(where["affine"])
    try:
        transform = sitk.ReadTransform(str(path))
    except Exception:  # a RuntimeError of ITK, or its message is no text
        raise DataError(
            f"{path} cannot be read as an ITK transform; of elastix's TransformParameters write the field with "
            "`transformix -def all`."
        ) from None
    spacing = np.sqrt((lps[:3, :3] ** 2).sum(axis=0))
    try:
        field = sitk.TransformToDisplacementField(
            transform,
            sitk.sitkVectorFloat64,
            where["shape"][::-1],
            lps[:3, 3].tolist(),
            spacing.tolist(),
            (lps[:3, :3] / spacing).ravel().tolist(),
        )
    except Exception:  # of another dimension, for example
        raise DataError(f"{path} holds no transform of a volume; check how it was written.") from None
    return {"lps_mm": np.moveaxis(sitk.GetArrayFromImage(field), -1, 0)}


if __name__ == "__main__":
    sys.exit(serve(displacements))
