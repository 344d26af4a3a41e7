"""What the verbs do, with progress and tables on the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from mrbench.core.case import SPLITS, CaseId
from mrbench.core.errors import RequestError
from mrbench.core.method import FittedMethod, LearnedMethod, Resources
from mrbench.core.registry import MethodSpec, find_method, method_names, parse_spec
from mrbench.core.row import Row
from mrbench.core.task import Task
from mrbench.datasets.catalog import DATASETS, FOLDER, find_dataset
from mrbench.datasets.dataset import Dataset
from mrbench.datasets.fetch import source_file
from mrbench.datasets.preparation import prepared
from mrbench.engine.plan import Board, Entry, build, entries
from mrbench.engine.run import Options, folder_of, missing, run_board
from mrbench.engine.store import RowStore
from mrbench.report.board import write_board
from mrbench.report.generalisation import write_generalisation
from mrbench.report.side_by_side import print_comparison, tell, write_comparison
from mrbench.report.tables import caption
from mrbench.report.terminal import print_leaderboard
from mrbench.stats.frame import frame
from mrbench.stats.generalisation import Training, transfers
from mrbench.stats.leaderboard import leaderboard
from mrbench.stats.side_by_side import side_by_side
from mrbench.tasks.catalog import find_task, find_track
from mrbench.training.loop import Progress as TrainingProgress
from mrbench.training.loop import Schedule
from mrbench.training.weights import weights_folder


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=not console.is_terminal,
    )  # fmt: skip


def run_and_report(
    task: str, track: str | None, dataset: str, split: str, methods: Sequence[str], limit: int | None,
    options: Options, out: Path, *, all_weights: bool = False,
) -> int:  # fmt: skip
    """Run a board and show it. Returns 1 if a row failed, else 0; an interruption shows the table so far."""
    console = Console()
    found = find_task(task)
    data = find_dataset(dataset, found.representation)
    board = Board(found, find_track(found, track, data), data, split)
    wanted = entries(board, methods, all_weights=all_weights)
    folder = folder_of(out, board)
    cases = board.cases(limit)
    if not cases:
        raise RequestError(f"{dataset} has no {split} cases for {task}; choose another --split, or add subjects.")
    rows = {row.key: row for row in RowStore(folder / "rows.jsonl").read()}
    for row in {row.run: row for row in rows.values() if row.fingerprint != data.fingerprint}.values():
        other = _address(folder, row)
        if other.startswith(FOLDER) and other != data.address:
            raise RequestError(f"{folder} holds rows of {other}; give another --out, or rename one of the two folders.")
    if todo := sum(len(missing(board, entry, cases, rows, options.retry)) for entry in wanted):
        learned_from = data.subjects("train") if any(e.fits and not e.skipped for e in wanted) else ()
        _prepare(console, data, [*learned_from, *found.subjects_for(data, cases)])
        try:
            _run(console, board, wanted, folder, limit, options, todo)
        except KeyboardInterrupt:
            console.print("[yellow]interrupted: the same command runs what is missing.[/]")
            show(console, board, wanted, folder, limit, figures=False)
            return 130
    return show(console, board, wanted, folder, limit, figures=True)


def _run(
    console: Console, board: Board, wanted: list[Entry], folder: Path, limit: int | None, options: Options, todo: int
) -> None:
    with _progress(console) as progress:
        bar = progress.add_task("methods", total=todo)

        def listen(entry: Entry, case: CaseId, row: Row | None) -> None:
            if row is None:
                progress.update(bar, description=f"{escape(str(entry.spec))}  {case.id}")
                return
            progress.advance(bar)
            if row.failed:
                progress.console.print(f"[red]{row.status}[/] {escape(row.method)} {row.case}: {escape(row.message)}")

        run_board(board, wanted, folder=folder, limit=limit, options=options, listen=listen)


def show(console: Console, board: Board, wanted: list[Entry], folder: Path, limit: int | None, *, figures: bool) -> int:
    """Write the files of a board and print its table: all its rows of today's code, not just this call's."""
    rows = current_rows(board, wanted, folder, limit)
    if not rows:
        console.print("no rows yet.")
        return 0
    page = _publish(console, board, rows, folder, figures=figures)
    if page is not None:
        console.print(f"page, tables, figures and rows: [link=file://{page.resolve()}]{page}[/link]", soft_wrap=True)
    return int(any(row.failed for row in rows))


def _publish(
    console: Console, board: Board, rows: list[Row], folder: Path, *, figures: bool, force: bool = False
) -> Path | None:
    """Rank the rows, write the files of the board and print its table; returns the page, if it shows these rows."""
    table = leaderboard(frame(rows), board.task.metrics)
    about = caption(
        table, task=board.task.name, track=board.track, dataset=board.dataset.name,
        simulation=board.dataset.simulation if board.dataset.simulated else "", split=board.split,
        all_cases=len(board.cases()), notes=board.task.notes(rows),
    )  # fmt: skip
    page = write_board(folder, board, rows, table, about, figures=figures, force=force)
    print_leaderboard(console, table, about)
    return page


def current_rows(board: Board, wanted: list[Entry], folder: Path, limit: int | None) -> list[Row]:
    """The rows of a board that today's data, protocol and methods stand behind.

    Rows of methods that were not asked for this time stay on the board as long as their code is unchanged.
    """
    rows = {row.key: row for row in RowStore(folder / "rows.jsonl").read()}
    cases = board.cases(limit)
    everyone = {str(entry.spec): entry for entry in wanted}
    for name in {row.method for row in rows.values()} - set(everyone):
        try:
            everyone[name] = entries(board, [name])[0]
        except RequestError:
            continue  # a method file that is gone or a name that no longer exists
    keys = [entry.row_key(board, case) for entry in everyone.values() for case in cases]
    return [rows[key] for key in dict.fromkeys(keys) if key in rows]


def rebuild(folder: Path) -> None:
    """Rebuild the files of a board from its rows; of a folder of boards, how learned methods generalise."""
    rows = RowStore(folder / "rows.jsonl").read()
    if not rows:
        if boards := sorted(folder.glob("*/*/rows.jsonl")):
            return compare_trainings(folder, [row for path in boards for row in _of_one_protocol(path)])
        raise RequestError(f"{folder} has no rows.jsonl with rows; give the folder of a board, or of a task's boards.")
    last = rows[-1]
    found = find_task(last.task)
    board = Board(found, last.track, find_dataset(_address(folder, last), found.representation), last.split, last.seed)
    kept = _of_one_protocol(folder / "rows.jsonl")
    console = Console()
    page = _publish(console, board, kept, folder, figures=True, force=True)
    console.print(f"rebuilt {page}", soft_wrap=True)
    return None


def _of_one_protocol(path: Path) -> list[Row]:
    """The rows of a board that share data and protocol with its last one."""
    rows = RowStore(path).read()
    return [row for row in rows if (row.protocol, row.fingerprint) == (rows[-1].protocol, rows[-1].fingerprint)]


def compare_trainings(folder: Path, rows: list[Row]) -> None:
    """Write the train on / test on board of a task."""
    if len({row.task for row in rows}) > 1:
        raise RequestError(f"{folder} holds boards of several tasks; give the folder of one.")
    task, console = find_task(rows[0].task), Console()
    simulations = {name: find_dataset(name, task.representation).simulation for name, kinds in DATASETS.items()
                   if task.representation in kinds}  # fmt: skip
    found = transfers(frame(rows), _trainings(task), task.primary, simulations)
    if found.table.empty:
        raise RequestError(f"{folder} has no rows of shipped weights; run learned methods with --all-weights first.")
    path = write_generalisation(folder, task.name, task.primary, found.table)
    console.print(Markdown(path.read_text()))
    console.print(f"wrote {path}", soft_wrap=True)


def compare_boards(first: Path, second: Path, out: Path | None) -> None:
    """Show two boards of one task side by side; write table and figure where asked to."""
    boards = []
    for folder in (first, second):
        if not RowStore(folder / "rows.jsonl").read():
            raise RequestError(f"{folder} has no rows.jsonl with rows; give the folders of two boards.")
        boards.append(frame(_of_one_protocol(folder / "rows.jsonl")))
    tasks = [str(rows["task"].iloc[0]) for rows in boards]
    if tasks[0] != tasks[1]:
        raise RequestError(f"boards of different tasks ({tasks[0]}, {tasks[1]}) cannot be compared.")
    console = Console()
    found = side_by_side(boards[0], boards[1], find_task(tasks[0]).primary)
    told = tell(found, boards[0], boards[1])
    print_comparison(console, told)
    if out is not None:
        console.print(f"wrote {write_comparison(out, told)}", soft_wrap=True)


def _trainings(task: Task) -> dict[str, Training]:
    """What the shipped weights of a task were trained on, by their sha256."""
    known = {}
    for name in method_names(task.name):
        method = find_method(name, task.name)
        if issubclass(method, LearnedMethod):
            for path in weights_folder(method).glob("*.json"):
                manifest = json.loads(path.read_text())
                tracks = manifest["tracks"] if "tracks" in manifest else [manifest["track"]]
                known[manifest["sha256"]] = Training(manifest["dataset"], tuple(tracks))
    return known


def _address(folder: Path, row: Row) -> str:
    """Where the dataset of a row is found: its name, or the folder that run.json recorded."""
    record = folder / "run.json"
    runs = json.loads(record.read_text())["runs"] if record.is_file() else {}
    return runs.get(row.run, {}).get("dataset", row.dataset)


def train_and_report(
    task: str, track: str | None, dataset: str, method: str, schedule: Schedule, start_from: Path | None,
    seed: int, resources: Resources, out: Path, checkpoints: Path, validation_limit: int | None, extra_subjects: int,
) -> None:  # fmt: skip
    """Train with a progress bar and print the validation scores."""
    from mrbench.training.fit import fit

    console = Console()
    found, spec = find_task(task), parse_spec(method)
    data = find_dataset(dataset, found.representation)
    data.add_extra_subjects(extra_subjects)
    learner = build(spec, found)
    if not isinstance(learner, LearnedMethod):
        raise RequestError(f"method '{method}' has nothing to train; choose a learned one.")
    tracks = [find_track(found, name, data) for name in (track.split("+") if track else [None])]
    _prepare(console, data, [*data.subjects("train"), *data.subjects("validation")])
    with _progress(console) as progress:
        bar, primary = progress.add_task("training", total=schedule.steps), found.primary

        def listen(state: TrainingProgress, loss: float, score: float | None) -> None:
            best = primary.sign * state.best_score
            progress.update(bar, completed=state.step, description=f"loss {loss:.4f}  best {best:.4f}")
            if score is not None:
                progress.console.print(
                    f"step {state.step}: validation {primary.name} {primary.sign * score:.4f}, {state.seconds:.0f} s"
                )

        path = fit(
            learner, spec, found, data, tracks, schedule, out=out, checkpoints=checkpoints, seed=seed,
            resources=resources, start_from=start_from, validation_limit=validation_limit, report=listen,
        )  # fmt: skip
    console.print(f"weights: {path}; use them with weights={path}", soft_wrap=True)


def tune_and_report(
    task: str, track: str | None, dataset: str, method: str, limit: int | None, threads: int, out: Path
) -> None:
    """Tune a classical method, printing each candidate's validation score."""
    from mrbench.training.tune import tune

    console, found, spec = Console(), find_task(task), parse_spec(method)
    data = find_dataset(dataset, found.representation)
    chosen = find_track(found, track, data)
    method_class = find_method(spec.name, found.name)
    if method_class.tunable:
        learned_from = data.subjects("train") if issubclass(method_class, FittedMethod) else ()
        cases = found.cases(data, "validation", chosen)[:limit]
        _prepare(console, data, [*learned_from, *found.subjects_for(data, cases)])

    def listen(parameters: Mapping[str, float], score: float) -> None:
        text = ", ".join(f"{name} {value:g}" for name, value in parameters.items())
        console.print(f"{text}: validation {found.primary.name} {score:.4f}")

    path = tune(method_class, spec, found, data, chosen, out=out, limit=limit, threads=threads, report=listen)
    found_values = json.loads(path.read_text())["chosen"]
    best = MethodSpec(spec.name, {**spec.parameters, **found_values})
    console.print(escape(f"best: --method '{best}'; manifest: {path}"), soft_wrap=True)


