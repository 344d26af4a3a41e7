"""Where weights and tuned parameters come from: every dataset and subject that they saw, back to the start."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mrbench.core.dataset import Dataset
from mrbench.core.errors import RequestError
from mrbench.core.registry import dataset_names, find_dataset
from mrbench.core.weights import manifest_path, read_manifest, seen_among, subjects_seen

SCRATCH = "scratch"
"""What the oldest link of an ancestry started from."""


def link(dataset: Dataset, start: str = SCRATCH) -> dict[str, Any]:
    """One training as a link of an ancestry.

    Parameters
    ----------
    dataset : Dataset
        What was trained on.
    start : str
        sha256 of the weights that the training started from, or ``scratch``.
    """
    packed = {"pack_sha256": dataset.packed} if dataset.packed else {}
    return {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "split_version": dataset.split_file.version,
        "train": list(dataset.subjects("train")),
        "validation": list(dataset.subjects("validation")),
        **packed,
        "start": start,
    }


def ancestry_of(dataset: Dataset, start_from: Path | None) -> list[dict[str, Any]]:
    """The ancestry of a training, newest link first.

    Raises
    ------
    RequestError
        If the weights that it starts from do not tell their own ancestry to its end.
    """
    if start_from is None:
        return [link(dataset)]
    path = manifest_path(start_from)
    manifest = read_manifest(path) if path.is_file() else {}
    return [link(dataset, manifest.get("sha256", "")), *complete_ancestry(manifest, start_from.name)]


def complete_ancestry(manifest: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The ancestry that a manifest of weights tells, newest link first.

    Raises
    ------
    RequestError
        If it tells none, or one that does not end in a training from scratch.
    """
    chain = manifest.get("ancestry") or [{"start": "nothing"}]
    if chain[-1]["start"] != SCRATCH:
        raise RequestError(f"{name} does not tell what its weights were trained on; train them again from scratch.")
    return chain


def ancestry_datasets(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of all datasets that weights or tuned parameters have seen, their own first."""
    chain = [item["dataset"] for item in manifest.get("ancestry", [])]
    return tuple(dict.fromkeys([manifest["dataset"], *chain]))


def ancestry_name(ancestry: Sequence[Mapping[str, Any]]) -> str:
    """The newest link's dataset, and those of other datasets that it builds upon: ``b-after-a``."""
    return "-after-".join(dict.fromkeys(item["dataset"] for item in ancestry))


def check_manifest(manifest: Mapping[str, Any], name: str) -> None:
    """Refuse weights or tuned parameters that have seen a subject of the test split as it is today.

    Parameters
    ----------
    manifest : mapping
        Of weights (with ``ancestry``), or of `mrbench tune` (with ``cases``).
    name : str
        What to call it in an error.

    Raises
    ------
    RequestError
        Names the dataset and the subjects; or if the manifest does not tell what was seen, or of data that nobody else
        has.
    """
    if "chosen" in manifest:
        if manifest["split"] != "validation":
            raise RequestError(f"{name} was tuned on the {manifest['split']} split; tune on validation.")
        if not manifest.get("cases"):
            raise RequestError(f"{name} does not tell on which cases it was tuned; tune it again.")
        seen = {manifest["dataset"]: _subjects_in(manifest["dataset"], manifest["cases"])}
    else:
        seen = subjects_seen(complete_ancestry(manifest, name))
    home = [manifest["dataset"]] if "dataset" in manifest else []  # an ancestor's may test on others
    for dataset in dict.fromkeys([*seen, *home]):
        if dataset not in dataset_names():
            raise RequestError(f"{name} has seen {dataset}, whose test split nobody knows here; ship none of these.")
        if leaked := seen_among(seen, dataset, find_dataset(dataset).subjects("test")):
            raise RequestError(
                f"{name} has seen {', '.join(leaked)} of the test split of {dataset}; it must not be used there: "
                "train or tune it again on today's split."
            )


def _subjects_in(dataset: str, cases: Sequence[str]) -> set[str]:
    """Test subjects that case ids name, as ``IXI012_mask1`` does."""
    return {
        subject
        for subject in find_dataset(dataset).subjects("test")
        if any(re.search(rf"(?<![A-Za-z0-9]){re.escape(subject)}(?![A-Za-z0-9])", case) for case in cases)
    }
