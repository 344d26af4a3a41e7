"""`icbm-sim`: a simulated cohort that needs no download, with every truth known.

One subject is the ICBM 2009a template, given a thin cortex with sulci, under a random diffeomorphism of several scales,
with widths of sulci, texture, tissue parameters, bias field and noise of their own. Everything follows from the id.
"""

from __future__ import annotations

import numpy as np

from mrbench.datasets.dataset import Dataset, Subject
from mrbench.simulation.acquisition import CONTRASTS, anatomy, scans
from mrbench.simulation.anatomy import STRUCTURES
from mrbench.simulation.deformation import exponential, random_velocity
from mrbench.simulation.head import around
from mrbench.space.template import GRID_SPACING

NOISE_PERCENT = 2.0


class IcbmSim(Dataset):
    """Simulated T1 and T2 of 60 people at 2 mm, with 26 structures and the true deformation.

    ``truth`` holds ``to_template`` and ``from_template``: displacements in voxels of the 2 mm grid from
    the subject to the template and back, inverse to each other.
    """

    name = "icbm-sim"
    title = "simulated T1 and T2 of 60 people, 26 structures, true deformation known"
    simulated = True
    endless = True
    citation = "Fonov et al., NeuroImage 2011 (ICBM 152 2009a template, as packaged by nilearn); simulation by mrbench"
    licence = "ICBM template: permissive, see nilearn; simulation: Apache-2.0"
    preparation = 2
    structures = STRUCTURES
    noise_percent = NOISE_PERCENT

    def make(self, subject: str) -> Subject:
        velocity = random_velocity(subject)
        to_template, from_template = exponential(velocity), exponential(-velocity)
        fractions, mask, labels = anatomy(subject, to_template)
        images = scans(subject, self.pathology(subject, fractions), mask, CONTRASTS, self.noise_percent)
        truth = {
            "to_template": to_template.astype(np.float16),
            "from_template": from_template.astype(np.float16),
        }
        return Subject(subject, images, mask, labels, GRID_SPACING, truth)

    def pathology(self, subject: str, fractions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Put diseased tissue in the place of healthy tissue: here there is none."""
        return fractions


class IcbmHeads(IcbmSim):
    """The people of `IcbmSim` with skull and scalp, in T1 and with half the noise: what is scanned for `IcbmScans`."""

    title = "simulated T1 of 60 heads"
    representation = "volumes"
    form = "heads"
    noise_percent = NOISE_PERCENT / 2

    def make(self, subject: str) -> Subject:
        fractions, mask, labels = anatomy(subject, exponential(random_velocity(subject)))
        outside = around(subject, mask)
        fractions = {**outside, **fractions, "csf": fractions["csf"] + outside["csf"]}
        contrasts = {"T1": CONTRASTS["T1"]}
        images = scans(subject, fractions, mask, contrasts, self.noise_percent, stripped=False)
        return Subject(subject, images, mask, labels, GRID_SPACING)
