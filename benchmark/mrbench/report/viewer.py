"""Pictures as sprites for the slice viewer of a page: all methods in one image, on top of each other."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mrbench.report.report import Report


def shots(report: Report) -> list[dict[str, Any]]:
    """What the viewer shows of each case that pictures were kept of."""
    shown = []
    for label, shot in report.pictures.shots.items():
        methods = [method for method in report.methods if method in shot.views]
        if not methods:
            continue
        views = [shot.views[method] for method in methods]
        limit = max(float(np.percentile(np.abs(view.difference), 99.5)) for view in views) or 1.0
        height, width = shot.reference.shape
        shown.append(
            {
                "label": label,
                "case": shot.case,
                "methods": methods,
                "width": width,
                "height": height,
                "names": [name.replace("\n", " ") for name in shot.names],
                "compared": shot.compared or shot.names[0],
                "limit": float(f"{limit:.3g}"),
                "truth": _sprite([_grey(shot.reference), _grey(shot.source)]),
                "predictions": _sprite([_grey(view.prediction) for view in views]),
                "errors": _sprite([signed_colours(view.difference, limit) for view in views], lossless=True),
            }
        )
    return shown


def data_url(content: bytes, kind: str) -> str:
    """Content as an address that needs no network."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _grey(image: np.ndarray) -> np.ndarray:
    grey = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def signed_colours(difference: np.ndarray, limit: float) -> np.ndarray:
    """Errors as RGB: white where there is none, red above, blue below; as the figures' scale."""
    from matplotlib import colormaps

    from mrbench.report.figures.style import DIVERGING

    colours = colormaps[DIVERGING](np.clip(difference / limit, -1, 1) / 2 + 0.5)
    return np.rint(np.asarray(colours)[..., :3] * 255).astype(np.uint8)


def _sprite(images: Sequence[np.ndarray], *, lossless: bool = False) -> str:
    """Images ``(y, x, 3)``, first axis upwards, from the top down in one WebP; colours stay only without loss."""
    from PIL import Image

    stacked = np.concatenate([image[::-1] for image in images], axis=0)
    with io.BytesIO() as out:
        Image.fromarray(np.ascontiguousarray(stacked)).save(out, "WEBP", quality=88, method=2, lossless=lossless)
        return data_url(out.getvalue(), "image/webp")
