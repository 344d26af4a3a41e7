"""greedy, the fast deformable registration of ITK-SNAP's authors."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrbench.core.method import Method, Resources
from mrbench.space.alignment import to_sitk
from mrbench.tasks.registration import RegistrationInputs
from mrbench_baselines.registration.field import voxels_from_mm


class Greedy(Method):
    """Greedy diffeomorphic registration: one smoothed step after another, composed.

    Maximises the weighted normalised cross-correlation of ``fixed`` and ``moving o phi`` in windows of ``radius``
    voxels; each update is smoothed by a Gaussian of ``smooth_update`` voxels, the whole field after it by one of
    ``smooth_field`` (the tool's ``-s``). There is no weight of a regulariser: the two Gaussians are it.

    Parameters
    ----------
    radius : int
        Of the correlation window (``-m WNCC``).
    smooth_update, smooth_field : float
        SD in voxels; the tool's defaults.
    iterations : str
        At a quarter, at half and at full resolution (``-n``).
    """

    task = "registration"
    reference = "Yushkevich et al., Fast automatic segmentation of hippocampal subfields, Alzheimer's & Dementia 2016"
    needs = {"picsl_greedy": "pip install picsl-greedy"}

    def __init__(
        self, *, radius: int = 2, smooth_update: float = 1.7, smooth_field: float = 0.7, iterations: str = "100x50x20"
    ) -> None:
        self.radius = radius
        self.smooth_update = smooth_update
        self.smooth_field = smooth_field
        self.iterations = iterations

    def setup(self, resources: Resources) -> None:
        super().setup(resources)
        import picsl_greedy  # noqa: F401

    def predict(self, inputs: RegistrationInputs) -> np.ndarray:
        """Return the displacement ``(3, z, y, x)`` in voxels."""
        import SimpleITK as sitk
        from picsl_greedy import Greedy3D

        images: dict[str, Any] = {
            name: to_sitk(array, inputs.spacing, (0.0, 0.0, 0.0))
            for name, array in (("fixed", inputs.fixed), ("moving", inputs.moving))
        }
        greedy = Greedy3D()
        window = "x".join([str(self.radius)] * 3)
        greedy.execute(
            f"-i fixed moving -o warp -m WNCC {window} -n {self.iterations} -threads {self.resources.threads} -seed 1 "
            f"-s {self.smooth_update}vox {self.smooth_field}vox -V 0",
            **images,
            warp=None,
        )
        return voxels_from_mm(sitk.GetArrayFromImage(greedy["warp"]), inputs.spacing)
