"""Every dataset by name and by what a task asks of it. A new dataset is one line here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from mrbench.core.errors import RequestError, unknown_name
from mrbench.datasets.dataset import Dataset

DATASETS = {
    "icbm-sim": {
        "images": "mrbench.datasets.icbm_sim:IcbmSim",
        "k-space": "mrbench.datasets.simulated_kspace:IcbmScans",
        "volumes": "mrbench.datasets.volumes:IcbmVolumes",
        "contrasts": "mrbench.datasets.icbm_lesions:IcbmLesions",
        "tumours": "mrbench.datasets.icbm_tumours:IcbmTumours",
    },
    "ixi-hh-2mm": {
        "images": "mrbench.datasets.ixi_hh:IxiHammersmith",
        "k-space": "mrbench.datasets.simulated_kspace:IxiScans",
        "volumes": "mrbench.datasets.ixi_hh:IxiHeads",
    },
    "msd-hippocampus": {"images": "mrbench.datasets.msd_hippocampus:MsdHippocampus"},
    "open-ms": {"contrasts": "mrbench.datasets.open_ms:OpenMs"},
    "sri24": {"contrasts": "mrbench.datasets.open_ms:Sri24"},
    "cine-sim": {"k-space": "mrbench.datasets.cine_sim:CineSim"},
}
"""Name to the representations it comes in: aligned ``images`` of the organ, ``k-space``, ``volumes`` as acquired,
several co-registered ``contrasts``, or four contrasts of ``tumours``."""

FOLDER = "folder:"
_FOLDERS = {
    "images": "mrbench.datasets.folder:Folder",
    "k-space": "mrbench.datasets.kspace_folder:KspaceFolder",
    "volumes": "mrbench.datasets.volumes:VolumeFolder",
    "contrasts": "mrbench.datasets.folder:ContrastFolder",
    "tumours": "mrbench.datasets.brats:BratsFolder",
}


def find_dataset(name: str, representation: str | None = None) -> Dataset:
    """Return the dataset of that name, or of a folder: ``folder:PATH``.

    Parameters
    ----------
    name : str
    representation : str, optional
        What a task works on, ``images``, ``k-space``, ``volumes``, ``contrasts`` or ``tumours``; default: the
        first that the dataset comes in.

    Raises
    ------
    RequestError
        With a suggestion, if there is none, or if the dataset does not come in that representation.
    """
    if name.startswith(FOLDER):
        folder: Dataset = _class(_FOLDERS[representation or "images"])(Path(name.removeprefix(FOLDER)))
        if folder.name in DATASETS:  # tables, weights and tuned parameters would take it for that one
            raise RequestError(f"{name} has the name of a built-in dataset; rename the folder.")
        return folder
    if name not in DATASETS:
        raise unknown_name("dataset", name, [*DATASETS, f"{FOLDER}PATH"])
    representations = DATASETS[name]
    if representation is not None and representation not in representations:
        fitting = [other for other, kinds in DATASETS.items() if representation in kinds]
        raise RequestError(f"dataset '{name}' has no {representation}; choose {', '.join(fitting)} or {FOLDER}PATH.")
    return _class(representations[representation or next(iter(representations))])()


def _class(address: str) -> type:
    module, _, attribute = address.partition(":")
    return getattr(import_module(module), attribute)
