"""Means by kind of acquisition, such as fastMRI's PD and PDFS: sentences under a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def by_acquisition(rows: pd.DataFrame) -> list[str]:
    """A sentence for each kind of acquisition among the rows, where there are several."""
    if "ssim" not in rows:
        return []
    kinds = [str(details["acquisition"]) if "acquisition" in details else None for details in rows["details"]]
    scored = rows.assign(acquisition=kinds)[(rows["status"] == "ok") & rows["ssim"].notna()]
    said = []
    for kind, stratum in scored.groupby("acquisition"):
        table = stratum.groupby("method", sort=False, observed=True)[["ssim", "psnr_db", "nmse"]].mean()
        means = [f"{row.Index} {row.ssim:.4f} / {row.psnr_db:.2f} / {row.nmse:.4f}" for row in table.itertuples()]
        count = stratum["case"].nunique()
        said.append(f"{kind}, {count} volume{'s' * (count > 1)}, mean SSIM / PSNR / NMSE: {'; '.join(means)}.")
    return said if len(said) > 1 else []
