"""Source files of the public datasets: fetched by pooch with a pinned commit, or read from a folder."""

from __future__ import annotations

import os
from pathlib import Path

from mrbench.core.errors import DataError, unknown_name
from mrbench.datasets.dataset import SplitFile
from mrbench.io.files import cache_root, sha256_of

RAW_HOST = "https://raw.githubusercontent.com"


def local_folder(dataset: str) -> Path | None:
    """``$MRBENCH_DATA/<dataset>`` where the variable is set.

    Raises
    ------
    DataError
        If the variable is set but that folder is not there.
    """
    root = os.environ.get("MRBENCH_DATA")
    if not root:
        return None
    folder = Path(root).expanduser() / dataset
    if not folder.is_dir():
        raise DataError(
            f"MRBENCH_DATA is set but {folder} is not a folder; correct the variable or unset it to download."
        )
    return folder


def source_file(dataset: str, split_file: SplitFile, name: str) -> Path:
    """Return the path of one verified source file, downloading it if no local folder has it.

    Parameters
    ----------
    dataset : str
        Name of the dataset.
    split_file : SplitFile
        Lists every source file with its sha256 and its path upstream.
    name : str
        The file's path inside the dataset.

    Raises
    ------
    DataError
        If the file is missing, cannot be fetched, or is not the file that the split file pins.
    """
    if name not in split_file.files:
        raise unknown_name(f"file of {dataset}", name, split_file.files)
    facts = split_file.files[name]
    folder = local_folder(dataset)
    if folder is None:
        return _download(dataset, split_file, name)
    path = folder / name
    if not path.is_file():
        raise DataError(f"{path} is missing; fetch it with `mrbench data fetch {dataset}` (MRBENCH_DATA unset).")
    if sha256_of(path) != facts["sha256"]:
        raise DataError(f"{path} is corrupt: its sha256 is not the pinned one; delete it and fetch it again.")
    return path


def _download(dataset: str, split_file: SplitFile, name: str) -> Path:
    import pooch

    facts, source = split_file.files[name], split_file.source
    url = f"{RAW_HOST}/{source['repository']}/{source['commit']}/{facts['upstream']}"
    target = cache_root() / "downloads" / dataset / name
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(pooch.retrieve(url, f"sha256:{facts['sha256']}", fname=target.name, path=target.parent))
    except ValueError as error:
        raise DataError(f"{url} is not the pinned file (sha256 differs); report it to mrbench.") from error
    except Exception as error:
        raise DataError(
            f"cannot fetch {url}: {type(error).__name__}; check the network, or set MRBENCH_DATA to a folder "
            f"that holds {dataset}/{name}."
        ) from error
