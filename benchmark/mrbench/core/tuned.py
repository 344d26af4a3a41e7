"""What `mrbench tune` found, as a manifest beside the method: how ``strength=tuned`` becomes a number."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mrbench.core.errors import MethodSkipped, RequestError
from mrbench.core.method import Method, is_tuned
from mrbench.core.registry import is_file, module_file
from mrbench.core.specification import MethodSpec, parse_spec
from mrbench.core.weights import seen_among

FOLDER = "tuned"


def manifest_name(tunable: Collection[str], spec: MethodSpec, dataset: str, track: str) -> str:
    """File name of a manifest; parameters that are not tuned belong to the name."""
    fixed = [str(value) for key, value in spec.parameters.items() if key not in tunable]
    name = "-".join([Path(spec.name).name if is_file(spec.name) else spec.name, *fixed])
    name = "".join("_" if letter in "/\\\0" else letter for letter in name).lstrip(".")  # one name, below its folder
    return ".".join([name, dataset, track, "json"])


def tuned_folder(method: type[Method]) -> Path:
    """Where a method ships its manifests: ``tuned`` beside its module."""
    return module_file(method).parent / FOLDER


def tuned_parameters(
    method: type[Method], spec: MethodSpec, dataset: str, track: str, held_out: Collection[str] = ()
) -> Mapping[str, Any]:
    """Return the parameters found on the validation split, where the spec asks for any.

    Each is that of the data set and track, or of those that the value names: ``tuned:ixi-hh-2mm.multicoil-4x``; or it
    stands in a manifest of one's own: ``tuned:PATH.json``. None may have seen the cases of the data set's test split,
    ``held_out``.

    Raises
    ------
    MethodSkipped
        If this method was not tuned for the data set and track.
    RequestError
        If a parameter is asked to be tuned that cannot be, or a value names data that it was not tuned on, or a file
        that is no manifest of this method.
    """
    asked = {key: value for key, value in spec.parameters.items() if is_tuned(value)}
    if fixed := [key for key in asked if key not in method.tunable]:
        raise RequestError(
            f"method '{spec}': {fixed[0]} cannot be tuned; choose {', '.join(method.tunable) or 'none'}."
        )
    return {key: _chosen(method, spec, key, value, (dataset, track), held_out) for key, value in asked.items()}


def has_tuned(method: type[Method], spec: MethodSpec, dataset: str, track: str) -> bool:
    """Whether the method ships values tuned for a data set and track."""
    return (tuned_folder(method) / manifest_name(method.tunable, spec, dataset, track)).is_file()


def _chosen(
    method: type[Method], spec: MethodSpec, key: str, value: str, home: tuple[str, str], held_out: Collection[str]
) -> object:
    lender = value.partition(":")[2]
    if lender.endswith(".json"):
        return _told(_of_method(Path(lender), method, spec), key, home[0], held_out)
    dataset, dot, track = lender.partition(".") if lender else (home[0], ".", home[1])
    path = tuned_folder(method) / manifest_name(method.tunable, spec, dataset, track)
    if dot and path.is_file():
        return _told(path, key, home[0], held_out)
    if not lender:
        raise MethodSkipped(
            f"not tuned for {dataset}, {track}: give {key} a number, or tuned:FILE with the manifest of `mrbench tune`"
        )
    start = manifest_name(method.tunable, spec, "", "").removesuffix("...json")
    files = sorted(tuned_folder(method).glob(f"{start}.*.json"))
    lenders = [file.name.removeprefix(f"{start}.").removesuffix(".json") for file in files]
    raise RequestError(
        f"method '{spec}': {key} was not tuned on '{lender}'; choose tuned:DATASET.TRACK of "
        f"{', '.join(lenders) or 'none'}."
    )


def _of_method(path: Path, method: type[Method], spec: MethodSpec) -> Path:
    """The manifest that a user names, unless it is of another method, of other fixed parameters or of a test split."""
    if not path.is_file():
        raise RequestError(f"method '{spec}': there is no {path}; give a manifest that `mrbench tune` has written.")
    try:
        manifest = json.loads(path.read_bytes())
        tuned, split = parse_spec(manifest["method"]), manifest["split"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RequestError(f"{path} is no manifest of `mrbench tune`; tune the method again.") from None
    if manifest_name(method.tunable, tuned, "", "") != manifest_name(method.tunable, spec, "", ""):
        raise RequestError(f"method '{spec}': {path} tells what was tuned of '{tuned}'; tune this method itself.")
    if split == "test":
        raise RequestError(f"method '{spec}': {path} was tuned on the test split; tune on validation.")
    return path


def _told(path: Path, key: str, dataset: str, held_out: Collection[str]) -> object:
    try:
        manifest = json.loads(path.read_bytes())
        chosen, seen = manifest["chosen"][key], {manifest.get("dataset", ""): manifest.get("cases", [])}
        if leaked := seen_among(seen, dataset, held_out):
            raise RequestError(f"{path} was tuned on {leaked[0]} of this test split; tune on validation again.")
        if isinstance(chosen, bool) or not math.isfinite(chosen):
            raise ValueError
        return chosen
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise RequestError(f"{path} is no manifest that tells {key}; tune the method again.") from None
