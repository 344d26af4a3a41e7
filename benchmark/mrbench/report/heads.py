"""A picture of prepared heads: the middle planes of each, with the rim of the brain, to look at before a run."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from mrbench.datasets.own_heads import PreparedHead
from mrbench.report import escape
from mrbench.report.figures.style import SMALL, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 4
"""Heads in a row."""

MOST = 48
"""Heads in a picture: the ones that fit worst go first."""

WIDTH, HEIGHT = 2.6, 1.05
"""Inches of a head's three planes."""


@styled
def heads_picture(heads: Sequence[PreparedHead]) -> Figure:
    """Draw the heads that have a picture, the worst first."""
    from matplotlib.figure import Figure

    shown = sorted((h for h in heads if h.picture is not None), key=lambda h: (h.sound, h.overlap))[:MOST]
    rows = max(1, ceil(len(shown) / ACROSS))
    figure = Figure(figsize=(WIDTH * ACROSS, HEIGHT * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, ACROSS)).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, head in zip(axes, shown, strict=False):
        assert head.picture is not None and head.outline is not None
        planes = [np.repeat(plane[::-1, :, None], 3, axis=2) for plane in head.picture]
        for plane, rim in zip(planes, head.outline, strict=True):
            plane[rim[::-1]] = (0.9, 0.6, 0.0)
        axis.imshow(np.concatenate(planes, axis=1), vmin=0, vmax=1)
        title = f"{head.subject}: overlap {head.overlap:.2f}"
        axis.set_title(escape.plain(title), fontsize=SMALL, color="black" if head.sound else "#B00000")
    return figure
