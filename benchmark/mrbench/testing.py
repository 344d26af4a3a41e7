"""The contract suite: what every method, task and dataset keeps, built in or your own.

In a test of your own package::

    from mrbench.testing import parametrize_with_checks, setting

    @parametrize_with_checks(method="mine.py:register", setting=setting("registration", "folder:heads"))
    def test_contract(check):
        check()

The style is scikit-learn's. Each check raises `AssertionError` with one sentence where the contract is broken.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Never

import numpy as np

from mrbench.core.binding import bind
from mrbench.core.case import SPLITS, Case
from mrbench.core.dataset import Dataset
from mrbench.core.errors import PredictionError, RequestError
from mrbench.core.method import TRAINED, Method, Resources
from mrbench.core.random import seed_everything
from mrbench.core.registry import find_method
from mrbench.core.specification import built, parse_spec
from mrbench.core.task import Setting

if TYPE_CHECKING:
    from _pytest.mark.structures import MarkDecorator

SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.>")
"""What subject and case ids may hold: they become names of files."""


def setting(task: str, dataset: str, track: str | None = None, split: str = "test") -> Setting:
    """Bind the names of a setting, as a run does."""
    return bind(task, dataset, track, split)


@dataclass(frozen=True)
class MethodUnderTest:
    """A method with a case to try it on.

    Attributes
    ----------
    spec : str
        As on the command line.
    setting : Setting
    case : Case
    tolerance : float
        How far two predictions of the same case may lie apart; 0 for bit-identical ones.
    """

    spec: str
    setting: Setting
    case: Case[Any, Any]
    tolerance: float = 0.0

    def ready(self) -> Method:
        """The method, set up on one thread, and fitted where it fits."""
        spec = parse_spec(self.spec)
        method = built(find_method(spec.name, self.setting.task.name), spec)
        method.setup(Resources(threads=1))
        if method.fitted:
            examples = self.setting.task.training_examples(self.setting.dataset, [self.setting.track])
            method.fit(examples)  # type: ignore[attr-defined]
        return method

    def returned(self, method: Method) -> object:
        """What it predicts for the case, seeded as in a run."""
        seed_everything(0)
        return method.predict(copy.deepcopy(self.case.inputs))

    def predict(self, method: Method) -> np.ndarray:
        """The same, checked by the task."""
        return self.setting.task.check(self.case, self.returned(method))


def check_parameters_are_stored(test: MethodUnderTest) -> None:
    """Parameters have defaults and stand on the instance under their own names, as scikit-learn's do."""
    method_class = find_method(parse_spec(test.spec).name, test.setting.task.name)
    try:
        method_class.build(no_such_parameter=1)
    except RequestError:
        pass
    else:
        raise AssertionError(f"{test.spec} takes a parameter that it does not have; name its parameters.")
    json.dumps(method_class.parameters(), default=_refuse)


def check_is_described(test: MethodUnderTest) -> None:
    """It has a docstring and a kind that tables know."""
    method_class = find_method(parse_spec(test.spec).name, test.setting.task.name)
    assert method_class.__doc__, f"{test.spec} has no docstring; say what it computes."
    assert method_class.kind in ("classical", *TRAINED), f"{test.spec} has kind {method_class.kind!r}."


def check_prediction_is_accepted(test: MethodUnderTest) -> None:
    """What it returns is what the task asks for, and can be scored."""
    prediction = test.predict(test.ready())
    scores = test.setting.task.score(test.case, prediction)
    for metric in test.setting.task.metrics:
        value = scores.metrics.get(metric.name)
        if value is not None:
            low, high = metric.bounds
            assert low <= value <= high, f"{metric.name} is {value}, outside its bounds {metric.bounds}."


def check_inputs_are_not_changed(test: MethodUnderTest) -> None:
    """The next method sees the same inputs."""
    given = copy.deepcopy(test.case.inputs)
    test.ready().predict(given)
    assert _equal(test.case.inputs, given), f"{test.spec} changes its inputs; work on a copy."


def check_is_deterministic(test: MethodUnderTest) -> None:
    """The same case gives the same prediction, from the same instance and from a new one."""
    method = test.ready()
    first = test.returned(method)  # not what the task accepts of it: that is another check
    others = [test.returned(test.ready())] + ([] if method.fresh_process else [test.returned(method)])
    for other in others:
        apart = _apart(first, other)
        assert apart <= test.tolerance, f"{test.spec} does not repeat itself: {apart:g} apart; seed its randomness."


def _apart(first: object, second: object) -> float:
    """Largest difference of two predictions; infinite where they are of two types or shapes."""
    if _equal(first, second):
        return 0.0
    if not (isinstance(first, np.ndarray) and isinstance(second, np.ndarray)) or first.shape != second.shape:
        return np.inf
    wide = np.result_type(first.dtype, second.dtype, np.float64)
    return float(np.nanmax(np.abs(first.astype(wide) - second.astype(wide)), initial=0.0))


def check_cases_are_fixed(tested: Setting) -> None:
    """Cases have unique ids that can be names of files, in the same order every time."""
    ids = [case.id for case in tested.task.cases(tested)]
    assert ids == [case.id for case in tested.task.cases(tested)], "cases change their order; list them in a fixed one."
    assert len(set(ids)) == len(ids), "two cases have one id."
    assert all(set(name) <= SAFE for name in ids), "an id holds signs that no file name should have."


