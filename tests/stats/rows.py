"""Rows as boards have them, for the tests of statistics."""

from __future__ import annotations

import numpy as np
from tests.rows import row_of

from mrbench.core.metric import Metric
from mrbench.core.row import Row

DICE = Metric("dice", "Dice", "", True, (0, 1))
HD95 = Metric("hd95_mm", "HD95", "mm", False, (0, np.inf))
PSNR = Metric("psnr_db", "PSNR", "dB", True, decimals=2)


row = row_of


def dice(method: str, case: int, value: float | None, **changes: object) -> Row:
    """One row of a board of registration: cases are a chain of pairs."""
    metrics = None if value is None else {"dice": value, "hd95_mm": 10 * (1 - value)}
    chain = {"subjects": [f"s{case}", f"s{case + 1}"], "seconds": 1.0 + case, "cpu_seconds": 1.0}
    return row(method, case, metrics, **{**chain, **changes})
