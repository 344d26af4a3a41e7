"""Weights on disk: half-precision safetensors beside a JSON manifest that says how they came about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrbench.core.errors import MethodSkipped, RequestError
from mrbench.core.method import LearnedMethod
from mrbench.core.registry import module_file
from mrbench.core.task import Task
from mrbench.io.files import sha256_of, write_atomically

if TYPE_CHECKING:
    import torch


def manifest_path(weights: Path) -> Path:
    """The manifest that belongs to a weights file."""
    return weights.with_suffix(".json")


def save_weights(path: Path, state: Mapping[str, torch.Tensor], manifest: Mapping[str, Any]) -> None:
    """Write ``state`` in half precision and its manifest, completed with the file's sha256."""
    import torch
    from safetensors.torch import save

    half = {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in state.items()}
    with write_atomically(path) as file:
        file.write(save(half))
    with write_atomically(manifest_path(path)) as file:
        file.write(json.dumps({**manifest, "sha256": sha256_of(path)}, indent=1).encode() + b"\n")


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read weights as float32, checking them against their manifest.

    Raises
    ------
    RequestError
        If the file or its manifest is missing, or the two do not belong together.
    """
    import torch
    from safetensors.torch import load_file

    if not path.is_file() or not manifest_path(path).is_file():
        raise RequestError(f"no weights at {path} with a manifest beside them; train them with `mrbench train`.")
    manifest = json.loads(manifest_path(path).read_text())
    if manifest["sha256"] != sha256_of(path):
        raise RequestError(f"{path} is not the file its manifest describes (sha256 differs); restore or retrain it.")
    return {name: tensor.to(torch.float32) for name, tensor in load_file(path).items()}


def weights_name(task: Task, dataset: str, tracks: Sequence[str]) -> str:
    """Name of the weights trained for a data set and tracks; of a task with one track, the data set's."""
    return dataset if len(task.tracks) == 1 else f"{dataset}.{'+'.join(tracks)}"


def resolve_weights(folder: Path, network: str, weights: str) -> Path:
    """Find weights by name in a method's folder, or by path.

    Parameters
    ----------
    folder : Path
        Where the method ships its weights, as ``<network>.<name>.safetensors``.
    network : str
    weights : str
        A name such as ``ixi-hh-2mm`` or ``ixi-hh-2mm.singlecoil-4x``, or the path of a ``.safetensors`` file.

    Raises
    ------
    MethodSkipped
        If there are none: the row says so and how to train them.
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
    raise MethodSkipped(
        f"no weights of {network} for {weights}: choose weights={' or '.join(shipped) or 'PATH'}, "
        f"or train with `mrbench train --dataset {dataset}`"
    )


def weights_folder(method: type[LearnedMethod]) -> Path:
    """Where a method ships its weights: ``weights`` beside its module."""
    return module_file(method).parent / "weights"


def tracks_of(name: str) -> list[str]:
    """The tracks that a name of weights tells: of ``open-ms.t1-to-t2+t2-to-t1`` both."""
    return name.partition(".")[2].split("+")


def shipped_weights(folder: Path, network: str) -> list[str]:
    """Names of the weights of a network in a folder."""
    files = sorted(folder.glob(f"{network}.*.safetensors"))
    return [path.name.removeprefix(f"{network}.").removesuffix(".safetensors") for path in files]
