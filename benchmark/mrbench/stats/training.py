"""What weights have been through: what a fair comparison of learned methods asks of their manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mrbench.core.registry import files_owner


@dataclass(frozen=True)
class Training:
    """What a set of weights was trained on, and how long, as its manifest and those of its ancestors say.

    Attributes
    ----------
    dataset : str
        Of the last training.
    tracks : tuple of str
    ancestry : tuple of str
        Datasets of every training that these weights descend from, their own included.
    weights : str
        sha256.
    ancestors : tuple of str
        sha256 of the weights that they descend from, newest first.
    seen : mapping of str to frozenset of str
        Subjects that trained or validated them or an ancestor, by dataset.
    train_subjects : int
        Subjects of the last training.
    samples, seconds : float or None
        Of the whole history; None where a manifest does not say, or that of an ancestor is not at hand.
    flat : bool
        Whether the validation curve of the last training had come to rest.
    hardware : str
    fingerprint : str
        Of the data of the last training.
    """

    dataset: str
    tracks: tuple[str, ...]
    ancestry: tuple[str, ...] = ()
    weights: str = ""
    ancestors: tuple[str, ...] = ()
    seen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    train_subjects: int = 0
    samples: float | None = None
    seconds: float | None = None
    flat: bool = False
    hardware: str = ""
    fingerprint: str = ""

    def __str__(self) -> str:
        return f"{self.dataset}, {' + '.join(self.tracks)}"

    def is_home(self, dataset: str) -> bool:
        """Whether the last training was on a dataset, or on another with the same files."""
        return files_owner(self.dataset) == files_owner(dataset)

    def is_outdated(self, dataset: str, track: str, fingerprint: str) -> bool:
        """Whether these weights are for a track of a dataset that has changed since they were trained."""
        return self.dataset == dataset and track in self.tracks and self.fingerprint not in ("", fingerprint)

    def knows(self, dataset: str) -> bool:
        """Whether any training that these weights descend from was on a dataset, or on another with the same files."""
        return files_owner(dataset) in map(files_owner, self.ancestry)

    def related(self, other: Training) -> bool:
        """Whether one descends from the other, or both from the same weights."""
        return bool({self.weights, *self.ancestors} & {other.weights, *other.ancestors})
