"""Datasets of as many people as one likes, who are noise in a box and on no disk: for what grows with subjects."""

from __future__ import annotations

import numpy as np

from mrbench.datasets.acquisition import Acquisition, KspaceDataset
from mrbench.datasets.dataset import Dataset, Subject
from mrbench.physics.fourier import to_kspace

CONTRASTS = ("T1", "T1c", "T2", "FLAIR")


class Many(Dataset):
    """People with the contrasts that are asked for, and three labels in the middle."""

    name, title, citation, licence, preparation = "many", "noise", "nobody", "CC0", 1
    simulated = True
    structures = {"outer": (1,), "middle": (2,), "inner": (3,)}

    def __init__(self, subjects: int, shape: tuple[int, int, int], contrasts: tuple[str, ...] = CONTRASTS) -> None:
        self.shape, self.contrasts = shape, contrasts
        self.splits = {"train": [f"s{n}" for n in range(subjects)], "validation": ["v1", "v2"], "test": ["t1"]}
        super().__init__()

    def make(self, subject: str) -> Subject:
        rng = np.random.default_rng(list(subject.encode()))
        labels = np.zeros(self.shape, np.int16)
        z, y, x = (side // 2 for side in self.shape)
        for label in (1, 2, 3):
            labels[z - 5 + label : z + 4, y - 9 + label : y + 9, x - 9 + 3 * label : x + 9] = label
        mask = np.zeros(self.shape, bool)
        mask[:, 2:-2, 2:-2] = True
        images = {name: rng.random(self.shape, np.float32) * mask for name in self.contrasts}
        return Subject(subject, images, mask, labels, (1.0, 1.0, 1.0))

    def load(self, subject: str) -> Subject:
        return self.make(subject)


class ManyScans(KspaceDataset, Many):
    """The same people, scanned with two coils that see all alike."""

    def acquisition(self, subject: str, *, coils: int | None) -> Acquisition:
        person = self.make(subject)
        magnitude = person.images["T1"] / person.images["T1"].max()
        kspace = to_kspace(np.stack([magnitude] * (coils or 2), 1) / np.sqrt(coils or 2)).astype(np.complex64)
        return Acquisition(kspace, magnitude, person.mask, None, self.shape[1:], person.spacing)
