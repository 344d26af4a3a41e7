"""Weights on disk: half-precision safetensors beside a JSON manifest that says how they came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrbench.core.errors import RequestError
from mrbench.core.weights import manifest_path
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
    from safetensors.torch import load_file

    if not path.is_file() or not manifest_path(path).is_file():
        raise RequestError(f"no weights at {path} with a manifest beside them; train them with `mrbench train`.")
    manifest = json.loads(manifest_path(path).read_text())
    if manifest["sha256"] != sha256_of(path):
        raise RequestError(f"{path} is not the file its manifest describes (sha256 differs); restore or retrain it.")
    return {name: tensor.to(torch.float32) for name, tensor in load_file(path).items()}
