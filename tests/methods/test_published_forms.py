"""The networks as their papers have them are a parameter away from those that are shipped."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.marks import slow

from mrbench.core.method import LearnedMethod
from mrbench.core.random import rng_for
from mrbench.core.registry import find_method
from mrbench.core.specification import built, parse_spec
from mrbench.tasks.registration import RegistrationInputs
from mrbench.tasks.super_resolution import TRACKS as RESOLUTION
from mrbench.tasks.synthesis import TRACKS as CONTRASTS
from mrbench_methods.synthesis.unpaired_training import Pool

FORMS = {
    ("registration", "voxelmorph[full_resolution=true]", ()): 327_331,
    ("synthesis", "cyclegan[base=32,blocks=9,skips=false,pool=50]", tuple(CONTRASTS)): None,
    ("synthesis", "unit[base=64,blocks=3,inverse=false]", tuple(CONTRASTS)): None,
    ("segmentation", "vox2vox[base=64,bottleneck=4]", ()): None,
    ("super-resolution", "multi-scale-fusion[context=0,planes=axial,consistency=false]", ("3d-x2",)): None,
    ("reconstruction", "unet[features=32]", ()): 7_756_097,
    ("reconstruction", "cascade-cnn[features=64]", ()): 565_775,
    ("super-resolution", "srgan[published=true]", ("3d-x2",)): None,
    ("reconstruction", "varnet[cascades=12,features=18,pools=4,map_features=8,published=true]", ()): 29_936_966,
    ("reconstruction", "modl[iterations=10,denoiser=cnn,features=64,shared=true]", ()): None,
}


@pytest.mark.parametrize(
    "form",
    [slow(form) if form[1].startswith(("vox2vox", "varnet")) else form for form in FORMS],
    ids=lambda form: form[1],
)
def test_a_published_form_can_be_made_and_has_a_name_of_its_own(form: tuple[str, str, tuple[str, ...]]) -> None:
    task, text, tracks = form
    spec = parse_spec(text)
    method, shipped = (built(find_method(spec.name, task), one) for one in (spec, parse_spec(spec.name)))
    assert isinstance(method, LearnedMethod) and isinstance(shipped, LearnedMethod)
    assert method.network != shipped.network
    network = method.new_network([{**RESOLUTION, **CONTRASTS}[name].settings for name in tracks])  # type: ignore[attr-defined]
    count = sum(parameter.numel() for parameter in network.parameters())
    assert FORMS[form] in (None, count)


@pytest.mark.parametrize("diffeomorphic", ["", ",diffeomorphic=true"])
def test_voxelmorph_at_full_resolution_registers_on_the_grid_of_the_images(diffeomorphic: str) -> None:
    torch.manual_seed(0)
    spec = parse_spec(f"voxelmorph[full_resolution=true,instance_steps=6,learning_rate=0.2{diffeomorphic}]")
    method = built(find_method(spec.name, "registration"), spec)
    method.network_ = method.new_network([]).eval()  # type: ignore[attr-defined]
    z, y, x = np.indices((20, 18, 16), np.float32)
    fixed, moving = (np.exp(-((z - 10) ** 2 + (y - 9) ** 2 + (x - at) ** 2) / 18) for at in (7, 9))
    field = method.predict(RegistrationInputs(fixed, moving, fixed > 0.1, moving > 0.1, (2.0, 2.0, 2.0)))
    assert field.shape == (3, 20, 18, 16)
    assert field[2, 10, 9, 7] > 0.3 > abs(field[0, 10, 9, 7])  # the fixed voxel finds its like to the right


def test_a_pool_shows_images_made_earlier() -> None:
    rng, pool = rng_for("pool", "test"), Pool(3)
    images = [torch.full((1,), float(number)) for number in range(40)]
    shown = [pool.draw(image, rng).item() for image in images]
    assert shown[:3] == [0, 1, 2] and any(a < b for a, b in zip(shown, range(40), strict=True))
    assert all(a <= b for a, b in zip(shown, range(40), strict=True)) and len(pool.images) == 3
    none = Pool(0)
    assert all(none.draw(image, rng) is image for image in images) and not none.images
