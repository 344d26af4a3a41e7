"""Run what is missing of a board."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mrbench.api import receipt
from mrbench.api.board import RESULTS, ROWS, Board, recorded_dataset, shown_rows
from mrbench.api.data import prepare
from mrbench.api.progress import SILENT, Progress
from mrbench.core.arguments import check_paths, check_text, check_whole, checked_names
from mrbench.core.binding import bind
from mrbench.core.candidate import Candidate, presets
from mrbench.core.case import CaseId
from mrbench.core.errors import RequestError
from mrbench.core.method import EXTERNAL
from mrbench.core.registry import FOLDER
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.engine.plan import Options, by_method_and_key, cases_of, missing, of_today
from mrbench.engine.provenance import facts_of, read_runs, write_runs
from mrbench.engine.resolver import resolved
from mrbench.engine.shard import refuse_overlap
from mrbench.engine.store import RowStore

if TYPE_CHECKING:
    from mrbench.report.report import Report

QUICK_CASES = 5
"""Cases of a quick run: the fewest that have an interval."""

OPTIONS = Options()


def quick_workers() -> int:
    """Cases side by side of a quick run: one for each core that this process may use, four at the most."""
    return min(4, len(os.sched_getaffinity(0)))


def run(
    task: str,
    *,
    dataset: str = "icbm-sim",
    track: str | None = None,
    methods: Sequence[str] | None = None,
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
        As `mrbench.core.binding.bind` resolves them.
    methods : sequence of str, optional
        ``name``, ``name[param=value]``, ``file.py:name`` or ``Alias=...``; default: every installed method.
    limit : int, optional
        Only the first cases; every table says so.
    quick : bool
        The quick setting of each family on `QUICK_CASES` cases.
    all_weights : bool
        Learned methods with the weights of other datasets, too.
    options : Options
        Threads, device, workers, limits: what never changes a score.
    out : Path
        Folder of results.
    progress : Progress
        Told how far it is; silent by default.

    Raises
    ------
    RequestError
        If a name, a parameter or the folder is wrong; nothing was computed then.
    DataError
        If a data file is bad or the disk is full; what was computed stays.
    """
    check_text(task=task, dataset=dataset, track=track, split=split)
    check_whole(1, limit=limit)
    check_paths(out=out)
    asked = checked_names("methods", methods)
    setting = bind(task, dataset, track, split)
    limit = QUICK_CASES if quick and limit is None else limit
    wanted = resolved(setting, asked, quick=quick, all_weights=all_weights)
    folder = Path(out) / setting.folder
    if not setting.cases(limit):
        raise RequestError(f"{dataset} has no {split} cases for {task}; choose another --split, or add subjects.")
    refuse_overlap(folder, options.shard)
    cases = cases_of(setting, limit, options)
    stored = RowStore(folder / ROWS).read()
    _refuse_another_folder(folder, setting, stored)
    _refuse_names_of_predictions(folder, stored, wanted)
    stored = _with_rows_of_today(setting, wanted, folder, stored, options)
    known = by_method_and_key(stored)
    interrupted = False
    if todo := sum(len(missing(candidate, cases, known, options)) for candidate in wanted):
        for sentence in facts_of(setting)["notes"]:
            progress.said(sentence)
        learned_from = setting.dataset.subjects("train") if _any_fitted(wanted) else ()
        if not options.scheduler:  # there each is prepared where it is needed
            from mrbench.engine.run import warming_up

            with warming_up(setting, options):
                prepare(setting.dataset, [*learned_from, *setting.task.subjects_for(setting, cases)], progress)
        try:
            _run(setting, wanted, folder, limit, options, todo, progress)
        except KeyboardInterrupt:
            interrupted = True
    if options.shard:
        finished = RowStore(folder / ROWS, options.shard).read_own_file() if folder.is_dir() else []
        return Board(folder, finished, interrupted=interrupted)
    rows = RowStore(folder / ROWS).read() if todo else stored
    return _board(setting, wanted, folder, rows, limit, interrupted=interrupted)


