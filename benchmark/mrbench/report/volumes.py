"""A page with whole volumes: three planes, every method, blended with the reference and with signed errors over it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.io.files import write_atomically
from mrbench.report.render.html import environment
from mrbench.report.viewer import data_url

LIMIT = 16_383
"""Pixels that a WebP image has at most, each way."""


@dataclass(frozen=True)
class Volumes:
    """One case as it is shown: arrays ``(slice, y, x)`` in [0, 1], second axis upwards.

    Attributes
    ----------
    title, case : str
    reference, source : ndarray
    predictions : mapping of str to ndarray
        By method.
    names : tuple of str
        Titles of reference and source.
    spacing : tuple of float
        Of the three axes, mm (or 1, where an axis is time).
    scores : mapping of str to str
        What to say of each method.
    """

    title: str
    case: str
    reference: np.ndarray
    source: np.ndarray
    predictions: Mapping[str, np.ndarray]
    names: tuple[str, str]
    spacing: tuple[float, float, float]
    scores: Mapping[str, str] = field(default_factory=dict)


def write_volumes(path: Path, shown: Volumes) -> None:
    """Write the page: one file that asks for nothing.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    source, _, _ = environment().loader.get_source(environment(), "volumes.js")  # type: ignore[union-attr]
    css, _, _ = environment().loader.get_source(environment(), "page.css")  # type: ignore[union-attr]
    html = environment().get_template("volumes.html.j2").render(shown=shown, data=_data(shown), script=source, css=css)
    with write_atomically(path) as file:
        file.write(html.encode("utf-8", "replace"))


def _data(shown: Volumes) -> dict[str, Any]:
    errors = [np.abs(prediction - shown.reference) for prediction in shown.predictions.values()]
    limit = max((float(np.percentile(one, 99.9)) for one in errors), default=0.0) or 1.0
    return {
        "shape": list(shown.reference.shape),
        "across": _across(shown.reference.shape),
        "spacing": [float(f"{size:.6g}") for size in shown.spacing],
        "names": [name.replace("\n", " ") for name in shown.names],
        "limit": float(f"{limit:.3g}"),
        "methods": list(shown.predictions),
        "scores": [shown.scores.get(method, "") for method in shown.predictions],
        "volumes": [_mosaic(volume) for volume in (shown.reference, shown.source, *shown.predictions.values())],
    }


def _across(shape: tuple[int, ...]) -> int:
    """Slices side by side, so that the mosaic is about square."""
    count, height, width = shape
    return max(1, min(count, ceil(sqrt(count * height / width)), LIMIT // width))


def _mosaic(volume: np.ndarray) -> str:
    """All slices in one grey image without loss, row by row."""
    from PIL import Image

    count, height, width = volume.shape
    across = _across(volume.shape)
    sheet = np.zeros((ceil(count / across) * height, across * width), np.uint8)
    for place, image in enumerate(np.rint(np.clip(volume, 0, 1) * 255).astype(np.uint8)):
        y, x = height * (place // across), width * (place % across)
        sheet[y : y + height, x : x + width] = image
    with io.BytesIO() as out:
        Image.fromarray(sheet).convert("RGB").save(out, "WEBP", lossless=True, quality=60, method=2)
        return data_url(out.getvalue(), "image/webp")
