"""fastMRI's VarNet: the published form computes what fastMRI's code does, from its own state dicts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.performance import network_peers as peers

from mrbench.core.errors import RequestError
from mrbench.core.method import Resources
from mrbench.core.specification import parse_spec
from mrbench_methods.reconstruction.fastmri_weights import convert, from_fastmri
from mrbench_methods.reconstruction.varnet import VarNet

TRACKS = ["multicoil-4x", "multicoil-8x"]


@pytest.fixture
def peer() -> peers.VarNet:
    torch.manual_seed(0)
    network = peers.VarNet(cascades=2, features=4, pools=2, map_features=3)
    for cascade in network.cascades:
        torch.nn.init.uniform_(cascade.dc_weight, 0.5, 1)
    return network.eval()


@pytest.fixture
def state_dict(peer: peers.VarNet, tmp_path: Path) -> Path:
    path = tmp_path / "brain_leaderboard_state_dict.pt"
    torch.save(peer.state_dict(), path)
    return path


@torch.no_grad()
@pytest.mark.parametrize("prefix", ["", "varnet."])
def test_the_published_form_computes_what_fastmris_code_does(peer: peers.VarNet, prefix: str) -> None:
    """of the parameters of fastMRI's network, by the names of its state dict or of its Lightning checkpoint"""
    state = {prefix + name: tensor for name, tensor in peer.state_dict().items()}
    method, parameters = from_fastmri(state)
    assert method.network == "varnet-c2f4p2m3-published"
    ours = method.new_network(()).eval()
    ours.load_state_dict(parameters)
    kspace = 1e-5 * torch.randn(1, 3, 32, 24, dtype=torch.complex64)  # of fastMRI's scale
    mask, acs = torch.zeros(2, 1, 32, 24, dtype=torch.bool)
    mask[..., ::3], mask[..., 8:16], acs[..., 8:16] = True, True, True
    kspace = kspace * mask
    real = torch.view_as_real(kspace)
    expected = peer(real, mask[:, None, :, :, None], acs[:, None, :, :, None])
    torch.testing.assert_close(ours(kspace, mask, acs), expected, rtol=1e-4, atol=1e-4 * float(expected.max()))
    corrections = VarNet(cascades=2, features=4, pools=2, map_features=3).new_network(()).eval()
    corrections.load_state_dict(parameters)
    assert not torch.allclose(corrections(kspace, mask, acs), expected, rtol=0.05), "our own form is another network"


def test_weights_of_a_state_dict_run(state_dict: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mrbench_methods.reconstruction.fastmri_weights", str(state_dict)]
    command += ["--name", "fastmri-brain", "--out", str(tmp_path / "weights")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    spec = parse_spec(done.stdout.partition(" -m ")[2].strip().strip("'"))
    method = VarNet.build(**spec.parameters)
    method.setup(Resources())
    kept = from_fastmri(torch.load(state_dict, weights_only=True))[1]
    for name, tensor in method.network_.state_dict().items():
        np.testing.assert_allclose(tensor, kept[name], rtol=1e-3, atol=1e-6)  # half precision on disk


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no tensors", "is no state dict of PyTorch"),
        ({"classifier.weight": torch.ones(2)}, "no state dict of fastMRI's VarNet"),
        (None, "cannot be read"),
        ("other", "does not fit the network VarNetwork: the tensor head.weight is"),
    ],
)
def test_what_is_no_state_dict_of_varnet_is_one_sentence(
    content: object, said: str, peer: peers.VarNet, tmp_path: Path
) -> None:
    path = tmp_path / "given.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "other":
        torch.save({**peer.state_dict(), "head.weight": torch.ones(1)}, path)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(RequestError, match=said):
        convert(path, "fastmri-brain", tmp_path / "weights", TRACKS)
    assert not (tmp_path / "weights").exists()
