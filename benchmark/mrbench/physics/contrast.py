"""Signal equations: tissue properties to contrast. Times in ms."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp


@dataclass(frozen=True)
class Tissue:
    """Relaxation times in ms and relative proton density."""

    t1: float
    t2: float
    proton_density: float


TISSUES_3T = {
    "csf": Tissue(t1=4000, t2=1500, proton_density=1.0),
    "gm": Tissue(t1=1350, t2=105, proton_density=0.82),
    "wm": Tissue(t1=840, t2=75, proton_density=0.70),
}
"""Typical values at 3 T: Wansapura et al., JMRI 1999; Stanisz et al., MRM 2005."""


PATHOLOGY_3T = {"lesion": Tissue(t1=1550, t2=160, proton_density=0.85)}
"""Demyelinated white matter, dark in T1 and bright in T2: Stevenson et al., JMRI 2000; Neema et al., 2009."""


def inversion_recovery(tissue: Tissue, *, inversion_time: float, repetition_time: float) -> float:
    """Signed signal of an inversion-recovery sequence (MPRAGE-like T1 contrast).

    ``PD (1 - 2 exp(-TI/T1) + exp(-TR/T1))``; take the magnitude after mixing tissues in a voxel.
    """
    recovered = 1 - 2 * exp(-inversion_time / tissue.t1) + exp(-repetition_time / tissue.t1)
    return tissue.proton_density * recovered


def spin_echo(tissue: Tissue, *, echo_time: float, repetition_time: float) -> float:
    """Signal of a spin echo (T2 contrast): ``PD (1 - exp(-TR/T1)) exp(-TE/T2)``."""
    return tissue.proton_density * (1 - exp(-repetition_time / tissue.t1)) * exp(-echo_time / tissue.t2)
