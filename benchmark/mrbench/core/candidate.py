"""Candidate: a method with its parameters, resolved for a setting: what runs, under which key, or why it is skipped."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mrbench.core.case import CaseId
from mrbench.core.dataset import Dataset
from mrbench.core.digest import content_of, hash_of, sha256_of
from mrbench.core.errors import DataError, MethodSkipped, RequestError, unknown_name
from mrbench.core.method import TRAINED, TUNED, Kind, LearnedMethod, Method, is_tuned
from mrbench.core.registry import find_method, method_names
from mrbench.core.source import source_hash
from mrbench.core.specification import MethodSpec, built, parse_spec
from mrbench.core.task import Setting
from mrbench.core.tuned import has_tuned, tuned_parameters
from mrbench.core.weights import (
    check_weights,
    manifest_path,
    read_manifest,
    seen_among,
    shipped_weights,
    subjects_seen,
    tracks_of,
    weights_folder,
    weights_name,
)


@dataclass(frozen=True)
class Traits:
    """What a run must know of a method, so that the process that reports need not import it."""

    qualname: str
    kind: Kind
    fitted: bool
    fresh_process: bool
    tunable: Mapping[str, tuple[float, ...]]
    on_device: bool
    """Whether it computes on the device that it is lent."""

    @classmethod
    def of(cls, method: Method) -> Traits:
        """Those of a method with its parameters."""
        on_device = bool(getattr(method, "on_device", method.kind in TRAINED))
        name, tunable = type(method).__qualname__, dict(method.tunable)
        return cls(name, method.kind, method.fitted, method.fresh_process, tunable, on_device)


@dataclass(frozen=True)
class Candidate:
    """One method of a board.

    Attributes
    ----------
    setting : Setting
    spec : MethodSpec
        As shown: what was asked for.
    resolved : MethodSpec
        As built: ``weights=auto`` and parameters that are ``tuned`` replaced by what they stand for here.
    method : Traits
    source : str
        Hash of its code.
    weights : str or None
        sha256 of its weights.
    skipped : str or None
        Why it cannot run here.
    """

    setting: Setting
    spec: MethodSpec
    resolved: MethodSpec
    method: Traits
    source: str
    weights: str | None
    skipped: str | None

    @property
    def name(self) -> str:
        """What rows and tables call it."""
        return self.spec.label

    def prediction_key(self, case: CaseId) -> str:
        """Hash of all that a prediction depends on, and nothing else."""
        if case.id not in self._keys:
            setting = self.setting
            content = [
                content_of_subject(setting.dataset, subject) for subject in setting.task.subjects_for(setting, [case])
            ]
            self._keys[case.id] = hash_of(case.id, content, self._facts)
        return self._keys[case.id]

    @cached_property
    def _keys(self) -> dict[str, str]:
        return {}

    @cached_property
    def _facts(self) -> str:
        """What is the same for all cases."""
        setting = self.setting
        learned_from = setting.dataset.subjects("train") if self.method.fitted else ()
        parameters = self.resolved.parameters
        words = {key: value for key, value in parameters.items() if isinstance(value, str)}
        files = {key: content for key, word in words.items() if (content := content_of(word))}
        return hash_of(
            setting.task.name,
            setting.task.version,
            setting.track.name,
            setting.track.facts,
            setting.seed,
            [content_of_subject(setting.dataset, subject) for subject in learned_from],
            self.method.qualname,
            sorted(item for item in parameters.items() if item[0] not in files),
            files,
            self.source,
            self.weights,
        )

    def row_key(self, case: CaseId) -> str:
        """Hash of all that a row depends on: its prediction, the split and the protocol."""
        return hash_of(self.prediction_key(case), self.setting.split, self.setting.protocol.hash)


def content_of_subject(dataset: Dataset, subject: str) -> str:
    """The content of a subject; where its files are bad, its rows will say so, and no other's."""
    try:
        return dataset.content_key(subject)
    except DataError:
        return "unreadable"


