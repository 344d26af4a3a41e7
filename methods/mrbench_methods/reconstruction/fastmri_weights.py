"""Weights of VarNet from a state dict that fastMRI published, or that its code trained.

``python -m mrbench_methods.reconstruction.fastmri_weights brain_leaderboard_state_dict.pt --name fastmri-brain``
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mrbench.core.errors import MrbenchError, RequestError
from mrbench.core.specification import MethodSpec
from mrbench.io.files import check_writable
from mrbench.tasks.sampling import TRACKS
from mrbench.training.ancestry import SCRATCH
from mrbench.training.weights import fill, save_weights
from mrbench_methods.reconstruction.varnet import VarNet

if TYPE_CHECKING:
    import torch

FIRST = "down_sample_layers.0.layers.0.weight"
"""Of a U-Net of fastMRI: its output channels are the features of the first level."""

CONVOLUTIONS = {"0": "0", "4": "3"}
"""The two of a block by their places among its layers; fastMRI has a dropout between, which leaves no parameter."""


def from_fastmri(state: Mapping[str, torch.Tensor]) -> tuple[VarNet, dict[str, torch.Tensor]]:
    """A `VarNet` of the sizes of a state dict of ``fastmri.models.VarNet``, and its parameters by our names.

    A parameter that such a network does not have keeps its name, so that filling the network tells it.

    Raises
    ------
    RequestError
        If it is of another network.
    """
    state = {name.removeprefix("varnet."): tensor for name, tensor in state.items()}  # of a Lightning checkpoint
    maps, refinement = (f"{start}.unet.{FIRST}" for start in ("sens_net.norm_unet", "cascades.0.model"))
    if not {maps, refinement} <= {*state}:
        raise RequestError("this is no state dict of fastMRI's VarNet, which has sens_net and cascades; give one.")
    method = VarNet(
        cascades=sum(name.endswith(f".model.unet.{FIRST}") for name in state),
        features=len(state[refinement]),
        pools=sum(name.startswith("cascades.0.model.unet.up_transpose_conv.") for name in state),
        map_features=len(state[maps]),
        published=True,
    )
    names = _our_names(method.cascades, method.pools)
    ours = {names.get(name, name): tensor for name, tensor in state.items() if not name.startswith("loss.")}
    return method, {name: tensor.reshape(()) if name.endswith(".eta") else tensor for name, tensor in ours.items()}


def _our_names(cascades: int, pools: int) -> dict[str, str]:
    """Our names of all parameters by fastMRI's."""
    unets = {"sens_net.norm_unet": "sensitivity_map_estimation"}
    unets |= {f"cascades.{number}.model": f"refinement.{number}" for number in range(cascades)}
    names = {f"cascades.{number}.dc_weight": f"data_consistency.{number}.eta" for number in range(cascades)}
    return names | {
        f"{theirs}.unet.{inside}": f"{ours}.unet.unet.{our_inside}"
        for theirs, ours in unets.items()
        for inside, our_inside in _our_names_in_unet(pools).items()
    }


def _our_names_in_unet(pools: int) -> dict[str, str]:
    """The same within a U-Net: fastMRI counts the way up from the bottom, we from the top."""
    blocks = {f"down_sample_layers.{level}": f"down.{level}" for level in range(pools)} | {"conv": f"down.{pools}"}
    names = {f"up_conv.{pools - 1}.1.{kind}": f"last.{kind}" for kind in ("weight", "bias")}
    for level in range(pools):
        theirs = pools - 1 - level
        blocks[f"up_conv.{theirs}" if level else f"up_conv.{theirs}.0"] = f"merge.{level}"
        names[f"up_transpose_conv.{theirs}.layers.0.weight"] = f"up.{level}.0.weight"
    return names | {
        f"{theirs}.layers.{place}.weight": f"{ours}.{our_place}.weight"
        for theirs, ours in blocks.items()
        for place, our_place in CONVOLUTIONS.items()
    }


def convert(path: Path, name: str, out: Path, tracks: list[str]) -> tuple[Path, VarNet]:
    """Write weights and manifest of a state dict or of a checkpoint of Lightning; return their path and the method.

    Raises
    ------
    RequestError
        If the file is none of these, or of another network.
    DataError
        If ``out`` cannot be written.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error.strerror}); give a file that fastMRI published.") from None
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        raise RequestError(f"{path} is no state dict of PyTorch; give a file that fastMRI published.") from None
    state = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    method, parameters = from_fastmri({key: value for key, value in state.items() if hasattr(value, "shape")})
    fill(method.new_network(()), parameters, path)
    weights = out / f"{method.network}.{name}.{'+'.join(tracks)}.safetensors"
    manifest = {
        "network": method.network,
        "task": VarNet.task,
        "tracks": tracks,
        "dataset": name,
        "origin": f"{path.name}, a state dict of fastMRI's VarNet",
        "ancestry": [{"dataset": name, "train": [], "validation": [], "start": SCRATCH}],
    }
    check_writable(out)
    save_weights(weights, parameters, manifest)
    return weights, method


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("state_dict", type=Path, help="Such as knee_leaderboard_state_dict.pt.")
    parser.add_argument("--name", required=True, help="Of the data that trained it, such as fastmri-knee.")
    parser.add_argument("--out", type=Path, default=Path("weights"), help="Folder of the weights and their manifest.")
    parser.add_argument("--tracks", nargs="+", default=["multicoil-4x", "multicoil-8x"], choices=list(TRACKS))
    given = parser.parse_args()
    try:
        path, method = convert(given.state_dict, given.name, given.out, given.tracks)
    except MrbenchError as error:
        print(f"mrbench: {error}", file=sys.stderr)
        return error.exit_code
    sizes = {name: getattr(method, name) for name in ("cascades", "features", "pools", "map_features", "published")}
    print(f"{path}: -m '{MethodSpec('varnet', {**sizes, 'weights': str(path)})}'")
    return 0


if __name__ == "__main__":
    sys.exit(main())
