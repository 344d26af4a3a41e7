"""Means by kind of acquisition, such as fastMRI's PD and PDFS: sentences under a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrbench.core.row import Row


def by_acquisition(rows: Sequence[Row]) -> list[str]:
    """A sentence for each kind of acquisition among the rows, where there are several."""
    scored = [row for row in rows if row.status == "ok" and "acquisition" in row.details and "ssim" in row.metrics]
    said = []
    for kind in sorted({str(row.details["acquisition"]) for row in scored}):
        stratum = [row for row in scored if row.details["acquisition"] == kind]
        means = []
        for method in dict.fromkeys(row.method for row in stratum):
            scores = [row.metrics for row in stratum if row.method == method]
            ssim, psnr, error = (np.mean([s[name] for s in scores]) for name in ("ssim", "psnr_db", "nmse"))
            means.append(f"{method} {ssim:.4f} / {psnr:.2f} / {error:.4f}")
        count = len({row.case for row in stratum})
        said.append(f"{kind}, {count} volume{'s' * (count > 1)}, mean SSIM / PSNR / NMSE: {'; '.join(means)}.")
    return said if len(said) > 1 else []