def full_run(board: Board) -> tuple[int, float]:
    """How many rows a run without ``quick`` computes, and how many minutes they take at the mean of its rows."""
    if board.setting is None or not board.rows:
        raise RequestError(f"{board.folder} has no rows of this run yet; run the board first.")
    rows = len(presets(board.setting.task.name)) * len(board.setting.all_cases)
    seconds = [row.seconds for row in board.rows if row.seconds is not None]
    return rows, rows * sum(seconds) / max(1, len(seconds)) / 60


def _any_fitted(wanted: Sequence[Candidate]) -> bool:
    return any(candidate.method.fitted and not candidate.skipped for candidate in wanted)


def _run(
    setting: Setting,
    wanted: Sequence[Candidate],
    folder: Path,
    limit: int | None,
    options: Options,
    todo: int,
    progress: Progress,
) -> None:
    from mrbench.engine.run import run_board

    done = 0

    def listen(candidate: Candidate, case: CaseId, row: Row | None) -> None:
        nonlocal done
        if row is None:
            progress.running(candidate.name, case.id, done, todo)
            return
        done += 1
        progress.finished(row, done, todo)

    run_board(setting, wanted, folder=folder, limit=limit, options=options, listen=listen)


def _with_rows_of_today(
    setting: Setting, wanted: Sequence[Candidate], folder: Path, rows: list[Row], options: Options
) -> list[Row]:
    """The stored rows, after those that are still true of changed data were written down as rows of these.

    Their runs are told what these data are, so that a board that lost a subject does not count it for ever.
    """
    cases = cases_of(setting, None, options)
    if not of_today(setting, wanted, cases, rows):
        return rows
    store = RowStore(folder / ROWS, options.shard)
    with store.locked():
        kept = of_today(setting, wanted, cases, store.read())
        store.append(*kept)
        store.repair()  # drops the rows that these replace
        runs, about = read_runs(store.runs), facts_of(setting)
        write_runs(store.runs, runs | {row.run: {**runs[row.run], "about": about} for row in kept if row.run in runs})
    return store.read()


def _refuse_another_folder(folder: Path, setting: Setting, rows: Sequence[Row]) -> None:
    """Two folders of one name would share a board."""
    for row in {row.run: row for row in rows if row.fingerprint != setting.dataset.fingerprint}.values():
        other = recorded_dataset(folder, row)
        if other.startswith(f"{FOLDER}:") and other != setting.dataset.address:
            raise RequestError(f"{folder} holds rows of {other}; give another --out, or rename one of the two folders.")


def _refuse_names_of_predictions(folder: Path, rows: Sequence[Row], wanted: Sequence[Candidate]) -> None:
    """Rows of predictions from elsewhere cannot be made again: a method of their name would write over them."""
    taken = {row.method for row in rows if row.kind == EXTERNAL}
    for name in (candidate.name for candidate in wanted if candidate.name in taken):
        raise RequestError(
            f"{folder} has rows of predictions that were scored as '{name}'; give the method another name, "
            f"-m Other={name}, or run into another --out."
        )


def _board(
    setting: Setting,
    wanted: Sequence[Candidate],
    folder: Path,
    stored: Sequence[Row],
    limit: int | None,
    *,
    interrupted: bool = False,
) -> Board:
    """The board, ranked anew and its files written, unless nothing has changed since that was done last."""
    rows, older, hidden = shown_rows(setting, wanted, stored, limit)
    asked = (limit, [candidate.name for candidate in wanted], older, hidden, facts_of(setting))
    last = receipt.kept(folder, receipt.stamp_of(folder, asked)) if rows and not interrupted else None
    if last is not None:
        report = partial(_report, setting, rows, folder, older, hidden)
        return Board(folder, rows, report, last.shown, folder / last.page, older, setting=setting)
    from mrbench.api.boards import publish

    board = publish(setting, rows, folder, older=older, hidden=hidden, figures=not interrupted, interrupted=interrupted)
    if board.shown is not None and board.page is not None and not interrupted:
        receipt.keep(folder, receipt.stamp_of(folder, asked), board.shown, board.page.name)
    return board


def _report(
    setting: Setting, rows: list[Row], folder: Path, older: Mapping[str, int], hidden: Mapping[str, int]
) -> Report:
    from mrbench.api.boards import report_from

    return report_from(setting, rows, folder, older, hidden)
