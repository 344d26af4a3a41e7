"""Finding methods, tasks and datasets: by entry point, or as ``path/to/file.py:Name``."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from mrbench.core.command import COMMAND, command_method
from mrbench.core.dataset import Dataset
from mrbench.core.errors import RequestError, brief, unknown_name
from mrbench.core.method import Method
from mrbench.core.task import Task

PACKAGES = ("mrbench", "mrbench_baselines", "mrbench_methods")
"""The packages of this repository."""

METHODS, TASKS, DATASETS = "mrbench.methods", "mrbench.tasks", "mrbench.datasets"
"""Entry-point groups; names are ``<task>.<method>``, ``<task>`` and ``<dataset>.<representation>``."""

USER_MODULE = "mrbench_user_"
"""What modules are called that were imported from a path."""

DEFAULT = "images"
"""Representation of a dataset where nobody names one, if it comes in that."""

FOLDER = "folder"
"""Dataset whose class takes a path: ``folder:PATH``."""


def _installed(group: str) -> dict[str, EntryPoint]:
    return installed(tuple(sys.path))[group]


@lru_cache(maxsize=4)
def installed(path: tuple[str, ...]) -> dict[str, dict[str, EntryPoint]]:
    """Entry points by group and name; ``path`` is ``sys.path``, whose packages are looked through once."""
    every = entry_points()
    return {group: {entry.name: entry for entry in every.select(group=group)} for group in (METHODS, TASKS, DATASETS)}


def _load(entry: EntryPoint, kind: str) -> type[Any]:
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        raise RequestError(
            f"{kind} '{entry.name}' cannot be imported: {type(error).__name__}: {brief(error)}; reinstall its package."
        ) from error


def method_names(task: str) -> list[str]:
    """Names of the installed methods of a task; imports none of them."""
    prefix = f"{task}."
    return sorted(name.removeprefix(prefix) for name in _installed(METHODS) if name.startswith(prefix))


def is_foreign(name: str, task: str) -> bool:
    """Whether a method's code is neither mrbench's nor that of the packages beside it: a file's, or a plug-in's."""
    entry = _installed(METHODS).get(f"{task}.{name}")
    if entry is None:
        return is_file(name) and not name.startswith(COMMAND)
    return entry.module.partition(".")[0] not in PACKAGES


def find_method(name: str, task: str) -> type[Method]:
    """Return the method class of that name, from an entry point or a Python file.

    ``file.py`` alone means the one method of that task in it, ``cmd:...`` a shell command.

    Raises
    ------
    RequestError
        If there is none, with a suggestion; or if a file has no such method for this task.
    """
    if name.startswith(COMMAND):
        return command_method(name, find_task(task))
    if is_file(name):
        method = _from_file(name, Method, "method", lambda method: getattr(method, "task", task) == task)
    elif name in (names := method_names(task)):
        method = _load(_installed(METHODS)[f"{task}.{name}"], "method")
    else:
        raise unknown_name(f"method for {task}", name, names)
    if not hasattr(method, "task"):
        raise RequestError(f"method '{name}' names no task; give its class the attribute task = \"{task}\".")
    if method.task != task:
        raise RequestError(f"method '{name}' is for the task {method.task}, not {task}; give --task {method.task}.")
    return method


def task_names() -> list[str]:
    """Names of the installed tasks."""
    return sorted(_installed(TASKS))


def find_task(name: str) -> Task[Any, Any]:
    """Return the task of that name, from an entry point or a Python file.

    Raises
    ------
    RequestError
        If there is none, with a suggestion.
    """
    if is_file(name):
        return _from_file(name, Task, "task")()
    if name not in _installed(TASKS):
        raise unknown_name("task", name, _installed(TASKS))
    return _load(_installed(TASKS)[name], "task")()


def dataset_names() -> dict[str, list[str]]:
    """Names of the installed datasets, each with its representations, the default one first; imports none of them."""
    names: dict[str, list[str]] = {}
    for entry in _installed(DATASETS):
        name, _, representation = entry.partition(".")
        names.setdefault(name, []).append(representation)
    return {
        name: sorted(representations, key=lambda representation: (representation != DEFAULT, representation))
        for name, representations in sorted(names.items())
        if name != FOLDER
    }


def find_dataset(name: str, representation: str | None = None) -> Dataset:
    """Return the dataset of that name, of a folder (``folder:PATH``), or from a Python file (``file.py:Name``).

    Parameters
    ----------
    name : str
        Of an entry point, ``folder:PATH``, or ``file.py:Name``.
    representation : str, optional
        What a task works on, such as ``images`` or ``k-space``; default: the first that the dataset comes in.

    Raises
    ------
    RequestError
        With a suggestion, if there is none, or if the dataset does not come in that representation.
    """
    if is_file(name):
        dataset = _from_file(name, object, "dataset", lambda cls: hasattr(cls, "subjects") and hasattr(cls, "make"))()
        dataset.address = name
        return _fitting(dataset, representation)
    layout, separator, path = name.partition(":")
    names = dataset_names()
    if separator and layout == FOLDER:
        return _folder(path, representation or DEFAULT, names)
    if name not in names:
        raise unknown_name("dataset", name, [*names, f"{FOLDER}:PATH"])
    if representation is not None and representation not in names[name]:
        fitting = [other for other, kinds in names.items() if representation in kinds]
        raise RequestError(
            f"dataset '{name}' has no {representation}; choose {', '.join([*fitting, f'{FOLDER}:PATH'])}."
        )
    return _load(_installed(DATASETS)[f"{name}.{representation or names[name][0]}"], "dataset")()


@lru_cache
def files_owner(dataset: str) -> str:
    """The dataset whose files one shares (`Dataset.files_of`), by name; its own name where it shares none."""
    return (find_dataset(dataset).files_of if dataset in dataset_names() else "") or dataset


@lru_cache
def borrowed(dataset: str) -> Mapping[str, str]:
    """Subjects of a dataset whose files are another's, with its name (`Dataset.borrowed`)."""
    return find_dataset(dataset).borrowed if dataset in dataset_names() else {}


