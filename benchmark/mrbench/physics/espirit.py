"""ESPIRiT coil maps, from calibration blocks of any shape."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mrbench.physics.fourier import root_sum_of_squares, to_image

KERNEL = 6
"""Largest kernel side, ESPIRiT's own; less where the calibration block is thin."""

THRESHOLD = 0.02
"""Singular vectors below this fraction of the largest singular value are noise."""

LONGEST = 24
"""Calibration samples used along an axis, as in sigpy and BART."""


def espirit(kspace: np.ndarray, calibration: tuple[int, int], rows: slice = slice(None)) -> np.ndarray:
    """First set of ESPIRiT maps of one frame.

    The null space of the calibration matrix's rows gives, for each pixel, a small Hermitian matrix whose
    eigenvector to the eigenvalue 1 is the vector of sensitivities there.

    Parameters
    ----------
    kspace : ndarray of complex64, shape ``(coil, y, x)``
        Centred, orthonormal; what was not measured is zero.
    calibration : tuple of int
        Rows and columns of the fully sampled block in the centre. Unlike sigpy's, it may be oblong, so that
        the few centre lines of an 8-fold acquisition suffice.
    rows : slice
        Of the image; the maps of others are not computed.

    Returns
    -------
    ndarray of complex64, shape ``(coil, row, x)``
        The phase is that of the first coil being real.

    References
    ----------
    Uecker et al., ESPIRiT, Magn. Reson. Med. 2014.
    """
    coils, *shape = kspace.shape
    size = [min(LONGEST, width) for width in calibration]
    sides = tuple(min(KERNEL, (width + 1) // 2) for width in size)
    middle = [slice(n // 2 - w // 2, n // 2 - w // 2 + w) for n, w in zip(shape, size, strict=True)]
    windows = sliding_window_view(kspace[:, *middle], sides, axis=(1, 2))  # type: ignore[call-overload]
    matrix = windows.transpose(1, 2, 0, 3, 4).reshape(-1, coils * sides[0] * sides[1])
    _, singular, vectors = np.linalg.svd(matrix, full_matrices=False)
    kept = vectors[singular > THRESHOLD * singular[0]].reshape(-1, coils, *sides)
    return _sensitivities(kept, shape, rows)


def _sensitivities(kernels: np.ndarray, shape: list[int], wanted: slice) -> np.ndarray:
    """Leading eigenvector, by pixel, of the projection on the kernels' span.

    The projections are made from the kernels' correlations: one image a pair of coils, whatever the number of
    kernels.
    """
    sides = [2 * side - 1 for side in kernels.shape[2:]]
    spectra = np.fft.fft2(kernels, sides)
    pairs = np.einsum("kiyx,kjyx->jiyx", spectra.conj(), spectra)
    pairs = np.fft.fftshift(np.fft.ifft2(pairs), axes=(-2, -1)).astype(np.complex64)
    margins = [(n // 2 - side // 2, n - side - (n // 2 - side // 2)) for n, side in zip(shape, sides, strict=True)]
    projections = to_image(np.pad(pairs, [(0, 0), (0, 0), *margins]))[:, :, wanted]
    _, modes = np.linalg.eigh(projections.transpose(2, 3, 0, 1))
    maps = modes[..., -1].transpose(2, 0, 1)
    maps = maps * np.exp(-1j * np.angle(maps[:1]))
    return (maps / root_sum_of_squares(maps)).astype(np.complex64)
