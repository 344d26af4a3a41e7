"""Weights of VarNet from a state dict that fastMRI published, or that its code trained.

``python -m mrbench_methods.reconstruction.fastmri_weights brain_leaderboard_state_dict.pt --name fastmri-brain``
"""

from __future__ import annotations

import argparse
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mrbench.core.errors import MrbenchError, RequestError
from mrbench.core.specification import MethodSpec
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

    Raises
    ------
    RequestError
        If it is of another network.
    """
    state = {name.removeprefix("varnet."): tensor for name, tensor in state.items()}  # of a Lightning checkpoint
    firsts = [name for name in state if name.endswith(FIRST)]
    maps, refinement = (f"{start}.unet.{FIRST}" for start in ("sens_net.norm_unet", "cascades.0.model"))
    if not {maps, refinement} <= {*firsts}:
        raise RequestError("this is no state dict of fastMRI's VarNet, which has sens_net and cascades; give one.")
    pools = len({name for name in state if re.match(r"cascades\.0\.model\.unet\.up_transpose_conv\.\d+\.", name)})
    method = VarNet(
        cascades=len(firsts) - 1,
        features=len(state[refinement]),
        pools=pools,
        map_features=len(state[maps]),
        published=True,
    )
    ours = {_renamed(name, pools): tensor for name, tensor in state.items() if not name.startswith("loss.")}
    eta = {name: tensor.reshape(()) for name, tensor in ours.items() if name.endswith(".eta")}
    return method, {**ours, **eta}


def _renamed(name: str, pools: int) -> str:
    """Our name of a parameter; one that has none stays as it is, so that filling the network tells it."""
    if found := re.fullmatch(r"cascades\.(\d+)\.dc_weight", name):
        return f"data_consistency.{found[1]}.eta"
    found = re.fullmatch(r"(?:sens_net\.norm_unet|cascades\.(\d+)\.model)\.unet\.(.+)", name)
    if found is None:
        return name
    unet = "sensitivity_map_estimation" if found[1] is None else f"refinement.{found[1]}"
    return f"{unet}.unet.unet.{_of_unet(found[2], pools)}"


def _of_unet(name: str, pools: int) -> str:
    """Our name of a parameter of a U-Net: fastMRI counts the way up from the bottom, we from the top."""
    if found := re.fullmatch(r"up_conv\.\d+\.1\.(weight|bias)", name):
        return f"last.{found[1]}"
    found = re.fullmatch(r"([a-z_]+)(?:\.(\d+))?(?:\.0)?\.layers\.(\d)\.weight", name)
    if found is None:
        return name
    block, number, place = found[1], int(found[2] or pools), found[3]
    if block in ("down_sample_layers", "conv"):
        return f"down.{number}.{CONVOLUTIONS[place]}.weight"
    if block == "up_conv":
        return f"merge.{pools - 1 - number}.{CONVOLUTIONS[place]}.weight"
    return f"up.{pools - 1 - number}.{place}.weight"


def convert(path: Path, name: str, out: Path, tracks: list[str]) -> tuple[Path, VarNet]:
    """Write weights and manifest of a state dict or of a checkpoint of Lightning; return their path and the method.

    Raises
    ------
    RequestError
        If the file is none of these, or of another network.
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
    out.mkdir(parents=True, exist_ok=True)
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
    except (MrbenchError, OSError) as error:
        print(f"mrbench: {error}", file=sys.stderr)
        return 2
    sizes = {name: getattr(method, name) for name in ("cascades", "features", "pools", "map_features", "published")}
    print(f"{path}: -m '{MethodSpec('varnet', {**sizes, 'weights': str(path)})}'")
    return 0


if __name__ == "__main__":
    sys.exit(main())
