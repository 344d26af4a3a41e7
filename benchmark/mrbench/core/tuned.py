"""What `mrbench tune` found, as a manifest beside the method: how ``strength=tuned`` becomes a number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrbench.core.errors import MethodSkipped, RequestError
from mrbench.core.method import Method
from mrbench.core.registry import is_file, module_file
from mrbench.core.specification import MethodSpec

TUNED = "tuned"


def manifest_name(method: type[Method], spec: MethodSpec, dataset: str, track: str) -> str:
    """File name of a manifest; parameters that are not tuned belong to the name."""
    fixed = [str(value) for key, value in spec.parameters.items() if key not in method.tunable]
    name = "-".join([Path(spec.name).name if is_file(spec.name) else spec.name, *fixed])
    name = "".join("_" if letter in "/\\\0" else letter for letter in name).lstrip(
        "."
    )  # one file name, below its folder
    return ".".join([name, dataset, track, "json"])


def tuned_folder(method: type[Method]) -> Path:
    """Where a method ships its manifests: ``tuned`` beside its module."""
    return module_file(method).parent / TUNED


def tuned_parameters(method: type[Method], spec: MethodSpec, dataset: str, track: str) -> Mapping[str, Any]:
    """Return the parameters found on the validation split, where the spec asks for any.

    Raises
    ------
    MethodSkipped
        If this method was not tuned for the data set and track.
    RequestError
        If a parameter is asked to be tuned that cannot be.
    """
    asked = [key for key, value in spec.parameters.items() if value == TUNED]
    if not asked:
        return {}
    if fixed := [key for key in asked if key not in method.tunable]:
        raise RequestError(
            f"method '{spec}': {fixed[0]} cannot be tuned; choose {', '.join(method.tunable) or 'none'}."
        )
    path = tuned_folder(method) / manifest_name(method, spec, dataset, track)
    if not path.is_file():
        raise MethodSkipped(f"not tuned for {dataset}, {track}: give {asked[0]} a number, such as `mrbench tune` finds")
    return json.loads(path.read_text())["chosen"]
