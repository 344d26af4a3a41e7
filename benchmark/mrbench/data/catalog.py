"""Every dataset by name and by what a task asks of it. A new dataset is one line here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from mrbench.core.errors import RequestError, unknown_name
from mrbench.data.dataset import Dataset

DATASETS = {
    "icbm-sim": {
        "images": "mrbench.data.icbm_sim:IcbmSim",
        "k-space": "mrbench.data.simulated_scans:IcbmScans",
        "volumes": "mrbench.data.volumes:IcbmVolumes",
        "contrasts": "mrbench.data.icbm_lesions:IcbmLesions",
        "tumours": "mrbench.data.icbm_tumours:IcbmTumours",
    },
    "ixi-hh-2mm": {
        "images": "mrbench.data.ixi_hh:IxiHammersmith",
        "k-space": "mrbench.data.simulated_scans:IxiScans",
        "volumes": "mrbench.data.ixi_hh:IxiHeads",
    },
    "msd-hippocampus": {"images": "mrbench.data.msd_hippocampus:MsdHippocampus"},
    "open-ms": {"contrasts": "mrbench.data.open_ms:OpenMs"},
    "sri24": {"contrasts": "mrbench.data.open_ms:Sri24"},
    "cine-sim": {"k-space": "mrbench.data.cine_sim:CineSim"},
}
"""Name to the materials it comes in: aligned ``images`` of the organ, ``k-space``, ``volumes`` as acquired,
several co-registered ``contrasts``, or four contrasts of ``tumours``."""

FOLDER = "folder:"
_FOLDERS = {
    "images": "mrbench.data.folder:Folder",
    "k-space": "mrbench.data.kspace_folder:KspaceFolder",
    "volumes": "mrbench.data.volumes:VolumeFolder",
    "contrasts": "mrbench.data.folder:ContrastFolder",
    "tumours": "mrbench.data.brats:BratsFolder",
}


def find_dataset(name: str, material: str | None = None) -> Dataset:
    """Return the dataset of that name, or of a folder: ``folder:PATH``.

    Parameters
    ----------
    name : str
    material : str, optional
        What a task works on, ``images``, ``k-space``, ``volumes``, ``contrasts`` or ``tumours``; default: the
        first that the dataset comes in.

    Raises
    ------
    RequestError
        With a suggestion, if there is none, or if the dataset does not come in that material.
    """
    if name.startswith(FOLDER):
        folder: Dataset = _class(_FOLDERS[material or "images"])(Path(name.removeprefix(FOLDER)))
        if folder.name in DATASETS:  # tables, weights and tuned parameters would take it for that one
            raise RequestError(f"{name} has the name of a built-in dataset; rename the folder.")
        return folder
    if name not in DATASETS:
        raise unknown_name("dataset", name, [*DATASETS, f"{FOLDER}PATH"])
    materials = DATASETS[name]
    if material is not None and material not in materials:
        fitting = [other for other, kinds in DATASETS.items() if material in kinds]
        raise RequestError(f"dataset '{name}' has no {material}; choose {', '.join(fitting)} or {FOLDER}PATH.")
    return _class(materials[material or next(iter(materials))])()


def _class(address: str) -> type:
    module, _, attribute = address.partition(":")
    return getattr(import_module(module), attribute)
