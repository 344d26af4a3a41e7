"""A slice or a pair by our networks against plain PyTorch as published, and compressed sensing against sigpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from sigpy.mri.app import EspiritCalib, L1WaveletRecon
from tests.performance import network_peers as peers
from tests.performance.conftest import Versus
from torch.utils.flop_counter import FlopCounterMode

from mrbench.core.random import rng_for
from mrbench.physics.coils import receive_coils
from mrbench.physics.fourier import root_sum_of_squares, to_image, to_kspace
from mrbench.physics.noise import complex_noise
from mrbench.tasks.reconstruction import ReconstructionInputs
from mrbench_baselines.reconstruction.bart import BartPics
from mrbench_baselines.reconstruction.compressed_sensing import L1Wavelet, TotalVariation
from mrbench_methods.reconstruction.cascade_network import CascadeNetwork
from mrbench_methods.reconstruction.fastmri_weights import from_fastmri
from mrbench_methods.registration.instance import refine
from mrbench_methods.registration.losses import LocalCrossCorrelation
from mrbench_methods.registration.network import FieldNetwork, identity_grid, sample

SIDE, COILS, CENTRE = 128, 8, 16


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    return ((y**2 + x**2 < 0.7) * (1 + 0.3 * np.cos(9 * x) * np.cos(7 * y))).astype(np.float32)


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    """A third of the lines, and the central ones."""
    lines = rng_for("a", "mask").random(SIDE) < 1 / 3
    lines[SIDE // 2 - CENTRE // 2 : SIDE // 2 + CENTRE // 2] = True
    return np.broadcast_to(lines, (SIDE, SIDE)).copy()


def coil_data(image: np.ndarray, mask: np.ndarray, coils: int) -> np.ndarray:
    maps = receive_coils((SIDE, SIDE), coils, rng_for("a", "coils")) if coils > 1 else np.ones((1, SIDE, SIDE))
    kspace = to_kspace((image * maps).astype(np.complex64))
    return ((kspace + complex_noise(kspace.shape, 0.002, rng_for("a", "noise"))) * mask).astype(np.complex64)


@torch.no_grad()
def test_varnet_against_fastmris(versus: Versus, image: np.ndarray, mask: np.ndarray) -> None:
    """One slice of 8 coils by the shipped size, as published: the same image in no more time."""
    torch.manual_seed(0)
    peer = peers.VarNet(cascades=6, features=10, pools=3, map_features=4).eval()
    method, parameters = from_fastmri(peer.state_dict())
    ours = method.new_network(()).eval()
    ours.load_state_dict(parameters)
    kspace, sampled = torch.from_numpy(coil_data(image, mask, COILS))[None], torch.from_numpy(mask)[None]
    acs = torch.zeros(1, SIDE, SIDE, dtype=torch.bool)
    acs[..., SIDE // 2 - CENTRE // 2 : SIDE // 2 + CENTRE // 2] = True
    scale = float(np.abs(root_sum_of_squares(to_image(kspace[0].numpy()))).max())

    def published() -> torch.Tensor:
        data = torch.view_as_real(kspace / scale)
        return peer(data, sampled[:, None, :, :, None], acs[:, None, :, :, None]) * scale

    assert torch.allclose(ours(kspace, sampled, acs), published(), atol=1e-4 * scale)
    versus(lambda: ours(kspace, sampled, acs), published, name="fastMRI's VarNet in PyTorch")


@torch.no_grad()
def test_cascade_against_its_published_form(versus: Versus, image: np.ndarray, mask: np.ndarray) -> None:
    """One slice by D5C5 of 32 features: the same image in no more time."""
    torch.manual_seed(0)
    ours = CascadeNetwork(cascades=5, depth=5, features=32, hard=False).eval()
    peer = peers.copied(peers.Cascade(cascades=5, depth=5, features=32), ours)
    kspace, sampled = torch.from_numpy(coil_data(image, mask, 1))[None], torch.from_numpy(mask)[None]
    scale = float(np.abs(to_image(kspace[0, 0].numpy())).max())
    real_mask = sampled[..., None].float()

    def published() -> torch.Tensor:
        data = torch.view_as_real(kspace[:, 0] / scale)
        return peer(peers.ifft2c(data).permute(0, 3, 1, 2), data, real_mask) * scale

    assert torch.allclose(ours(kspace, sampled), published(), atol=1e-4 * scale)
    versus(lambda: ours(kspace, sampled), published, name="DnCn in PyTorch")


@torch.no_grad()
def test_voxelmorph_against_the_limit_of_the_processor(versus: Versus) -> None:
    """A field of a pair of heads at 2 mm; the peer is nothing but matrix products of as many multiplications.

    Upsampling, and small volumes that PyTorch convolves by a slower path, are most of the rest: .83 was hoped for.
    """
    network = FieldNetwork().eval()
    moving, fixed = torch.rand(2, 1, 1, 96, 112, 96)
    with FlopCounterMode(display=False) as counter:
        network(moving, fixed)
    products, factor = counter.get_total_flops() / 2 / 1024**3, torch.rand(1024, 1024)

    def limit() -> None:
        for _ in range(int(products)):
            factor @ factor
        factor[: round(1024 * (products % 1))] @ factor

    versus(lambda: network.displacement(network(moving, fixed)), limit, name="its matrix products alone", goal=0.5)


def test_instance_steps_against_voxelmorphs(versus: Versus) -> None:
    """Three steps of instance optimisation at 64 x 80 x 64, from zero: as good a field in less time."""
    rng = rng_for("a", "images")
    smooth = ndimage.gaussian_filter(rng.random((64, 80, 64)), 3).astype(np.float32)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    fixed, moving = (torch.from_numpy(one.copy())[None, None] for one in (smooth, np.roll(smooth, 1, axis=1)))
    options = {"steps": 3, "rate": 0.3, "smooth": 1.0, "window": 9}
    network, start = FieldNetwork(), torch.zeros(1, 3, 32, 40, 32)

    def ours() -> torch.Tensor:
        return refine(network, start, moving, fixed, **options)

    def published() -> torch.Tensor:
        return torch.from_numpy(peers.instance(moving, fixed, **options))

    similarity, grid = LocalCrossCorrelation(fixed, 9), identity_grid(fixed.shape[2:], fixed.device)
    reached = [
        float(similarity(sample(moving, network.displacement(raw), grid, "zeros"))) for raw in (ours(), published())
    ]
    assert reached[0] < reached[1] + 0.005 < float(similarity(moving))
    versus(ours, published, name="VoxelMorph's layers and losses in PyTorch", goal=2, repeats=2)


def array_case(image: np.ndarray, mask: np.ndarray) -> tuple[ReconstructionInputs, float]:
    """Of 8 coils, with what multiplies its reconstruction into units of the image."""
    kspace = coil_data(image, mask, COILS)
    scale = root_sum_of_squares(to_image(kspace)).max()
    return ReconstructionInputs(kspace[None] / scale, mask[None], (SIDE, CENTRE), False, (1.0, 1.0, 1.0)), float(scale)


def test_compressed_sensing_against_sigpy(versus: Versus, image: np.ndarray, mask: np.ndarray) -> None:
    """l1-wavelet of one slice of 8 coils, 30 iterations, maps with it: no larger an error in no more time."""
    inputs, scale = array_case(image, mask)
    method, weights = L1Wavelet(iterations=30), mask.astype(np.float32)

    def sigpys() -> np.ndarray:
        maps = EspiritCalib(inputs.kspace[0], calib_width=CENTRE, crop=0, show_pbar=False).run()
        return L1WaveletRecon(inputs.kspace[0], maps, 0.005, weights=weights, max_iter=30, show_pbar=False).run()

    ours, theirs = (float(np.linalg.norm(np.abs(x) * scale - image)) for x in (method.predict(inputs)[0], sigpys()))
    assert ours < 1.01 * theirs
    versus(lambda: method.predict(inputs), sigpys, name="sigpy's maps and solver", repeats=2)


@pytest.mark.skipif(bool(BartPics.unavailable_reason()), reason="bart is not installed")
def test_total_variation_against_bart(versus: Versus, image: np.ndarray, mask: np.ndarray) -> None:
    """TV of one slice of 8 coils, maps with it, at equal error: each with the strength that serves it best here."""
    inputs, scale = array_case(image, mask)
    ours, barts = TotalVariation(strength=0.01), BartPics(regulariser="tv", strength=0.01)
    errors = [float(np.linalg.norm(np.abs(one.predict(inputs)[0]) * scale - image)) for one in (ours, barts)]
    assert errors[0] < 1.02 * errors[1]
    versus(lambda: ours.predict(inputs), lambda: barts.predict(inputs), name="bart ecalib and pics", repeats=3)
