"""BART's parallel imaging and compressed sensing, where its command line tool is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mrbench.core.errors import MrbenchError, unknown_name
from mrbench.core.method import Method
from mrbench.io.cfl import read_cfl, write_cfl
from mrbench.tasks.reconstruction import ReconstructionInputs

REGULARISERS = {"wavelet": ["-R", "W:3:0:{}"], "tv": ["-R", "T:3:0:{}"], "l2": ["-R", "Q:{}"]}
"""Options of ``pics``."""

ADMM = {"one coil": "0.02", "array": "0.005"}
"""Of TV, ``-u``: with the default, 100 iterations do not converge. In an array, 100 iterations from .02 end .3 dB
below those from .005 (two validation slices of ixi-hh-2mm), which end .2 dB below 400."""


class BartPics(Method):
    """``bart pics`` with maps from ``bart ecalib`` that keep the background (``-c 0``) and weight kernels (``-W``).

    With the five or six calibration lines of eight-fold sampling, the tool's fixed threshold (without ``-W``) costs
    about 1 dB on some heads, more than any choice of regulariser brings back. ``-a`` crops, whatever ``-c`` says.

    ``min_x 1/2 |M F S x - y / s|^2 + strength R(x)``, R being ``|W x|_1`` over shifted Daubechies wavelets
    (``-R W:3:0``, FISTA), ``|grad x|_1`` (``-R T:3:0``, ADMM) or ``|x|^2 / 2`` (``-R Q``). The tool divides y by s, the
    largest value of a low-resolution image or a high percentile of it, and multiplies x by it (``-S``): strength is in
    units of an image whose brightest parts are about 1.

    Parameters
    ----------
    regulariser : {"wavelet", "tv", "l2"}
    strength : float or "tuned"
        In units of x / s: the number after ``-R ...:``.
    iterations : int
    """

    task = "reconstruction"
    reference = "Uecker et al., BART; ESPIRiT, Magn. Reson. Med. 2014; weights: Iyer et al., 2020"
    tunable = {"strength": (0.005, 0.01, 0.02)}
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"regulariser": "wavelet"},
        {"regulariser": "wavelet", "strength": "tuned"},
        {"regulariser": "tv"},
        {"regulariser": "tv", "strength": "tuned"},
    )

    def __init__(self, *, regulariser: str = "wavelet", strength: float = 0.01, iterations: int = 100) -> None:
        if regulariser not in REGULARISERS:
            raise unknown_name("regulariser of bart", regulariser, REGULARISERS)
        self.regulariser = regulariser
        self.strength = float(strength)
        self.iterations = iterations

    @classmethod
    def unavailable_reason(cls) -> str | None:
        return None if shutil.which("bart") else "bart is not installed: apt-get install bart"

    def predict(self, inputs: ReconstructionInputs) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            pairs = zip(inputs.kspace, inputs.mask, strict=True)
            return np.stack([self._frame(Path(folder), y, m, inputs.calibration) for y, m in pairs])

    def _frame(self, folder: Path, kspace: np.ndarray, mask: np.ndarray, calibration: tuple[int, int]) -> np.ndarray:
        write_cfl(folder / "kspace", kspace[:, None])  # (coil, z, y, x), which BART calls x, y, z, coil
        write_cfl(folder / "pattern", mask.astype(np.complex64))
        if len(kspace) == 1:
            write_cfl(folder / "maps", np.ones_like(kspace[:, None]))
        else:
            rows, columns = (min(24, width) for width in calibration)
            sides = (min(6, (width + 1) // 2) for width in (columns, rows))
            _bart(
                folder,
                "ecalib",
                "-m1",
                "-W",
                "-c",
                "0",
                "-r",
                f"{columns}:{rows}:1",
                "-k",
                ":".join(map(str, [*sides, 1])),
                "kspace",
                "maps",
            )
            if not read_cfl(folder / "maps").any():
                raise MrbenchError("bart ecalib returned empty maps: the calibration block is too small for it.")
        options = [option.format(self.strength) for option in REGULARISERS[self.regulariser]]
        if self.regulariser == "tv":
            options += ["-u", ADMM["one coil" if len(kspace) == 1 else "array"]]
        _bart(folder, "pics", "-S", "-i", str(self.iterations), *options, "-p", "pattern", "kspace", "maps", "image")
        return read_cfl(folder / "image").reshape(kspace.shape[1:])


def _bart(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["bart", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MrbenchError(f"bart {arguments[0]} failed: {last}")