def check_cases_load(tested: Setting) -> None:
    """A case loads, the same twice, with inputs that hold nothing of the reference."""
    case = tested.cases()[0]
    first, second = tested.load(case), tested.load(case)
    assert (first.id, tuple(first.subjects)) == (case.id, tuple(case.subjects)), "a loaded case has another id."
    assert _equal(first.inputs, second.inputs), "loading a case twice gives other inputs; draw by its id."
    assert _equal(first.reference, second.reference), "loading a case twice gives another reference."


def check_protocol_is_frozen(tested: Setting) -> None:
    """The protocol is JSON and has one hash."""
    json.dumps(tested.protocol.as_dict(), default=_refuse)
    assert tested.protocol.hash == tested.task.protocol(tested).hash, "the protocol changes from call to call."


def check_nonsense_is_refused(tested: Setting) -> None:
    """Predictions that cannot be scored raise `PredictionError`."""
    case = tested.load(tested.cases()[0])
    for nonsense in (None, "field", [1.0], np.zeros(()), np.full((2, 2), np.nan, np.float32)):
        try:
            tested.task.check(case, nonsense)
        except PredictionError:
            continue
        raise AssertionError(f"{tested.task.name} accepts {nonsense!r} as a prediction; refuse it in `check`.")


def check_metrics_are_complete(tested: Setting) -> None:
    """Metrics have unique names, descriptions, and bounds in order."""
    names = [metric.name for metric in tested.task.metrics]
    assert names and len(set(names)) == len(names), "a task needs metrics of different names."
    for metric in tested.task.metrics:
        assert metric.description, f"{metric.name} has no description; say what it is and where it comes from."
        assert metric.bounds[0] < metric.bounds[1], f"{metric.name} has bounds {metric.bounds}."


def check_splits_are_apart(dataset: Dataset) -> None:
    """No subject stands in two splits, and ids can be names of files."""
    everyone = [subject for split in SPLITS for subject in dataset.subjects(split)]
    assert len(set(everyone)) == len(everyone), "a subject stands in two splits."
    assert all(subject and set(subject) <= SAFE for subject in everyone), "an id holds signs that no file should have."
    assert dataset.subjects("test") == dataset.subjects("test"), "the order of subjects changes."


def check_content_has_keys(dataset: Dataset) -> None:
    """Each subject has a key of its own, the same every time."""
    subjects = [subject for split in SPLITS for subject in dataset.subjects(split)][:20]
    keys = [dataset.content_key(subject) for subject in subjects]
    assert keys == [dataset.content_key(subject) for subject in subjects], "a content key changes from call to call."
    assert len(set(keys)) == len(keys), "two subjects share a content key."


def check_subject_loads(dataset: Dataset) -> None:
    """A subject loads the same twice, on one grid, finite."""
    name = next(subject for split in SPLITS for subject in dataset.subjects(split))
    first, second = dataset.load(name), dataset.load(name)
    assert first.id == name, f"subject '{name}' calls itself '{first.id}'."
    assert _equal(first, second), "loading a subject twice gives other arrays."
    for contrast, image in first.images.items():
        assert image.shape == first.mask.shape and np.isfinite(image).all(), f"{contrast} is malformed."


METHOD_CHECKS: tuple[Callable[[MethodUnderTest], None], ...] = (
    check_parameters_are_stored,
    check_is_described,
    check_prediction_is_accepted,
    check_inputs_are_not_changed,
    check_is_deterministic,
)
TASK_CHECKS: tuple[Callable[[Setting], None], ...] = (
    check_cases_are_fixed,
    check_cases_load,
    check_protocol_is_frozen,
    check_nonsense_is_refused,
    check_metrics_are_complete,
)
DATASET_CHECKS: tuple[Callable[[Any], None], ...] = (
    check_splits_are_apart,
    check_content_has_keys,
    check_subject_loads,
)


def checks(
    *, setting: Setting | None = None, method: str | None = None, dataset: Dataset | None = None, tolerance: float = 0.0
) -> dict[str, Callable[[], None]]:
    """The checks of what was given, by name, each to be called without arguments.

    Parameters
    ----------
    setting : Setting, optional
        Alone: checks its task. With ``method``: gives the case that the method is tried on.
    method : str, optional
        As on the command line.
    dataset : Dataset, optional
        Alone: checks it.
    tolerance : float
        How far two predictions of a method may lie apart.
    """
    if method is not None:
        if setting is None:
            raise RequestError("a method is checked on a case: give a setting, too.")
        test = MethodUnderTest(method, setting, setting.load(setting.cases()[0]), tolerance)
        return {check.__name__: partial(check, test) for check in METHOD_CHECKS}
    if setting is not None:
        return {check.__name__: partial(check, setting) for check in TASK_CHECKS}
    return {check.__name__: partial(check, dataset) for check in DATASET_CHECKS}


def parametrize_with_checks(
    *, setting: Setting | None = None, method: str | None = None, dataset: Dataset | None = None, tolerance: float = 0.0
) -> MarkDecorator:
    """Decorate a test that takes ``check``: it runs once for each check of what was given (see `checks`)."""
    import pytest

    given = checks(setting=setting, method=method, dataset=dataset, tolerance=tolerance)
    return pytest.mark.parametrize("check", [pytest.param(call, id=name) for name, call in given.items()])


def _equal(first: object, second: object) -> bool:
    """Whether two values are the same, arrays bit for bit."""
    if isinstance(first, np.ndarray):
        return isinstance(second, np.ndarray) and np.array_equal(first, second, equal_nan=first.dtype.kind in "fc")
    if is_dataclass(first):
        return all(_equal(getattr(first, field.name), getattr(second, field.name)) for field in fields(first))
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(_equal(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(_equal, first, second))
    return bool(first == second)


def _refuse(value: object) -> Never:
    raise AssertionError(f"{value!r} is no JSON value.")