def candidates(
    setting: Setting, requested: Sequence[str] = (), *, quick: bool = False, all_weights: bool = False
) -> list[Candidate]:
    """Resolve the requested methods, or every method of the task with its presets.

    Parameters
    ----------
    setting : Setting
        What the table is about.
    requested : sequence of str
        As `parse_spec` reads them.
    quick : bool
        Without a request: the quick presets alone.
    all_weights : bool
        Add each learned method again with every other set of weights that it ships: how well they generalise.

    Raises
    ------
    RequestError
        If a name or a parameter is wrong, or a method was asked for twice.
    """
    if requested:
        resolved = [_resolve(setting, parse_spec(text)) for text in requested]
    else:
        resolved = [_resolve(setting, spec) for spec in presets(setting.task.name, quick=quick)]
    kept = _without_twins(resolved)
    if all_weights:
        known = {(candidate.spec.name, candidate.weights) for candidate in kept}
        asked = {str(spec): spec for candidate in kept for spec in _other_weights(candidate)}
        others = [_resolve(setting, spec) for spec in asked.values()]
        kept += [other for other in others if (other.spec.name, other.weights) not in known and not other.skipped]
    return kept


def presets(task: str, *, quick: bool = False) -> list[MethodSpec]:
    """What a run without ``--method`` shows, of every installed method of a task."""
    methods = {name: find_method(name, task) for name in method_names(task)}
    return [
        MethodSpec(name, parameters)
        for name, method in methods.items()
        for parameters in (method.quick_presets if quick else method.presets)
    ]


def _without_twins(resolved: list[Candidate]) -> list[Candidate]:
    """Leave out what tuning found and was asked for already; refuse a method that was asked for twice."""
    kept: list[Candidate] = []
    for candidate in resolved:
        twin = next((other for other in kept if _same(other, candidate)), None)
        if twin is None:
            kept.append(candidate)
        elif not any(map(is_tuned, candidate.spec.parameters.values())):
            raise RequestError(f"method '{candidate.spec}' was asked for twice (as '{twin.spec}'); name it once.")
    names = [candidate.name for candidate in kept]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise RequestError(f"two methods are called '{repeated}'; give one of them another alias: NAME=method.")
    return kept


def _same(first: Candidate, second: Candidate) -> bool:
    one, two = first.resolved, second.resolved
    return (one.name, one.parameters, first.spec.alias) == (two.name, two.parameters, second.spec.alias)


def resolve(setting: Setting, text: str) -> Candidate:
    """One method for a setting, as `parse_spec` reads it; a `RequestError` as of `candidates`."""
    return _resolve(setting, parse_spec(text))


def _resolve(setting: Setting, spec: MethodSpec) -> Candidate:
    """The one place where a method meets a setting: its weights, its tuned values, and why it cannot run."""
    method = find_method(spec.name, setting.task.name)
    spec = _with_fallback(setting, method, spec)
    parameters, reasons = dict(_with_weights(setting, method, spec).parameters), [method.unavailable_reason()]
    try:
        asked = setting.split == "test" and any(map(is_tuned, spec.parameters.values()))
        held_out = [case.id for case in setting.all_cases] if asked else []
        tuned = tuned_parameters(method, spec, setting.dataset.name, setting.track.name, held_out)
    except MethodSkipped as reason:
        tuned = dict.fromkeys(method.tunable, 1.0)
        reasons.append(str(reason))
    parameters = {name: tuned[name] if is_tuned(value) else value for name, value in parameters.items()}
    resolved = replace(spec, parameters=parameters)
    instance, weights = built(method, resolved), None
    reasons.insert(0, instance.skip_reason(setting.track))
    if method.fitted and not setting.dataset.subjects("train"):
        reasons.append(f"{setting.dataset.name} has no train subjects to fit it on")
    try:
        path = instance.weights_file()
        weights = sha256_of(path) if path else None
        if path and weights and isinstance(instance, LearnedMethod):
            check_weights(path, weights, instance.network, setting.task)
        reasons.append(_seen(setting, path) if path else None)
    except MethodSkipped as reason:
        if _names_weights(spec):
            known = shipped_weights(weights_folder(method), instance.network)  # type: ignore[attr-defined]
            raise unknown_name(f"weights of {spec.name}", spec.parameters["weights"], known) from None
        reasons.append(f"{reason}, or train with `{_training(setting, spec)}`" if method.takes_weights else str(reason))
    except OSError:
        raise RequestError(f"method '{spec}': {path} is not there; check the path.") from None
    skipped = next((reason for reason in reasons if reason), None)
    return Candidate(setting, spec, resolved, Traits.of(instance), source_hash(method), weights, skipped)


