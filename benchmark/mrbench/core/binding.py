"""Names become a setting here, once: where a request comes in, and where another process is handed its address."""

from __future__ import annotations

from mrbench.core.registry import find_dataset, find_task
from mrbench.core.task import Address, Setting


def bind(task: str, dataset: str, track: str | None = None, split: str = "test", seed: int = 0) -> Setting:
    """Resolve the names of a request, once.

    Parameters
    ----------
    task : str
        Name of an installed task, or ``path/to/file.py:Name``.
    dataset : str
        Name of an installed dataset, ``folder:PATH``, or ``path/to/file.py:Name``.
    track : str, optional
        Default: the one that suits the dataset.
    split : str
        ``train``, ``validation`` or ``test``.
    seed : int
        Of what is random in the cases.

    Raises
    ------
    RequestError
        If a name is unknown, with a suggestion, or the dataset is not in the representation that the task works on.
    """
    task_object = find_task(task)
    cohort = find_dataset(dataset, task_object.representation)
    return Setting(task_object, cohort, task_object.track(track, cohort), split, seed, task)


def bound(address: Address) -> Setting:
    """The setting of an address: what `bind` returned where the address came from."""
    return bind(address.task, address.dataset, address.track, address.split, address.seed)
