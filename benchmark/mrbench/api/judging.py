"""Hold the claims of the field against the rows of boards."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from mrbench.api.board import ROWS, runs_of
from mrbench.api.trainings import trainings
from mrbench.core.arguments import check_paths, checked_names
from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.registry import find_dataset, find_task, is_file, task_names
from mrbench.core.task import Task
from mrbench.engine.store import RowStore
from mrbench.io.files import write_atomically
from mrbench.report.facts import Facts
from mrbench.report.findings import as_json, as_markdown
from mrbench.stats.claims import Claim, parse_claims
from mrbench.stats.evidence import Rows
from mrbench.stats.findings import Finding, judge
from mrbench.stats.frame import by_protocol


def findings(
    results: Path | str, *, claims: Path | str | None = None, only: Sequence[str] | None = None
) -> tuple[Finding, ...]:
    """Judge claims by the rows of every board below a folder.

    Parameters
    ----------
    results : Path
        Folder with boards, at any depth.
    claims : Path, optional
        TOML file of claims; default: those of the field, which ship.
    only : sequence of str, optional
        Ids of claims; default: all.

    Returns
    -------
    tuple of Finding
        In the order of the file.

    Raises
    ------
    RequestError
        If the folder or the file is not there, the folder holds no board, or a claim asks for what there is not.
    DataError
        If a file of a board is damaged.
    """
    check_paths(results=results, claims=results if claims is None else claims)
    chosen = checked_names("only", only)
    results = Path(results)
    if not results.is_dir():
        raise RequestError(f"{results} is no folder; give the one that holds the boards.")
    asked = _claims(None if claims is None else Path(claims))
    for name in chosen:
        if name not in {claim.id for claim in asked}:
            raise unknown_name("claim", name, [claim.id for claim in asked])
    asked = tuple(claim for claim in asked if not chosen or claim.id in chosen)
    tasks = {claim.task for claim in asked}
    for task in sorted(tasks - set(task_names())):
        raise unknown_name("task of a claim", task, task_names())
    paths = sorted(results.rglob(ROWS))
    if not paths:
        raise RequestError(f"{results} holds no board, which is a folder with {ROWS}; run one, or give another folder.")
    boards = [board for path in paths if (board := _rows(path, tasks)) is not None]
    known = {sha: training for task in sorted(tasks) for sha, training in trainings(task).items()}
    return judge(asked, _distinct(boards), known)


def write_findings(findings: Sequence[Finding], page: Path, data: Path) -> None:
    """Write findings as a page and as JSON.

    Raises
    ------
    DataError
        If a file cannot be written.
    """
    metrics = {name: {m.name: m for m in find_task(name).metrics} for name in {one.claim.task for one in findings}}
    for path, text in ((page, as_markdown(findings, metrics)), (data, _dumped(as_json(findings)))):
        with write_atomically(path) as file:
            file.write(text.encode())


def _dumped(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _claims(path: Path | None) -> tuple[Claim, ...]:
    if path is None:
        return parse_claims(tomllib.loads(files("mrbench.report").joinpath("claims.toml").read_text()), "claims.toml")
    try:
        return parse_claims(tomllib.loads(path.read_text()), str(path))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RequestError(f"{path} cannot be read as TOML ({error}); give a file of claims.") from None


def _rows(path: Path, tasks: set[str]) -> Rows | None:
    rows, hidden = by_protocol(RowStore(path).frame())
    task = "" if rows.empty else str(rows["task"].iloc[-1])
    if task not in tasks or is_file(task):
        return None
    about = Facts.recorded(rows, runs_of(path.parent))
    rows = rows.assign(processor=about.processors(rows))
    kind = find_task(task)
    held_out = _held_out(kind, rows) if kind.draws else frozenset()
    return Rows(rows, {metric.name: metric for metric in kind.metrics}, about.limited, kind.draws, held_out, hidden)


def _held_out(task: Task[Any, Any], rows: pd.DataFrame) -> frozenset[str]:
    """Subjects that the draws of a board are compared with; none of a dataset that is not installed here."""
    first = rows.iloc[0]
    try:
        return frozenset(find_dataset(str(first["dataset"]), task.representation).subjects(str(first["split"])))
    except RequestError:
        return frozenset()


def _distinct(boards: Sequence[Rows]) -> list[Rows]:
    """Raises `RequestError` where two folders hold boards of one setting: nobody could tell which of them counts."""
    names = [board.name for board in boards]
    for name in names:
        if names.count(name) > 1:
            raise RequestError(f"two folders hold boards of {name}; keep one of them below the folder.")
    return list(boards)
