"""Method: anything that predicts. A class with ``predict``, or one function with a decorator."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

from mrbench.core.case import Inputs
from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.track import Track

Kind = Literal["classical", "learned", "learned + optimised", "external"]
"""``learned``: a network alone; ``learned + optimised``: one whose output an optimisation for the case starts from;
``external``: predictions that were made elsewhere and are scored from files."""

TRAINED: tuple[Kind, ...] = ("learned", "learned + optimised")
"""Kinds of method that have weights."""

EXTERNAL: Kind = "external"
"""Of rows whose predictions were made elsewhere."""

Examples = TypeVar("Examples")
"""What a task gives its methods to learn from: see its ``training_examples``."""

Recipe = TypeVar("Recipe")
"""Network, batches and loss, as `mrbench.training` takes them."""

TUNED = "tuned"
"""Value of a parameter that stands for what `mrbench tune` chose."""


def is_tuned(value: object) -> bool:
    """Whether a value is what `mrbench tune` found: ``tuned``, ``tuned:DATASET.TRACK``, or ``tuned:FILE.json``."""
    return isinstance(value, str) and value.partition(":")[0] == TUNED


@dataclass(frozen=True)
class Resources:
    """What a method may use: number of CPU threads, and ``cpu``, ``cuda``, or several devices apart by commas."""

    threads: int = 1
    device: str = "cpu"

    @property
    def devices(self) -> tuple[str, ...]:
        """Each of the devices, in order."""
        return tuple(self.device.split(","))


class Method(ABC, Generic[Inputs]):
    """Base of every method, with scikit-learn's conventions.

    Parameters are keyword arguments of ``__init__`` and are stored untouched under the same name.
    """

    task: ClassVar[str]
    kind: Kind = "classical"
    """Of the class; an instance says otherwise where it depends on the parameters."""
    reference: ClassVar[str] = ""
    """Citation, as it should stand in a paper."""
    needs: ClassVar[Mapping[str, str]] = {}
    """Import name of each optional package to the command that installs it."""
    presets: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    """The parameters of each row that a run without ``--method`` makes."""
    quick_presets: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    """The same of a run with ``--quick``: the setting of seconds that stands for the family, or none."""

    tunable: ClassVar[Mapping[str, tuple[float, ...]]] = {}
    """Positive parameters that `mrbench tune` searches, with the grid it starts from; each may be ``tuned``."""

    fresh_process: ClassVar[bool] = False
    """Whether each case needs a process of its own: for tools whose second call differs from their first."""

    fitted: ClassVar[bool] = False
    """Whether it learns from the train split in every run (`FittedMethod`)."""

    takes_weights: ClassVar[bool] = False
    """Whether it has a parameter ``weights`` whose ``auto`` stands for those of the dataset (`LearnedMethod`)."""

    resources: Resources = Resources()
    """What the engine lends; set by `setup`."""

    @classmethod
    def parameters(cls) -> dict[str, Any]:
        """Names and defaults of the parameters."""
        signature = inspect.signature(cls.__init__)
        return {
            name: None if p.default is inspect.Parameter.empty else p.default
            for name, p in signature.parameters.items()
            if name != "self" and p.kind is inspect.Parameter.KEYWORD_ONLY
        }

    @classmethod
    def build(cls, **parameters: object) -> Method:
        """Make an instance, refusing unknown parameters with a suggestion, and values of another type.

        Raises
        ------
        RequestError
        """
        defaults, declared = cls.parameters(), inspect.signature(cls.__init__).parameters
        for name, value in parameters.items():
            if name not in defaults:
                raise unknown_name(f"parameter of {cls.__name__}", name, defaults)
            annotation = declared[name].annotation if name in declared else inspect.Parameter.empty
            if expected := _wrong_type(defaults[name], annotation, value):
                raise RequestError(f"parameter {name} of {cls.__name__} takes {expected}, not {value!r}; give one.")
        return cls(**parameters)

    @classmethod
    def unavailable_reason(cls) -> str | None:
        """Return why this method cannot run here, or None."""
        for package, install in cls.needs.items():
            if find_spec(package) is None:
                return install
        return None

    def skip_reason(self, track: Track[Any]) -> str | None:
        """Return why this method does not suit a track of its task, or None."""
        return None

    def weights_file(self) -> Path | None:
        """Return the file of its weights, or None of a method without; raises `MethodSkipped` if it is not here."""
        return None

    def fallback_weights(self, track: Track[Any]) -> str | None:
        """Name of shipped weights that stand in, by name, on data for which there are none; or None."""
        return None

    def setup(self, resources: Resources) -> None:
        """Import, load weights and warm up: run once a process, timed apart from `predict`."""
        self.resources = resources

    @abstractmethod
    def predict(self, inputs: Inputs) -> object:
        """Predict one case from what the task documents as its inputs."""


_WORDS = {bool: "true or false", int: "a number", float: "a number", str: "a word", type(None): "None"}
"""What parameters of these types take."""


def _wrong_type(default: object, annotation: object, value: object) -> str | None:
    """What a parameter takes, where a value is not of that type; without annotation and default that is anything."""
    kinds = _kinds(annotation) or ({type(default)} & _WORDS.keys() - {type(None)})
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not kinds or type(value) in kinds or (is_tuned(value) and kinds & {int, float}):
        return None
    if number and kinds & {int, float, str}:  # a word may look like a number
        return None
    return " or ".join(dict.fromkeys(words for kind, words in _WORDS.items() if kind in kinds))


def _kinds(annotation: object) -> set[type]:
    """The plain types of an annotation such as ``float | None``; empty where it holds anything else."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    named = {"bool": bool, "int": int, "float": float, "str": str, "None": type(None)}
    parts = [part.strip() for part in text.split("|")]
    return {named[part] for part in parts} if all(part in named for part in parts) else set()