def _training(setting: Setting, spec: MethodSpec) -> str:
    """The command that trains the weights that a method lacks for a setting."""
    network = {name: value for name, value in spec.parameters.items() if name != "weights"}
    asked = {
        "--task": setting.address.task,
        "--track": setting.track.name,
        "--method": str(MethodSpec(spec.name, network)),
        "--dataset": setting.dataset.address,
    }
    return shlex.join(["mrbench", "train", *(word for option in asked.items() for word in option)])


def _names_weights(spec: MethodSpec) -> bool:
    return spec.parameters.get("weights", "auto") != "auto"


def _seen(setting: Setting, weights: Path) -> str | None:
    """Why weights are not scored here: they, or those that they descend from, have seen a subject of the test split."""
    if not manifest_path(weights).is_file():
        return None
    dataset, ancestry = setting.dataset, read_manifest(manifest_path(weights)).get("ancestry", [])
    if setting.split != "test":
        return None
    tested = [name for subject in dataset.subjects("test") for name in (subject, dataset.person(subject))]
    leaked = seen_among(subjects_seen(ancestry), dataset.files_of or dataset.name, dict.fromkeys(tested))
    return f"its weights were trained or chosen on {', '.join(leaked)} of this test split" if leaked else None


def _with_weights(setting: Setting, method: type[Method], spec: MethodSpec) -> MethodSpec:
    """Replace ``weights=auto`` of a learned method by the name of those trained for the dataset and track."""
    if not method.takes_weights or _names_weights(spec):
        return spec
    name = weights_name(setting.task, setting.dataset.name, [setting.track.name])
    return replace(spec, parameters={**spec.parameters, "weights": name})


def _with_fallback(setting: Setting, method: type[Method], spec: MethodSpec) -> MethodSpec:
    """Where nobody trained or tuned for the dataset and track, show a method with named weights or values of others."""
    if not method.takes_weights:
        return _with_lender(setting, method, spec)
    if _names_weights(spec):
        return spec
    instance = built(method, _with_weights(setting, method, spec))
    name = instance.fallback_weights(setting.track)
    if name is None or instance.skip_reason(setting.track) or _has_weights(instance):
        return spec
    other = replace(spec, parameters={**spec.parameters, "weights": name})
    return other if _has_weights(built(method, other)) else spec


LENDER = "ixi-hh-2mm"
"""Whose tuned values stand in on a user's own data."""


def _with_lender(setting: Setting, method: type[Method], spec: MethodSpec) -> MethodSpec:
    """On a user's own data, replace ``tuned`` by the values tuned on real heads, by name, where there are any."""
    asked = [key for key, value in spec.parameters.items() if value == TUNED]
    task, dataset = setting.task, setting.dataset
    if not asked or dataset.address == dataset.name or has_tuned(method, spec, dataset.name, setting.track.name):
        return spec
    tracks = [setting.track.name, *([] if task.weights_by_track else [next(iter(task.tracks))])]
    lender = next((track for track in tracks if has_tuned(method, spec, LENDER, track)), None)
    if lender is None:
        return spec
    return replace(spec, parameters={**spec.parameters, **dict.fromkeys(asked, f"{TUNED}:{LENDER}.{lender}")})


def _has_weights(method: Method) -> bool:
    try:
        path = method.weights_file()
    except MethodSkipped:
        return False
    return path is not None and path.is_file()


def _other_weights(candidate: Candidate) -> list[MethodSpec]:
    """A learned method with each set of weights that it ships, of this track where tracks are apart."""
    setting, spec = candidate.setting, candidate.spec
    method = find_method(spec.name, setting.task.name)
    if not issubclass(method, LearnedMethod):
        return []
    network = built(method, candidate.resolved).network  # type: ignore[attr-defined]
    names = shipped_weights(weights_folder(method), network)
    if setting.task.tracks_apart:
        names = [name for name in names if setting.track.name in tracks_of(name)]
    return [replace(spec, parameters={**spec.parameters, "weights": name}) for name in names]
