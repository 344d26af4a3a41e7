"""Signal equations: tissue properties to contrast. Times in ms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp


@dataclass(frozen=True)
class Tissue:
    """Relaxation times in ms and relative proton density; ``enhanced_t1`` where a gadolinium agent is taken up."""

    t1: float
    t2: float
    proton_density: float
    enhanced_t1: float | None = None


TISSUES_3T = {
    "csf": Tissue(t1=4000, t2=1500, proton_density=1.0),
    "gm": Tissue(t1=1350, t2=105, proton_density=0.82),
    "wm": Tissue(t1=840, t2=75, proton_density=0.70),
}
"""Typical values at 3 T: Wansapura et al., JMRI 1999; Stanisz et al., MRM 2005."""


PATHOLOGY_3T = {
    "lesion": Tissue(t1=1550, t2=160, proton_density=0.85),
    "oedema": Tissue(t1=1500, t2=170, proton_density=0.88),
    "necrosis": Tissue(t1=2600, t2=350, proton_density=0.95),
    "enhancing": Tissue(t1=1450, t2=130, proton_density=0.85, enhanced_t1=480),
    "solid": Tissue(t1=1420, t2=118, proton_density=0.83),
    "vessel": Tissue(t1=1650, t2=60, proton_density=0.80, enhanced_t1=380),
}
"""Demyelinated white matter (Stevenson et al., JMRI 2000) and a glioma's parts: middle values of the ranges in print
(Oh et al., JMRI 2005; Badve et al., AJNR 2017). Solid tumour that does not enhance is cellular, near grey matter. What
else takes up gadolinium is a vessel or the choroid plexus: T1 of blood (Lu et al., MRM 2004), T2 shortened by flow."""


HEAD_3T = {
    "bone": Tissue(t1=1000, t2=1, proton_density=0.08),
    "marrow": Tissue(t1=550, t2=50, proton_density=0.30),
    "muscle": Tissue(t1=1420, t2=32, proton_density=0.80),
    "scalp": Tissue(t1=1300, t2=35, proton_density=0.75),
    "fat": Tissue(t1=385, t2=133, proton_density=0.75),
}
"""Around the brain. Muscle, and fat within 4 %: Gold et al., AJR 2004. Cortical bone has hardly any signal at usual
echo times; of marrow, skin and all proton densities these are round figures, chosen so that heads look real."""


def inversion_recovery(tissue: Tissue, *, inversion_time: float, repetition_time: float) -> float:
    """Signed signal of an inversion-recovery sequence (MPRAGE-like T1 contrast).

    ``PD (1 - 2 exp(-TI/T1) + exp(-TR/T1))``; take the magnitude after mixing tissues in a voxel.
    """
    recovered = 1 - 2 * exp(-inversion_time / tissue.t1) + exp(-repetition_time / tissue.t1)
    return tissue.proton_density * recovered


def enhanced(tissue: Tissue) -> Tissue:
    """The tissue after a gadolinium agent."""
    return tissue if tissue.enhanced_t1 is None else replace(tissue, t1=tissue.enhanced_t1)


def fluid_attenuated(tissue: Tissue, *, inversion_time: float, echo_time: float, repetition_time: float) -> float:
    """Signed signal of an inversion-recovery spin echo (FLAIR): that of `inversion_recovery` times ``exp(-TE/T2)``."""
    recovered = inversion_recovery(tissue, inversion_time=inversion_time, repetition_time=repetition_time)
    return recovered * exp(-echo_time / tissue.t2)


def spin_echo(tissue: Tissue, *, echo_time: float, repetition_time: float) -> float:
    """Signal of a spin echo (T2 contrast): ``PD (1 - exp(-TR/T1)) exp(-TE/T2)``."""
    return tissue.proton_density * (1 - exp(-repetition_time / tissue.t1)) * exp(-echo_time / tissue.t2)
