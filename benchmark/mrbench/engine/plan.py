"""What a run has to do: methods with their parameters, cases, and the key of each row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mrbench.core.case import CaseId
from mrbench.core.errors import MethodSkipped, RequestError
from mrbench.core.method import FittedMethod, LearnedMethod, Method
from mrbench.core.registry import MethodSpec, built, find_method, method_names, parse_spec, source_hash
from mrbench.core.task import Task
from mrbench.datasets.dataset import Dataset
from mrbench.io.files import sha256_of
from mrbench.training.tuned import TUNED, tuned_parameters
from mrbench.training.weights import shipped_weights, tracks_of, weights_folder, weights_name


@dataclass(frozen=True)
class Board:
    """What a table is about: rows that differ in any of these never share one."""

    task: Task
    track: str
    dataset: Dataset
    split: str
    seed: int = 0

    @property
    def protocol(self) -> str:
        return self.task.protocol(self.dataset, self.track).hash

    def cases(self, limit: int | None = None) -> list[CaseId]:
        """The cases, or the first ``limit`` of them."""
        return self.task.cases(self.dataset, self.split, self.track)[:limit]


@dataclass(frozen=True)
class Entry:
    """One method of a board.

    Attributes
    ----------
    spec : MethodSpec
        As shown: what was asked for.
    resolved : MethodSpec
        As built: ``weights=auto`` and parameters that are ``tuned`` replaced by what they stand for here.
    skipped : str or None
        Why it cannot run here.
    fresh_process : bool
        Whether each case needs a process of its own.
    fits : bool
        Whether it learns from the train split in the run.
    """

    spec: MethodSpec
    resolved: MethodSpec
    kind: str
    source: str
    weights: str | None
    skipped: str | None
    fresh_process: bool = False
    fits: bool = False

    def prediction_key(self, board: Board, case: CaseId) -> str:
        """Hash of all that a prediction depends on, and nothing else."""
        return _hash(
            board.task.name, board.track, board.dataset.name, board.dataset.fingerprint, case.id, board.seed,
            self.resolved.name, sorted(self.resolved.parameters.items()), self.source, self.weights,
        )  # fmt: skip

    def row_key(self, board: Board, case: CaseId) -> str:
        """Hash of all that a row depends on: its prediction, the split and the protocol."""
        return _hash(self.prediction_key(board, case), board.split, board.protocol)


def _hash(*facts: Any) -> str:
    canonical = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:20]


def entries(board: Board, requested: Sequence[str] = (), *, all_weights: bool = False) -> list[Entry]:
    """Resolve the requested methods, or every method of the task with its board settings.

    Parameters
    ----------
    all_weights : bool
        Add each learned method again with every other set of weights that it ships: how well they generalise.

    Raises
    ------
    RequestError
        If a name or a parameter is wrong.
    """
    task = board.task.name
    if requested:
        specs = [parse_spec(text) for text in requested]
    else:
        specs = [
            MethodSpec(name, settings) for name in method_names(task) for settings in find_method(name, task).board
        ]
    made = [_entry(board, spec if requested else _with_fallback(board, spec)) for spec in specs]
    for number, entry in reversed(list(enumerate(made))):
        if twin := next((other for other in made[:number] if other.resolved == entry.resolved), None):
            if TUNED in entry.spec.parameters.values():
                del made[number]  # tuning found what was asked for already
                continue
            raise RequestError(f"method '{entry.spec}' was asked for twice (as '{twin.spec}'); name it once.")
    if all_weights:
        known = {(entry.spec.name, entry.weights) for entry in made}
        foreign = [_entry(board, spec) for entry in list(made) for spec in _other_weights(board, entry)]
        made += [entry for entry in foreign if (entry.spec.name, entry.weights) not in known and not entry.skipped]
    return made


def _with_fallback(board: Board, spec: MethodSpec) -> MethodSpec:
    """Where nobody trained for the data and track, show a learned method with named weights of other data, if any."""
    if not issubclass(find_method(spec.name, board.task.name), LearnedMethod):
        return spec
    own = build(_with_weights(board, spec), board.task)
    assert isinstance(own, LearnedMethod)
    name = own.fallback_weights(board.track)
    if name is None or own.skip_reason(board.track) or _has_weights(own):
        return spec
    other = replace(spec, parameters={**spec.parameters, "weights": name})
    stranger = board.dataset.address != board.dataset.name
    return other if stranger or _has_weights(build(other, board.task)) else spec


def _has_weights(method: Method) -> bool:
    try:
        return isinstance(method, LearnedMethod) and method.weights_path.is_file()
    except MethodSkipped:
        return False


def _with_weights(board: Board, spec: MethodSpec) -> MethodSpec:
    """Replace ``weights=auto`` by the name of those trained for the data set and track."""
    method = find_method(spec.name, board.task.name)
    if "weights" not in method.parameters() or spec.parameters.get("weights", "auto") != "auto":
        return spec
    name = weights_name(board.task, board.dataset.name, [board.track])
    return replace(spec, parameters={**spec.parameters, "weights": name})


def _other_weights(board: Board, entry: Entry) -> list[MethodSpec]:
    """The specs of a learned method with each set of weights that it ships, of this track where tracks are apart."""
    method = find_method(entry.spec.name, board.task.name)
    instance = build(entry.resolved, board.task)
    if not isinstance(instance, LearnedMethod) or entry.spec.parameters.get("weights", "auto") != "auto":
        return []
    names = shipped_weights(weights_folder(method), instance.network)  # type: ignore[arg-type]
    if board.task.tracks_apart:
        names = [name for name in names if board.track in tracks_of(name)]
    return [replace(entry.spec, parameters={**entry.spec.parameters, "weights": name}) for name in names]


def _entry(board: Board, spec: MethodSpec) -> Entry:
    method = find_method(spec.name, board.task.name)
    resolved, skipped = _with_weights(board, spec), method.unavailable_reason()
    try:
        tuned = tuned_parameters(method, spec, board.dataset.name, board.track)
    except MethodSkipped as reason:
        tuned, skipped = dict.fromkeys(method.tunable, 1.0), skipped or str(reason)
    chosen = {key: tuned[key] if value == TUNED else value for key, value in resolved.parameters.items()}
    resolved = replace(resolved, parameters=chosen)
    instance, weights = build(resolved, board.task), None
    skipped = instance.skip_reason(board.track) or skipped
    fits = isinstance(instance, FittedMethod)
    if fits and not board.dataset.subjects("train"):
        skipped = skipped or f"{board.dataset.name} has no train subjects to fit it on"
    if isinstance(instance, LearnedMethod):
        try:
            weights = sha256_of(instance.weights_path)
        except MethodSkipped as reason:
            skipped = skipped or str(reason)
        except FileNotFoundError:
            raise RequestError(f"method '{spec}': {instance.weights_path} is not there; check the path.") from None
    return Entry(spec, resolved, method.kind, source_hash(method), weights, skipped, method.fresh_process, fits)


def build(spec: MethodSpec, task: Task) -> Method:
    """Make the method of a spec; a `RequestError` as of `find_method` and `built`."""
    return built(find_method(spec.name, task.name), spec)
