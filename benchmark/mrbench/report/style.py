"""How figures look: one style for screen and paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mrbench.io.files import write_atomically

COLOURS = {"classical": "#4C72B0", "learned": "#DD8452"}

_RC = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,  # editable text, as journals ask
    "savefig.dpi": 150,
}


@contextmanager
def figure(path: Path, size: tuple[float, float], **subplots: Any) -> Iterator[tuple[Any, Any]]:
    """Open a figure and write it to ``path`` as PNG and PDF.

    Parameters
    ----------
    path : Path
        Without suffix.
    size : tuple of float
        Width and height in inches.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context(_RC):
        drawn, axes = plt.subplots(figsize=size, **subplots)
        yield drawn, axes
        for suffix in ("png", "pdf"):
            with write_atomically(path.with_suffix(f".{suffix}")) as file:
                # no date inside: the same rows give the same bytes
                drawn.savefig(file, format=suffix, metadata={"CreationDate": None} if suffix == "pdf" else None)
        plt.close(drawn)
