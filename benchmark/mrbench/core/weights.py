"""Names of weights and of their manifests; reading them is `mrbench.training.weights`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Required, TypedDict

import msgspec

from mrbench.core.errors import MethodSkipped, RequestError
from mrbench.core.registry import borrowed, files_owner, module_file
from mrbench.core.task import Task


def manifest_path(weights: Path) -> Path:
    """The manifest that belongs to a weights file."""
    return weights.with_suffix(".json")


class _Training(TypedDict):
    dataset: str
    train: list[str]
    validation: list[str]
    start: str


class _Manifest(TypedDict, total=False):
    """What is read of a manifest."""

    sha256: Required[str]
    tracks: Required[list[str]]
    network: str
    task: str
    ancestry: list[_Training]


def read_manifest(path: Path) -> dict[str, Any]:
    """What a manifest of weights says.

    Raises
    ------
    RequestError
        If it is damaged, or something else.
    """
    try:
        manifest: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        msgspec.convert(manifest, _Manifest)
    except (OSError, ValueError, RecursionError) as error:
        raise RequestError(
            f"{path} is no manifest of weights ({error}); restore it, or train the weights again."
        ) from None
    return manifest


def check_weights(path: Path, digest: str, network: str, task: Task[Any, Any]) -> None:
    """Refuse weights that their manifest tells to be no weights of a method.

    Parameters
    ----------
    path : Path
        The weights; the manifest lies beside them.
    digest : str
        sha256 of the file.
    network : str
        What the method calls the network that it needs weights of.
    task : Task
        Whose tracks the weights must be of.

    Raises
    ------
    RequestError
        If there is no manifest, it is damaged or of another file, or the weights are of another network, task or track.
    """
    if not manifest_path(path).is_file():
        missing = manifest_path(path)
        raise RequestError(f"{path} has no manifest beside it; copy {missing.name} there, or train the weights again.")
    manifest = read_manifest(manifest_path(path))
    if manifest["sha256"] != digest:
        raise RequestError(f"{path} is not the file its manifest describes (sha256 differs); restore or retrain it.")
    of_network, of_task = manifest.get("network", network), manifest.get("task", task.name)
    if (of_network, of_task) != (network, task.name):
        raise RequestError(
            f"{path} holds weights of the network {of_network} for {of_task}, and {network} for {task.name} is needed; "
            "give weights of that network, or the parameters that they were trained with."
        )
    if unknown := [track for track in manifest["tracks"] if track not in task.tracks]:
        raise RequestError(
            f"{path} holds weights of a track that {task.name} does not have, {unknown[0]}; choose other weights."
        )


def subjects_seen(ancestry: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Subjects that the trainings of an ancestry learned from or were validated on, by dataset."""
    seen: dict[str, set[str]] = {}
    for training in ancestry:
        seen.setdefault(training["dataset"], set()).update(training["train"], training["validation"])
    return seen


def seen_among(seen: Mapping[str, Iterable[str]], dataset: str, subjects: Collection[str]) -> list[str]:
    """Those of a dataset's subjects that trainings have seen, under its name or that of another that has them, too.

    Parameters
    ----------
    seen : mapping
        Subjects by dataset, of `subjects_seen`.
    dataset : str
        Name of the dataset that the subjects are of.
    subjects : collection of str
        For example its test split.
    """

    def owned(name: str, subject: str) -> tuple[str, str]:
        return borrowed(name).get(subject) or files_owner(name), subject

    known = {owned(name, subject) for name, others in seen.items() for subject in others}
    return sorted(subject for subject in set(subjects) if owned(dataset, subject) in known)


def weights_name(task: Task[Any, Any], dataset: str, tracks: Sequence[str]) -> str:
    """Name of the weights trained for a dataset and tracks; the dataset's where tracks share weights."""
    shared = len(task.tracks) == 1 or not task.weights_by_track
    return dataset if shared else f"{dataset}.{'+'.join(tracks)}"


def resolve_weights(folder: Path, network: str, weights: str) -> Path:
    """Find weights by name in a method's folder, or by path.

    Parameters
    ----------
    folder : Path
        Where the method ships its weights, as ``<network>.<name>.safetensors``.
    network : str
        What the file names begin with.
    weights : str
        A name such as ``ixi-hh-2mm`` or ``ixi-hh-2mm.singlecoil-4x``, or the path of a ``.safetensors`` file.

    Raises
    ------
    MethodSkipped
        If there are none: the row says so.
    """
    weights = str(weights)  # a number, where somebody wrote weights=1
    if weights.endswith(".safetensors"):
        return Path(weights).expanduser()
    path = folder / f"{network}.{weights}.safetensors"
    if path.is_file():
        return path
    shipped = shipped_weights(folder, network)
    dataset, _, track = weights.partition(".")
    for name in shipped:  # one set may serve several tracks
        if track and name.partition(".")[0] == dataset and track in tracks_of(name):
            return folder / f"{network}.{name}.safetensors"
    raise MethodSkipped(f"no weights of {network} for {weights}: choose weights={' or '.join(shipped) or 'PATH'}")


def weights_folder(method: type) -> Path:
    """Where a method ships its weights: ``weights`` beside its module."""
    return module_file(method).parent / "weights"


def tracks_of(name: str) -> list[str]:
    """The tracks that a name of weights tells: of ``open-ms.t1-to-t2+t2-to-t1`` both."""
    return name.partition(".")[2].split("+")


def shipped_weights(folder: Path, network: str) -> list[str]:
    """Names of the weights of a network in a folder."""
    files = sorted(folder.glob(f"{network}.*.safetensors"))
    return [path.name.removeprefix(f"{network}.").removesuffix(".safetensors") for path in files]
