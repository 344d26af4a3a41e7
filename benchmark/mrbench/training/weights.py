"""Weights on disk: half-precision safetensors beside a JSON manifest that says how they came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrbench.core.errors import RequestError, brief
from mrbench.core.weights import manifest_path, read_manifest
from mrbench.io.files import sha256_of, write_atomically

if TYPE_CHECKING:
    import torch


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
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file() or not manifest_path(path).is_file():
        raise RequestError(f"no weights at {path} with a manifest beside them; train them with `mrbench train`.")
    manifest = read_manifest(manifest_path(path))
    if manifest["sha256"] != sha256_of(path):
        raise RequestError(f"{path} is not the file its manifest describes (sha256 differs); restore or retrain it.")
    try:
        return {name: tensor.to(torch.float32) for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise RequestError(f"{path} holds no weights ({brief(error)}); restore or retrain it.") from None


def fill(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Give a network the weights of a file.

    Raises
    ------
    RequestError
        If a tensor is missing, has another shape, or belongs to no part of the network.
    """
    needed = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if wrong := next((name for name in [*needed, *given] if needed.get(name) != given.get(name)), None):
        there, here = (f"{shapes[wrong]}" if wrong in shapes else "absent" for shapes in (given, needed))
        raise RequestError(
            f"{path} does not fit the network {type(network).__name__}: the tensor {wrong} is {there} in the file and "
            f"{here} in the network; give weights of the same network, or train them with `mrbench train`."
        )
    network.load_state_dict(weights)
