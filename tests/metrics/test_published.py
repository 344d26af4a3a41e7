"""Scores as papers of synthesis compute them."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from mrbench.metrics.published import by_own_maximum


def test_slices_over_their_own_maxima_are_syndiffs() -> None:
    rng = np.random.default_rng(0)
    target, generated = rng.random((4, 12, 11)), 3 * rng.random((4, 12, 11))
    target[2] = 0  # no brain there
    psnr, ssim = by_own_maximum(target, generated)
    pairs = [(t / t.max(), m / m.max()) for t, m in zip(target[[0, 1, 3]], generated[[0, 1, 3]], strict=True)]
    expected = [20 * np.log10(m.max() / np.sqrt(np.mean((m - t) ** 2))) for t, m in pairs]
    assert psnr == pytest.approx(np.mean(expected), abs=1e-6)
    assert ssim == pytest.approx(np.mean([structural_similarity(t, m, data_range=1) for t, m in pairs]), abs=1e-6)


def test_gain_cannot_show_and_nothing_is_refused() -> None:
    target = np.random.default_rng(1).random((3, 9, 9))
    assert by_own_maximum(target, 5 * target)[0] > 140
    assert np.isfinite(by_own_maximum(target, 0 * target)).all()
    with pytest.raises(ValueError, match="nothing can be scored"):
        by_own_maximum(0 * target, target)