def _prepare(console: Console, dataset: Dataset, subjects: Sequence[str]) -> None:
    todo = [subject for subject in dict.fromkeys(subjects) if not dataset.is_prepared(subject)]
    if not todo:
        return
    with _progress(console) as progress:
        bar = progress.add_task(f"preparing {dataset.name}", total=len(todo))
        for _ in prepared(dataset, todo):
            progress.advance(bar)


def prepare_all(dataset: str, split: str | None) -> None:
    """Prepare a dataset, or one split of it, for every task that uses it."""
    console = Console()
    for representation in DATASETS.get(dataset, {"images": ""}):
        found = find_dataset(dataset, representation)
        subjects = [s for name in ([split] if split else SPLITS) for s in found.subjects(name)]
        _prepare(console, found, subjects)
        console.print(
            f"{len(subjects)} subjects of {dataset}, {representation}, are ready in {found.cache}", soft_wrap=True
        )


def fetch_files(dataset: str) -> None:
    """Fetch and verify every source file of a dataset."""
    console, found = Console(), find_dataset(dataset)
    files = found.split_file.files if found.split_file.source else {}
    with _progress(console) as progress:
        bar = progress.add_task(f"fetching {dataset}", total=len(files))
        for name in files:
            source_file(found.name, found.split_file, name)
            progress.advance(bar)
    text = f"{len(files)} files of {dataset} are here and verified." if files else f"{dataset} needs no download."
    console.print(text, soft_wrap=True)


def verify_files(dataset: str) -> None:
    """Check splits and files of a dataset."""
    found = find_dataset(dataset)
    if leaks := found.split_file.leaks():
        raise RequestError(f"{dataset}: {', '.join(leaks)} stand in more than one split; mend {found.split_path}.")
    fetch_files(dataset)
    counts = ", ".join(f"{len(found.subjects(split))} {split}" for split in SPLITS)
    Console().print(f"{dataset}: {counts}; no subject in two splits; fingerprint {found.fingerprint}.")


def prepared_counts() -> list[tuple[str, str, str]]:
    """Per dataset: how many subjects are prepared, of how many, and where."""
    table = []
    for name in DATASETS:
        dataset = find_dataset(name)
        everyone = [subject for split in SPLITS for subject in dataset.subjects(split)]
        ready = sum((dataset.cache / f"{subject}.npz").is_file() for subject in everyone)
        table.append((name, f"{ready} of {len(everyone)}", str(dataset.cache)))
    return table