def _folder(path: str, representation: str, names: Iterable[str]) -> Dataset:
    entry = _installed(DATASETS).get(f"{FOLDER}.{representation}")
    if entry is None:
        raise RequestError(f"no folder is read as {representation}; write the dataset as file.py:Name.")
    dataset: Dataset = _load(entry, "dataset")(Path(path))
    if dataset.name in names:  # tables, weights and tuned parameters would take it for that one
        raise RequestError(f"{FOLDER}:{path} has the name of a built-in dataset; rename the folder.")
    return dataset


def _fitting(dataset: Dataset, representation: str | None) -> Dataset:
    offered = getattr(dataset, "representation", "images")
    if representation is not None and offered != representation:
        raise RequestError(
            f"dataset '{dataset.address}' gives {offered}, but the task works on {representation}; set its attribute "
            f'representation = "{representation}" if that is what it gives.'
        )
    return dataset


def is_file(name: str) -> bool:
    """Whether a name is that of a Python file, or of something in one."""
    return name.endswith(".py") or ".py:" in name


def _from_file(name: str, base: type, kind: str, fits: Callable[[Any], bool] = lambda cls: True) -> type[Any]:
    """The class of that name in a Python file, or the only one of its kind there."""
    path_text, _, attribute = name.rpartition(":") if ".py:" in name else (name, "", "")
    path = Path(path_text).expanduser().resolve()
    if not path.is_file():
        raise RequestError(f"{kind} '{name}': {path} is not there; check the path.")
    module = _module(path)
    classes = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__ and fits(value)
    }
    if attribute in classes:
        return classes[attribute]
    if not attribute and len(classes) == 1:
        return next(iter(classes.values()))
    if not attribute and classes:
        raise RequestError(f"{path} holds several: write {path_text}:NAME with one of {', '.join(sorted(classes))}.")
    other = {k: v for k, v in vars(module).items() if isinstance(v, type) and issubclass(v, base) and v is not base}
    if attribute in other:
        return other[attribute]
    if not classes:
        raise RequestError(f"{path} holds no {kind}; `mrbench new {kind} my_name` writes one to start from.")
    raise unknown_name(f"{kind} in {path.name}", attribute, classes)


def _module(path: Path) -> ModuleType:
    name = f"{USER_MODULE}{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        if str(path.parent) not in sys.path:  # modules beside it are its helpers
            sys.path.append(str(path.parent))
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise RequestError(f"{path} cannot be imported: {type(error).__name__}: {brief(error)}.") from error
    return sys.modules[name]


def user_files() -> list[Path]:
    """The Python files that this process has imported for the user: what another process needs to unpickle theirs."""
    return [Path(str(module.__file__)) for name, module in list(sys.modules.items()) if name.startswith(USER_MODULE)]


def import_user_files(paths: Iterable[Path]) -> None:
    """Import what `user_files` said in another process."""
    for path in paths:
        _module(path)


def module_file(method: type) -> Path:
    """The file that a class is written in; what it ships lies beside it."""
    return Path(str(sys.modules[method.__module__].__file__))
