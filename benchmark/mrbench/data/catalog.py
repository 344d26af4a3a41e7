"""Every dataset by name. A new dataset is one line here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from mrbench.core.errors import unknown_name
from mrbench.data.dataset import Dataset

DATASETS = {
    "icbm-sim": "mrbench.data.icbm_sim:IcbmSim",
    "ixi-hh-2mm": "mrbench.data.ixi_hh:IxiHammersmith",
    "msd-hippocampus": "mrbench.data.msd_hippocampus:MsdHippocampus",
}

FOLDER = "folder:"


def find_dataset(name: str) -> Dataset:
    """Return the dataset of that name, or of a folder: ``folder:PATH``.

    Raises
    ------
    RequestError
        With a suggestion, if there is none.
    """
    if name.startswith(FOLDER):
        from mrbench.data.folder import Folder

        return Folder(Path(name.removeprefix(FOLDER)))
    if name not in DATASETS:
        raise unknown_name("dataset", name, [*DATASETS, f"{FOLDER}PATH"])
    module, _, attribute = DATASETS[name].partition(":")
    return getattr(import_module(module), attribute)()
