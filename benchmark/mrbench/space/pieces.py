"""Connected pieces of a mask."""

from __future__ import annotations

import numpy as np


def largest_piece(mask: np.ndarray) -> np.ndarray:
    """The largest piece of a mask (face neighbours); empty if the mask is."""
    from scipy.ndimage import label

    pieces, count = label(mask)
    if not count:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return pieces == sizes.argmax()
