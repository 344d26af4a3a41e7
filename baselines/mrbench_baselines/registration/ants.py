"""SyN of ANTs, in the variants that papers call by the same name."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mrbench.core.errors import unknown_name
from mrbench.core.method import Method, Resources
from mrbench.tasks.registration import RegistrationInputs
from mrbench_baselines.registration.field import voxels_from_mm

if TYPE_CHECKING:
    import ants

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {"type_of_transform": "SyN"},
    "transmorph": {
        "type_of_transform": "SyNOnly",
        "syn_metric": "meansquares",
        "reg_iterations": (160, 80, 40),
    },
    "cc": {
        "type_of_transform": "SyNOnly",
        "syn_metric": "CC",
        "syn_sampling": 2,
        "reg_iterations": (100, 70, 50, 20),
    },
}
"""``default``: that of ANTsPy, whose last resolution has no iterations. ``transmorph``: the one in TransMorph's
IXI table (mean squares). ``cc``: cross-correlation of radius 2 with iterations at full resolution."""


class AntsSyN(Method):
    """Symmetric normalisation by ANTsPy.

    Maximises the similarity S of ``fixed o phi_1`` and ``moving o phi_2``, both halves moved alike; S is mutual
    information of 32 bins (``mattes``), mean squares or cross-correlation by ``syn_metric``. No weight of a
    regulariser: each update is smoothed by a Gaussian of variance 3 voxels^2 (``flow_sigma``), the whole field by none
    (``total_sigma`` 0), at a step of 0.2 (``grad_step``), the tool's defaults.

    On one thread it repeats itself bit for bit. On several it does not: its affine part draws other samples in each
    run, and Dice of one pair of `icbm-sim` lay between .8056 and .8066 in three runs without a seed.

    Parameters
    ----------
    variant : {"default", "transmorph", "cc"}
    """

    task = "registration"
    reference = "Avants et al., Symmetric diffeomorphic image registration, Med. Image Anal. 2008"
    needs: ClassVar[Mapping[str, str]] = {"ants": "pip install 'mrbench[ants]'"}
    fresh_process = True  # ANTs' random state survives a call, so that results would depend on the order of cases
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"variant": "transmorph"}, {"variant": "cc"})

    def __init__(self, *, variant: str = "default") -> None:
        if variant not in VARIANTS:
            raise unknown_name("variant of ants", variant, VARIANTS)
        self.variant = variant

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import ants

        if resources.threads == 1:  # the number of threads is in the environment already
            ants.config.set_ants_deterministic(on=True, seed_value=1)

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            field, _ = self.register(inputs, Path(folder))
        return field

    def register(self, inputs: RegistrationInputs, folder: Path) -> tuple[np.ndarray, list[str]]:
        """Return our field and the files of ANTs' transforms, which lie in ``folder``."""
        import ants

        fixed, moving = (_image(array, inputs.spacing) for array in (inputs.fixed, inputs.moving))
        result = ants.registration(fixed, moving, outprefix=f"{folder}/", **VARIANTS[self.variant])
        transforms = result["fwdtransforms"]
        # the warp alone lacks the affine part that 'SyN' estimates first
        whole = ants.apply_transforms(fixed, moving, transforms, compose=f"{folder}/whole_")
        vectors = ants.image_read(whole).numpy()  # (x, y, z, 3)
        return voxels_from_mm(vectors.transpose(2, 1, 0, 3), inputs.spacing), transforms


def _image(array: np.ndarray, spacing: tuple[float, float, float]) -> ants.ANTsImage:
    import ants

    return ants.from_numpy(np.ascontiguousarray(array.transpose(2, 1, 0)), spacing=spacing[::-1])
