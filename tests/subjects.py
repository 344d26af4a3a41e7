"""Simulated subjects, a second or two each, once for all tests of a process."""

from __future__ import annotations

from functools import cache

from mrbench.datasets.dataset import Subject
from mrbench.datasets.icbm_sim import IcbmSim


@cache
def simulated(name: str, dataset: type[IcbmSim] = IcbmSim) -> Subject:
    """A subject of a cohort, whose arrays no test may change."""
    subject = dataset().make(name)
    for array in (*subject.images.values(), subject.labels, subject.mask):
        array.flags.writeable = False
    return subject
