"""Short ways to a setting in tests."""

from __future__ import annotations

from mrbench.core.method import Method
from mrbench.core.registry import find_method
from mrbench.core.specification import MethodSpec, built
from mrbench.core.task import Setting


def setting_of(task: object, dataset: object, track: str | None = None, split: str = "test") -> Setting:
    return Setting.of(task, dataset, track, split)


def build(spec: MethodSpec, task: object) -> Method:
    """The method of a spec, as a run would make it."""
    return built(find_method(spec.name, task.name), spec)
