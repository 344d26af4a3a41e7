"""Score predictions that were made elsewhere, and take those of a run out as files."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mrbench.api.board import RESULTS, ROWS, Board, shown_rows
from mrbench.api.boards import publish
from mrbench.api.data import prepare
from mrbench.api.progress import SILENT, Progress
from mrbench.core.arguments import check_paths, check_text
from mrbench.core.binding import bind
from mrbench.core.candidate import content_of_subject
from mrbench.core.case import Case, CaseId
from mrbench.core.digest import hash_of
from mrbench.core.errors import DataError, MrbenchError, RequestError, brief, unknown_name
from mrbench.core.method import EXTERNAL
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.engine.predictions import keep
from mrbench.engine.provenance import facts_of, record_run
from mrbench.engine.store import RowStore
from mrbench.io.files import content_digest
from mrbench.io.predictions.conventions import AUTO, Reading, reading_of, untried
from mrbench.io.predictions.fields import StoredField
from mrbench.io.predictions.formats import Format, find_format, format_of
from mrbench.io.predictions.matching import files_below, match
from mrbench.io.tables import read_lines

TIMES = "times.csv"
"""In a folder of predictions: seconds of each case, columns ``case`` and ``seconds``."""


def score(
    task: str,
    *,
    predictions: Path | str,
    dataset: str = "icbm-sim",
    track: str | None = None,
    split: str = "test",
    name: str | None = None,
    format: str | None = None,
    convention: str | None = None,
    out: Path | str = RESULTS,
    progress: Progress = SILENT,
) -> Board:
    """Score a folder of predictions and add their rows to the board.

    Parameters
    ----------
    task, dataset, track, split
        As `mrbench.core.binding.bind` resolves them.
    predictions : Path
        A file for each case, named by it; below the folder in any depth. A case without one is a failure, and so is
        one whose file cannot be read or lies on another grid; the others are scored. A table ``times.csv`` (case,
        seconds) gives times; without it there are none.
    name : str, optional
        What tables call them; default: the folder's name.
    format : str, optional
        See `mrbench.io.predictions.formats`; default: told by looking.
    convention : str, optional
        Of displacement fields, how their numbers are meant: a name such as ``mm-xyz-lps-pull``, or ``auto`` for the
        one that fits the images, refused where several do. Default: as the format defines.
    out : Path
        Folder of results.
    progress : Progress
        Told how far it is; silent by default.

    Returns
    -------
    Board
        Its ``notices`` name files that are no case's, and a convention that fits better.

    Raises
    ------
    RequestError
        If nothing matches, files are of two formats, or the name is that of a method on the board; nothing was written
        then.
    """
    check_text(task=task, dataset=dataset, track=track, split=split, name=name, format=format, convention=convention)
    check_paths(predictions=predictions, out=out)
    setting = bind(task, dataset, track, split)
    folder, cases = Path(predictions).expanduser(), setting.cases()
    if not cases:
        raise RequestError(f"{dataset} has no {split} cases for {task}; choose another --split, or add subjects.")
    matched = match(folder, [path for path in files_below(folder) if path.name.lower() != TIMES], cases)
    holds = setting.task.holds
    form = find_format(format, holds) if format else format_of(list(matched.files.values()), holds)
    label = name or folder.resolve().name
    board = Path(out) / setting.folder
    store = RowStore(board / ROWS)
    _refuse_a_method_of_that_name(store.read(), label, board)
    times = _times(folder / TIMES, cases)
    prepare(setting.dataset, setting.task.subjects_for(setting, cases), progress)
    work = _Work(setting, matched.files, form, folder)
    reading = work.reading(convention)
    run = f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:6]}"
    facts = {
        "task": setting.address.task,
        "track": setting.track.name,
        "dataset": setting.dataset.address,
        "split": setting.split,
        "seed": setting.seed,
        "fingerprint": setting.dataset.fingerprint,
        "about": facts_of(setting),
        "protocol": setting.protocol.as_dict(),
        "protocol_hash": setting.protocol.hash,
        "predictions": str(folder.resolve()),
        "format": form.name,
        "convention": reading.name,
    }
    with store.locked():
        record_run(board / "run.json", run, facts)
        for done, case in enumerate(cases):
            progress.running(label, case.id, done, len(cases))
            row = replace(work.row(case, reading, label, run), seconds=times.get(case.id))
            store.append(row)  # as they come: who stops it keeps what was scored
            progress.finished(row, done + 1, len(cases))
        every = store.repair()
    shown, older, hidden = shown_rows(setting, [], every, None)
    notices = [f"{path} is no case's and was not scored." for path in matched.surplus]
    if reading.advice:
        notices.append(reading.advice)
    return replace(publish(setting, shown, board, older=older, hidden=hidden), notices=tuple(notices))


def _refuse_a_method_of_that_name(rows: Sequence[Row], label: str, board: Path) -> None:
    if any(row.method == label and row.kind != EXTERNAL for row in rows):
        raise RequestError(
            f"{board} has rows of a method '{label}' that was run; give these predictions another --name."
        )


def _times(path: Path, cases: Sequence[CaseId]) -> dict[str, float]:
    """Seconds by case of ``times.csv``; none without it."""
    if not path.is_file():
        return {}
    columns, lines = read_lines(path, ("case", "seconds"))
    if not {"case", "seconds"} <= set(columns):
        raise DataError(f"{path} lacks the column case or seconds; its heading is {', '.join(columns)}.")
    known, times = {case.id for case in cases}, {}
    for number, fields in lines:
        line = dict(zip(columns, fields, strict=True))
        try:
            seconds = float(line["seconds"])
        except ValueError:
            raise DataError(f"{path}, line {number}: seconds are not a number; mend it.") from None
        if line["case"] in times:
            raise DataError(f"{path}, line {number}: case '{line['case']}' stands twice; keep one line.")
        if line["case"] not in known:
            raise unknown_name(f"case in {path}", line["case"], known)
        if not 0 <= seconds < float("inf"):
            raise DataError(f"{path}, line {number}: {seconds} seconds; give a time of 0 or more.")
        times[line["case"]] = seconds
    return times


@dataclass(frozen=True)
class _Work:
    """One folder of predictions and what its files are matched to."""

    setting: Setting
    files: Mapping[str, Path]
    form: Format
    folder: Path

    def reading(self, convention: str | None) -> Reading:
        """How fields are meant; without labels to try that on, as the name or the format says."""
        try:
            trials = self.trial_fields(3 if self.setting.task.holds == "field" else 0)
        except RequestError:
            if convention == AUTO:
                raise
            return untried(convention)
        return reading_of(convention, trials)

    def trial_fields(self, most: int) -> list[tuple[StoredField, Any]]:
        """The first readable fields, each with the pair that it should bring together."""
        trials: list[tuple[StoredField, Any]] = []
        for case in self.setting.cases():
            if len(trials) == most:
                break
            if case.id not in self.files:
                continue
            try:
                loaded = self.setting.load(case)
                stored = self.form.read(self.files[case.id], self.setting.task.grid(self.setting, loaded))
            except Exception:
                continue
            trials.append((stored, self.setting.task.pair(loaded)))  # type: ignore[attr-defined]
        return trials

    def row(self, case: CaseId, reading: Reading, label: str, run: str) -> Row:
        """Read, check and score the prediction of one case; a fault of its file is its row."""
        setting, path = self.setting, self.files.get(case.id)
        content = _digest(path) if path else ""
        key = self._key(case, content, reading.name)
        row = Row(
            key=hash_of(key, label, setting.split, setting.protocol.hash),
            **setting.row_facts(case),
            method=label,
            kind=EXTERNAL,
            source=content[:12],
            weights=None,
            status="invalid",
            run=run,
            device="",
            threads=0,
        )
        if path is None:
            return replace(row, message=f"no file in {self.folder} is named by this case.")
        try:
            loaded = setting.load(case)
            checked = setting.task.check(loaded, reading.apply(self._read(path, loaded), loaded.spacing))
        except MrbenchError as fault:
            return replace(row, message=str(fault))
        except Exception as fault:
            return replace(row, message=f"{path} cannot be read ({type(fault).__name__}: {brief(fault)}).")
        kept = keep(key, checked)
        try:
            scores = setting.task.score(loaded, checked)
            message = reading.advice or setting.task.diagnose(loaded, checked) or ""
        except Exception as fault:
            return replace(row, status="error", message=f"cannot be scored: {type(fault).__name__}: {brief(fault)}")
        return replace(
            row,
            status="ok",
            message=message,
            metrics=dict(scores.metrics),
            details=dict(scores.details),
            prediction=key if kept else None,
        )

    def _read(self, path: Path, loaded: Case[Any, Any]) -> StoredField | np.ndarray:
        return self.form.read(path, self.setting.task.grid(self.setting, loaded))

    def _key(self, case: CaseId, content: str, reading: str) -> str:
        """Hash of all that the prediction depends on: the content of its file, and how it is read."""
        setting = self.setting
        subjects = [content_of_subject(setting.dataset, s) for s in setting.task.subjects_for(setting, [case])]
        return hash_of(
            setting.task.name,
            setting.task.version,
            setting.track.name,
            setting.track.facts,
            case.id,
            setting.seed,
            subjects,
            self.form.name,
            reading,
            content,
        )


def _digest(path: Path) -> str:
    """Of the content of a prediction; reading one that cannot be opened will say so in its row."""
    try:
        return content_digest(path)
    except DataError:
        return "unreadable"
