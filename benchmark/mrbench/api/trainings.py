"""What the shipped weights of a task have been through, from their manifests."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mrbench.core.registry import find_method, is_foreign, method_names
from mrbench.core.weights import read_manifest, subjects_seen, weights_folder
from mrbench.stats.training import Training
from mrbench.training.ancestry import SCRATCH, ancestry_datasets


def trainings(task: str, methods: Collection[str] | None = None) -> dict[str, Training]:
    """The training of every shipped set of weights of a task, by the sha256 of the weights.

    Parameters
    ----------
    task : str
        Its name.
    methods : collection of str, optional
        Names of methods whose weights to look for; default: all. What is not installed, or a plug-in, has none.
    """
    manifests: dict[str, Mapping[str, Any]] = {}
    for name in method_names(task):
        if (methods is not None and name not in methods) or is_foreign(name, task):  # no code of others is imported
            continue
        method = find_method(name, task)
        if method.takes_weights:
            for path in weights_folder(method).glob("*.json"):
                manifest = read_manifest(path)
                manifests[manifest["sha256"]] = manifest
    return {sha: training_of(manifest, manifests) for sha, manifest in manifests.items()}


def training_of(manifest: Mapping[str, Any], manifests: Mapping[str, Mapping[str, Any]]) -> Training:
    """The whole history of weights.

    Parameters
    ----------
    manifest : mapping
        As it lies beside the weights.
    manifests : mapping
        Those that are at hand, by sha256: only of these is it known how long an ancestor was trained.
    """
    chain = manifest.get("ancestry", [])
    ancestors = tuple(link["start"] for link in chain if link["start"] != SCRATCH)
    history = [manifest, *(manifests.get(sha) for sha in ancestors)]
    return Training(
        manifest["dataset"],
        tuple(manifest["tracks"]),
        ancestry_datasets(manifest),
        manifest["sha256"],
        ancestors,
        {name: frozenset(subjects) for name, subjects in subjects_seen(chain).items()},
        len(chain[0]["train"]) if chain else 0,
        flat=bool(manifest.get("flat")),
        hardware=str(manifest.get("hardware", "")),
        fingerprint=str(manifest.get("dataset_fingerprint", "")),
        samples=_total(history, "samples_seen"),
        seconds=_total(history, "seconds"),
    )


def _total(history: list[Mapping[str, Any] | None], key: str) -> float | None:
    amounts = [None if manifest is None else manifest.get(key) for manifest in history]
    known = [float(amount) for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
