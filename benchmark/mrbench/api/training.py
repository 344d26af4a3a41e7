"""Train learned methods, tune classical ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mrbench.api.data import prepare
from mrbench.api.progress import SILENT, Progress
from mrbench.core.arguments import check_paths, check_text, check_whole
from mrbench.core.binding import bind
from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.method import LearnedMethod, Resources
from mrbench.core.registry import find_method
from mrbench.core.specification import MethodSpec, built, parse_spec
from mrbench.engine.plan import Options
from mrbench.engine.resolver import resolved

if TYPE_CHECKING:
    from mrbench.core.task import Setting
    from mrbench.training.group import Group
    from mrbench.training.loop import Progress as TrainingProgress
    from mrbench.training.loop import Schedule

Listener = Callable[["TrainingProgress", float, "float | None"], None]
"""Called after each step with the progress, the loss, and the score if one was just measured."""

RESOURCES = Resources()
OPTIONS = Options()


def train(
    task: str,
    method: str,
    *,
    schedule: Schedule,
    dataset: str = "icbm-sim",
    track: str | None = None,
    extra_subjects: int = 0,
    start_from: Path | str | None = None,
    validation_limit: int | None = None,
    seed: int = 0,
    resources: Resources = RESOURCES,
    loaders: int = 0,
    out: Path | str = Path("weights"),
    checkpoints: Path | str = Path("checkpoints"),
    progress: Progress = SILENT,
    listen: Listener = lambda state, loss, score: None,
) -> Path:
    """Train a learned method on the train split; weights are chosen on the validation split.

    Where the device of ``resources`` names several, apart by commas, a process for each trains with it.

    Returns
    -------
    Path
        The weights; their manifest lies beside them.

    Raises
    ------
    RequestError
        If the method has nothing to train, the dataset cannot train it, or ``out`` holds weights of that name that
        another command trained.
    """
    from mrbench.training.group import leading

    check_text(task=task, method=method, dataset=dataset, track=track)
    check_whole(0, extra_subjects=extra_subjects, loaders=loaders, seed=seed)
    check_whole(1, validation_limit=validation_limit)
    check_paths(out=out, checkpoints=checkpoints, start_from=out if start_from is None else start_from)
    asked = _Training(
        task,
        method,
        schedule,
        dataset,
        track,
        extra_subjects,
        None if start_from is None else Path(start_from),
        validation_limit,
        seed,
        resources.threads,
        loaders,
        Path(out),
        Path(checkpoints),
    )
    data = asked.bound()[0].dataset
    prepare(data, [*data.subjects("train"), *data.subjects("validation")], progress)
    with leading(resources.devices, asked.fit) as group:
        return asked.fit(group, listen, progress.said)


@dataclass(frozen=True)
class _Training:
    """What `train` was asked for; every process that trains does it from here."""

    task: str
    method: str
    schedule: Schedule
    dataset: str
    track: str | None
    extra_subjects: int
    start_from: Path | None
    validation_limit: int | None
    seed: int
    threads: int
    loaders: int
    out: Path
    checkpoints: Path

    def bound(self) -> tuple[Setting, LearnedMethod]:
        """The setting of the first track, and the learner."""
        spec = parse_spec(self.method)
        names = self.track.split("+") if self.track else [None]
        setting = bind(self.task, self.dataset, names[0], "train")
        if self.extra_subjects:
            setting.dataset.add_extra_subjects(self.extra_subjects)
        learner = built(find_method(spec.name, setting.task.name), spec)
        if not isinstance(learner, LearnedMethod):
            raise RequestError(f"method '{self.method}' has nothing to train; choose a learned one.")
        return setting, learner

    def fit(
        self,
        group: Group,
        listen: Listener = lambda state, loss, score: None,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> Path:
        """Train as one process of a group."""
        from mrbench.training.fit import fit

        setting, learner = self.bound()
        data = setting.dataset
        names = self.track.split("+")[1:] if self.track else []
        return fit(
            learner,
            parse_spec(self.method),
            setting.task,
            data,
            [setting.track, *(setting.task.track(name, data) for name in names)],
            self.schedule,
            out=self.out,
            checkpoints=self.checkpoints,
            seed=self.seed,
            resources=Resources(self.threads, group.device),
            start_from=self.start_from,
            validation_limit=self.validation_limit,
            loaders=self.loaders,
            report=listen,
            say=say,
            group=group,
        )


def tune(
    task: str,
    method: str,
    *,
    dataset: str = "icbm-sim",
    track: str | None = None,
    limit: int | None = None,
    metric: str | None = None,
    options: Options = OPTIONS,
    out: Path | str = Path("tuned"),
    progress: Progress = SILENT,
    listen: Callable[[Mapping[str, float], float], None] = lambda parameters, score: None,
) -> tuple[MethodSpec, Path]:
    """Choose the parameters of a classical method on the validation split, by the task's first metric or by ``metric``.

    A candidate that fails, or ends at a limit of ``options``, is the worst; the search goes on.

    Returns
    -------
    spec : MethodSpec
        The method with what was chosen.
    path : Path
        The manifest, with every candidate that was tried.

    Raises
    ------
    RequestError
        If the method has nothing to tune or fails with every candidate, there are no validation cases, or ``metric``
        is none that the task ranks by.
    DataError
        If a case cannot be read.
    """
    from mrbench.engine.tune import tune as search

    check_text(task=task, method=method, dataset=dataset, track=track, metric=metric)
    check_whole(1, limit=limit)
    check_paths(out=out)
    setting = bind(task, dataset, track, "validation")
    ranking = {one.name: one for one in setting.task.metrics if one.ranked}
    if metric is not None and metric not in ranking:
        raise unknown_name(f"metric of {setting.task.name} to tune by", metric, ranking)
    decisive = ranking[metric] if metric else setting.task.primary
    (candidate,) = resolved(setting, [method])
    if candidate.method.tunable and not candidate.skipped:
        learned_from = setting.dataset.subjects("train") if candidate.method.fitted else ()
        subjects = setting.task.subjects_for(setting, setting.cases(limit))
        prepare(setting.dataset, [*learned_from, *subjects], progress)
    path = search(candidate, out=Path(out), limit=limit, metric=decisive, options=options, report=listen)
    chosen = json.loads(path.read_text())["chosen"]
    return replace(candidate.spec, parameters={**candidate.spec.parameters, **chosen}), path
