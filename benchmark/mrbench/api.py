"""What the verbs do, as functions that return objects and print nothing; `mrbench.cli` prints."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from mrbench.core.candidate import Candidate, candidates
from mrbench.core.case import SPLITS, CaseId
from mrbench.core.errors import RequestError
from mrbench.core.method import LearnedMethod, Resources
from mrbench.core.registry import FOLDER, dataset_names, find_dataset, find_method, find_task, is_file, method_names
from mrbench.core.row import Row
from mrbench.core.setting import Setting, bind
from mrbench.core.specification import MethodSpec, built, parse_spec
from mrbench.core.task import Task
from mrbench.core.weights import weights_folder
from mrbench.engine.run import Options, missing, run_board
from mrbench.engine.store import RowStore
from mrbench.report.board import write_board
from mrbench.report.generalisation import write_generalisation
from mrbench.report.tables import Caption, caption
from mrbench.stats.frame import frame
from mrbench.stats.generalisation import Training, transfers
from mrbench.stats.leaderboard import Leaderboard
from mrbench.stats.leaderboard import leaderboard as ranked
from mrbench.stats.side_by_side import SideBySide, side_by_side

if TYPE_CHECKING:
    from mrbench.datasets.dataset import Dataset
    from mrbench.training.loop import Progress as TrainingProgress
    from mrbench.training.loop import Schedule

RESULTS = Path("mrbench-results")
"""Where results go unless told otherwise: a folder that git ignores."""

ROWS = "rows.jsonl"

QUICK_CASES = 5
"""Cases of a quick run: the fewest that have an interval."""


def quick_workers() -> int:
    """Cases side by side of a quick run: one for each core that this process may use, four at the most."""
    return min(4, len(os.sched_getaffinity(0)))


class Progress(Protocol):
    """Hears how a run proceeds."""

    def preparing(self, dataset: str, done: int, total: int) -> None:
        """Subjects of a dataset are made ready."""

    def running(self, method: str, case: str, done: int, total: int) -> None:
        """A case starts; ``done`` of ``total`` rows are there."""

    def finished(self, row: Row, done: int, total: int) -> None:
        """A row was written."""


class Silent:
    """Progress that nobody hears."""

    def preparing(self, dataset: str, done: int, total: int) -> None: ...

    def running(self, method: str, case: str, done: int, total: int) -> None: ...

    def finished(self, row: Row, done: int, total: int) -> None: ...


SILENT = Silent()
OPTIONS = Options()
RESOURCES = Resources()


@dataclass(frozen=True)
class Board:
    """A table with all that stands behind it.

    Attributes
    ----------
    folder : Path
        Where its rows, tables, figures and page lie.
    rows : list of Row
    leaderboard : Leaderboard
    caption : Caption
    page : Path or None
    older : dict of str to int
        Methods whose rows are of older code or data, and how many; they stand marked until they are run again.
    interrupted : bool
    """

    folder: Path
    rows: list[Row]
    leaderboard: Leaderboard
    caption: Caption
    page: Path | None
    older: Mapping[str, int]
    interrupted: bool = False

    @property
    def failed(self) -> bool:
        """Whether a row failed."""
        return any(row.failed for row in self.rows)


def run(
    task: str,
    *,
    dataset: str = "icbm-sim",
    track: str | None = None,
    methods: Sequence[str] = (),
    split: str = "test",
    limit: int | None = None,
    quick: bool = False,
    all_weights: bool = False,
    options: Options = OPTIONS,
    out: Path | str = RESULTS,
    progress: Progress = SILENT,
) -> Board:
    """Run what is missing of a board and return it.

    Parameters
    ----------
    task, dataset, track, split
        As `mrbench.core.setting.bind` resolves them.
    methods : sequence of str
        ``name``, ``name[param=value]``, ``file.py:name`` or ``Alias=...``; default: every installed method.
    limit : int, optional
        Only the first cases; every table says so.
    quick : bool
        The quick setting of each family on `QUICK_CASES` cases.
    all_weights : bool
        Learned methods with foreign weights, too.
    options : Options
        Threads, device, workers, limits: what never changes a score.
    out : Path
    progress : Progress

    Raises
    ------
    RequestError
        If a name, a parameter or the folder is wrong; nothing was computed then.
    DataError
        If a data file is bad or the disk is full; what was computed stays.
    """
    setting = bind(task, dataset, track, split)
    limit = QUICK_CASES if quick and limit is None else limit
    wanted = candidates(setting, methods, quick=quick, all_weights=all_weights)
    folder = Path(out) / setting.folder
    cases = setting.cases(limit)
    if not cases:
        raise RequestError(f"{dataset} has no {split} cases for {task}; choose another --split, or add subjects.")
    rows = {row.key: row for row in RowStore(folder / ROWS).read()}
    _refuse_another_folder(folder, setting, list(rows.values()))
    interrupted = False
    if todo := sum(len(missing(candidate, cases, rows, retry=options.retry)) for candidate in wanted):
        learned_from = setting.dataset.subjects("train") if _any_fitted(wanted) else ()
        prepare(setting.dataset, [*learned_from, *setting.task.subjects_for(setting, cases)], progress)
        try:
            _run(setting, wanted, folder, limit, options, todo, progress)
        except KeyboardInterrupt:
            interrupted = True
    return _board(setting, wanted, folder, limit, interrupted=interrupted)


def _any_fitted(wanted: Sequence[Candidate]) -> bool:
    return any(candidate.method.fitted and not candidate.skipped for candidate in wanted)


def _run(
    setting: Setting, wanted: Sequence[Candidate], folder: Path, limit: int | None, options: Options, todo: int,
    progress: Progress,
) -> None:  # fmt: skip
    done = 0

    def listen(candidate: Candidate, case: CaseId, row: Row | None) -> None:
        nonlocal done
        if row is None:
            progress.running(candidate.name, case.id, done, todo)
            return
        done += 1
        progress.finished(row, done, todo)

    run_board(setting, wanted, folder=folder, limit=limit, options=options, listen=listen)


def prepare(dataset: Any, subjects: Sequence[str], progress: Progress = SILENT) -> int:
    """Make and cache the subjects that are missing; returns how many there were."""
    from mrbench.datasets.preparation import prepared

    todo = [subject for subject in dict.fromkeys(subjects) if not dataset.is_prepared(subject)]
    for done, _ in enumerate(prepared(dataset, todo) if todo else (), start=1):
        progress.preparing(dataset.name, done, len(todo))
    return len(todo)


def _refuse_another_folder(folder: Path, setting: Setting, rows: Sequence[Row]) -> None:
    """Two folders of one name would share a board."""
    for row in {row.run: row for row in rows if row.fingerprint != setting.dataset.fingerprint}.values():
        other = _recorded_dataset(folder, row)
        if other.startswith(f"{FOLDER}:") and other != setting.dataset.address:
            raise RequestError(f"{folder} holds rows of {other}; give another --out, or rename one of the two folders.")


def _recorded_dataset(folder: Path, row: Row) -> str:
    """What the dataset of a row was asked for as: its name, or the folder that run.json recorded."""
    return str(runs_of(folder).get(row.run, {}).get("dataset", row.dataset))


def runs_of(folder: Path) -> dict[str, Any]:
    """The run records of a board."""
    record = folder / "run.json"
    return json.loads(record.read_text())["runs"] if record.is_file() else {}


def _board(
    setting: Setting, wanted: Sequence[Candidate], folder: Path, limit: int | None, *, interrupted: bool = False
) -> Board:
    rows, older = shown_rows(setting, wanted, RowStore(folder / ROWS).read(), limit)
    return publish(setting, rows, folder, older=older, figures=not interrupted, interrupted=interrupted)


def shown_rows(
    setting: Setting, wanted: Sequence[Candidate], rows: Sequence[Row], limit: int | None
) -> tuple[list[Row], dict[str, int]]:
    """The rows of a board that share its protocol and data, and how many of each method are of older code.

    Methods that were not asked for stand as they are stored, and nothing of them is imported.
    """
    cases = {case.id: case for case in setting.cases(limit)}
    known = {candidate.name: candidate for candidate in wanted}
    shown = [
        row
        for row in rows
        if row.case in cases and (row.protocol, row.fingerprint) == (setting.protocol.hash, setting.dataset.fingerprint)
    ]
    older: dict[str, int] = {}
    for row in shown:
        if row.method in known and row.key != known[row.method].row_key(cases[row.case]):
            older[row.method] = older.get(row.method, 0) + 1
    order = {name: place for place, name in enumerate([*known, *(row.method for row in shown)][::-1])}
    places = {case: place for place, case in enumerate(cases)}
    return sorted(shown, key=lambda row: (-order[row.method], places[row.case])), older


def publish(
    setting: Setting,
    rows: list[Row],
    folder: Path,
    *,
    older: Mapping[str, int] | None = None,
    figures: bool = True,
    force: bool = False,
    interrupted: bool = False,
) -> Board:
    """Rank rows and write the files of their board."""
    table = ranked(frame(rows), setting.task.metrics)
    notes = list(setting.task.notes(rows))
    if older:
        notes.append(f"Rows of older code, to be run again: {', '.join(f'{name} ({n})' for name, n in older.items())}.")
    about = caption(
        table, task=setting.task.name, track=setting.track.name, dataset=setting.dataset.name,
        simulation=setting.dataset.simulation if setting.dataset.simulated else "", split=setting.split,
        all_cases=len(setting.all_cases), notes=notes,
    )  # fmt: skip
    page = write_board(folder, setting, rows, table, about, figures=figures, force=force) if rows else None
    return Board(folder, rows, table, about, page, older or {}, interrupted)


def load(folder: Path | str) -> pd.DataFrame:
    """Read the rows of a board, or of all boards below a folder, as a DataFrame with one line a row.

    Raises
    ------
    RequestError
        If there are none.
    """
    return frame(rows_below(Path(folder)))


def leaderboard(board: Path | str | pd.DataFrame) -> Leaderboard:
    """Rank the methods of a board: of its folder, or of rows as `load` returns them.

    Raises
    ------
    RequestError
        If the rows are of several boards.
    """
    rows = board if isinstance(board, pd.DataFrame) else load(board)
    return ranked(rows, find_task(str(rows["task"].iloc[0])).metrics)


def dataset(name: str, representation: str | None = None) -> Any:
    """The dataset of that name, to use its subjects in code of your own.

    Parameters
    ----------
    name : str
        As on the command line: ``ixi-hh-2mm``, ``folder:PATH``, ``file.py:Name``.
    representation : str, optional
        ``images``, ``k-space``, ``volumes``, ``contrasts`` or ``tumours``; default: the first that it comes in.

    Examples
    --------
    >>> cohort = dataset("icbm-sim")
    >>> [cohort.load(subject).images["T1"].shape for subject in cohort.subjects("test")[:1]]  # doctest: +SKIP
    [(96, 112, 96)]
    """
    return find_dataset(name, representation)


def rows_below(folder: Path) -> list[Row]:
    """The rows of every board in a folder.

    Raises
    ------
    RequestError
        If there are none.
    """
    paths = [folder / ROWS] if (folder / ROWS).is_file() else sorted(folder.rglob(ROWS))
    rows = [row for path in paths for row in RowStore(path).read()]
    if not rows:
        raise RequestError(f"{folder} has no {ROWS} with rows; give the folder of a board, or one above it.")
    return rows


def of_one_protocol(rows: list[Row]) -> list[Row]:
    """The rows that share data and protocol with the last one."""
    return [row for row in rows if (row.protocol, row.fingerprint) == (rows[-1].protocol, rows[-1].fingerprint)]


def report(folder: Path | str) -> Board:
    """Rebuild tables, figures and page of a board from its rows; runs no method.

    Raises
    ------
    RequestError
        If the folder is no board.
    """
    folder = Path(folder)
    rows = RowStore(folder / ROWS).read()
    if not rows:
        raise RequestError(f"{folder} has no {ROWS} with rows; give the folder of a board.")
    last = rows[-1]
    address = runs_of(folder).get(last.run, {})
    task, dataset = str(address.get("task", last.task)), _recorded_dataset(folder, last)
    for name in (task, dataset):  # a file of results must not choose what is imported
        if is_file(name):
            raise RequestError(f"{folder} is of {name}, a Python file, which only `mrbench run` imports; run it again.")
    setting = bind(task, dataset, last.track, last.split, last.seed)
    return publish(setting, of_one_protocol(rows), folder, force=True)


def train(
    task: str,
    method: str,
    *,
    schedule: Schedule,
    dataset: str = "icbm-sim",
    track: str | None = None,
    extra_subjects: int = 0,
    start_from: Path | None = None,
    validation_limit: int | None = None,
    seed: int = 0,
    resources: Resources = RESOURCES,
    out: Path = Path("weights"),
    checkpoints: Path = Path("checkpoints"),
    progress: Progress = SILENT,
    listen: Callable[[TrainingProgress, float, float | None], None] = lambda state, loss, score: None,
) -> Path:
    """Train a learned method on the train split; weights are chosen on the validation split.

    Returns
    -------
    Path
        The weights; their manifest lies beside them.

    Raises
    ------
    RequestError
        If the method has nothing to train, or the dataset cannot train it.
    """
    from mrbench.training.fit import fit

    found, spec = find_task(task), parse_spec(method)
    data: Dataset = find_dataset(dataset, found.representation)
    if extra_subjects:
        data.add_extra_subjects(extra_subjects)
    learner = built(find_method(spec.name, found.name), spec)
    if not isinstance(learner, LearnedMethod):
        raise RequestError(f"method '{method}' has nothing to train; choose a learned one.")
    tracks = [found.track(name, data) for name in (track.split("+") if track else [None])]
    prepare(data, [*data.subjects("train"), *data.subjects("validation")], progress)
    return fit(
        learner, spec, found, data, tracks, schedule, out=out, checkpoints=checkpoints, seed=seed,
        resources=resources, start_from=start_from, validation_limit=validation_limit, report=listen,
    )  # fmt: skip


def tune(
    task: str,
    method: str,
    *,
    dataset: str = "icbm-sim",
    track: str | None = None,
    limit: int | None = None,
    threads: int = 1,
    out: Path = Path("tuned"),
    progress: Progress = SILENT,
    listen: Callable[[Mapping[str, float], float], None] = lambda parameters, score: None,
) -> tuple[MethodSpec, Path]:
    """Choose the parameters of a classical method on the validation split.

    Returns
    -------
    spec : MethodSpec
        The method with what was chosen.
    path : Path
        The manifest, with every candidate that was tried.

    Raises
    ------
    RequestError
        If the method has nothing to tune, or there are no validation cases.
    """
    from mrbench.training.tune import tune as search

    setting, spec = bind(task, dataset, track, "validation"), parse_spec(method)
    method_class = find_method(spec.name, setting.task.name)
    if method_class.tunable:
        learned_from = setting.dataset.subjects("train") if method_class.fitted else ()
        subjects = setting.task.subjects_for(setting, setting.cases(limit))
        prepare(setting.dataset, [*learned_from, *subjects], progress)
    path = search(method_class, spec, setting, out=out, limit=limit, threads=threads, report=listen)
    chosen = json.loads(path.read_text())["chosen"]
    return MethodSpec(spec.name, {**spec.parameters, **chosen}), path


def prepare_dataset(dataset: str, split: str | None = None, progress: Progress = SILENT) -> dict[str, tuple[int, Path]]:
    """Make and cache the subjects of a dataset, in every representation that it comes in.

    Returns
    -------
    dict
        Representation to the number of subjects that are ready, and where.
    """
    ready = {}
    for representation in dataset_names().get(dataset, ["images"]):
        data = find_dataset(dataset, representation)
        subjects = [subject for name in ([split] if split else SPLITS) for subject in data.subjects(name)]
        prepare(data, subjects, progress)
        ready[representation] = (len(subjects), data.cache)
    return ready


def fetch(dataset: str, progress: Progress = SILENT) -> int:
    """Fetch and verify every source file of a dataset; returns how many there are."""
    from mrbench.datasets.fetch import source_file

    data = find_dataset(dataset)
    files = data.split_file.files if data.split_file.source else {}
    for done, name in enumerate(files, start=1):
        source_file(data.name, data.split_file, name)
        progress.preparing(dataset, done, len(files))
    return len(files)


def verify(dataset: str, progress: Progress = SILENT) -> dict[str, int]:
    """Check splits and files of a dataset; returns how many subjects each split has.

    Raises
    ------
    RequestError
        If a subject stands in two splits.
    DataError
        If a file is not the pinned one.
    """
    data = find_dataset(dataset)
    if leaks := data.split_file.leaks():
        raise RequestError(f"{dataset}: {', '.join(leaks)} stand in more than one split; mend its splits.")
    fetch(dataset, progress)
    return {split: len(data.subjects(split)) for split in SPLITS}


def compare(first: Path | str, second: Path | str) -> tuple[SideBySide, pd.DataFrame, pd.DataFrame]:
    """Set two boards of one task side by side.

    Raises
    ------
    RequestError
        If a folder is no board, or the two are of different tasks.
    """
    boards = []
    for folder in map(Path, (first, second)):
        rows = RowStore(folder / ROWS).read()
        if not rows:
            raise RequestError(f"{folder} has no {ROWS} with rows; give the folders of two boards.")
        boards.append(frame(of_one_protocol(rows)))
    tasks = [str(rows["task"].iloc[0]) for rows in boards]
    if tasks[0] != tasks[1]:
        raise RequestError(f"boards of different tasks ({tasks[0]}, {tasks[1]}) cannot be compared.")
    return side_by_side(boards[0], boards[1], find_task(tasks[0]).primary), boards[0], boards[1]


def transfer_table(folder: Path | str) -> Path:
    """Write the train on / test on table of the learned methods of a task's boards; returns its path.

    Raises
    ------
    RequestError
        If the folder has no such rows, or boards of several tasks.
    """
    folder = Path(folder)
    rows = [row for path in sorted(folder.glob(f"*/*/{ROWS}")) for row in of_one_protocol(RowStore(path).read())]
    if not rows:
        raise RequestError(f"{folder} has no boards; give the folder of a board, or of a task's boards.")
    if len({row.task for row in rows}) > 1:
        raise RequestError(f"{folder} holds boards of several tasks; give the folder of one.")
    task = find_task(rows[0].task)
    simulations = {
        name: find_dataset(name, task.representation).simulation
        for name, representations in dataset_names().items()
        if task.representation in representations
    }
    table = transfers(frame(rows), _trainings(task), task.primary, simulations).table
    if table.empty:
        raise RequestError(f"{folder} has no rows of shipped weights; run learned methods with --all-weights first.")
    return write_generalisation(folder, task.name, task.primary, table)


def _trainings(task: Task[Any, Any]) -> dict[str, Training]:
    """What the shipped weights of a task were trained on, by their sha256."""
    known = {}
    for name in method_names(task.name):
        method = find_method(name, task.name)
        if method.takes_weights:
            for path in weights_folder(method).glob("*.json"):
                manifest = json.loads(path.read_text())
                known[manifest["sha256"]] = Training(manifest["dataset"], tuple(manifest["tracks"]))
    return known
