"""Comparison of all pairs of methods."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mrbench.stats.comparison import holm


def test_holm_by_hand() -> None:
    assert holm(pd.Series([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    np.testing.assert_array_equal(holm(pd.Series([np.nan, 0.5])), [np.nan, 0.5])