class FittedMethod(Method[Inputs], Generic[Inputs, Examples]):
    """A method that learns within seconds: anew from the train split in every run, so it ships no weights."""

    fitted = True

    @abstractmethod
    def fit(self, examples: Examples) -> None:
        """Learn from what the task's ``training_examples`` returns; run once a process, after `setup`."""


class LearnedMethod(Method[Inputs], Generic[Inputs, Examples, Recipe]):
    """A method with weights.

    ``weights`` is a name shipped with the method, a path, or ``auto``: those trained for the dataset.
    """

    kind: Kind = "learned"
    takes_weights = True
    training_only: ClassVar[frozenset[str]] = frozenset({"training_recipe"})
    """What a run never calls: an edit there runs nothing again, since the weights tell what came of it."""
    weights: str

    def weights_file(self) -> Path:
        return self.weights_path

    @property
    @abstractmethod
    def network(self) -> str:
        """Name of the network that the weights belong to; several settings of a method may share one."""

    @property
    @abstractmethod
    def weights_path(self) -> Path:
        """The file of weights; raises `MethodSkipped` where there is none for what was asked."""

    @abstractmethod
    def training_recipe(self, subjects: Examples, *, seed: int) -> Recipe:
        """Return the network, batches and loss for `mrbench.training`; never called in a run."""


def method(*, task: str, reference: str = "", kind: Kind = "classical") -> Callable[[Callable[..., Any]], type[Method]]:
    """Turn a function ``f(inputs, **parameters) -> prediction`` into a method.

    Examples
    --------
    >>> import numpy as np
    >>> @method(task="registration", reference="nobody, 2026")
    ... def stay(inputs):
    ...     return np.zeros((3, *inputs.fixed.shape), np.float32)
    >>> stay.task
    'registration'
    """

    def decorate(function: Callable[..., Any]) -> type[Method]:
        first, *rest = inspect.signature(function).parameters.values()
        defaults = {p.name: p.default for p in rest}
        if inspect.Parameter.empty in defaults.values():
            raise RequestError(f"method '{function.__name__}': every parameter after '{first.name}' needs a default.")

        class FunctionMethod(Method):
            def __init__(self, **parameters: object) -> None:
                self._chosen = parameters

            @classmethod
            def parameters(cls) -> dict[str, Any]:
                return dict(defaults)

            def predict(self, inputs: object) -> object:
                return function(inputs, **self._chosen)

        FunctionMethod.__name__ = FunctionMethod.__qualname__ = function.__name__
        FunctionMethod.__doc__ = function.__doc__
        FunctionMethod.__module__ = function.__module__
        FunctionMethod.task, FunctionMethod.reference, FunctionMethod.kind = task, reference, kind
        return FunctionMethod

    return decorate
