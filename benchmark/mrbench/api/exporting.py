"""Take the predictions of a board out as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mrbench.api.boards import bound_again
from mrbench.core.arguments import check_paths, check_text, checked_names
from mrbench.core.case import Case, CaseId
from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.row import Row
from mrbench.core.task import Setting
from mrbench.engine.predictions import cached_prediction
from mrbench.io.paths import inside
from mrbench.io.predictions.formats import Format, formats_of

LONGEST_NAME = 200
"""Bytes of a folder's name: file systems take 255."""

NOT_AT_HAND = "not in the cache of this machine"
"""Why a prediction is left out that was made elsewhere, dropped or pruned."""


def export(
    board: Path | str, out: Path | str, *, format: str | None = None, methods: Sequence[str] | None = None
) -> pd.DataFrame:
    """Write the predictions of a board as files named by case, a folder for each method.

    Parameters
    ----------
    board : Path
        Folder of a board; the predictions come from the cache of the machine that ran it.
    out : Path
        Folder of results.
    format : str, optional
        ``nifti``, ``fastmri``, ``learn2reg``, ``itk`` or ``npy``, as the task allows; default: the first of these.
    methods : sequence of str, optional
        Names as on the board; default: all.

    Returns
    -------
    DataFrame
        A line for each of these methods and each case of the board: ``method``, ``case``, ``path`` of the file, and
        where there is none ``left_out``, why.

    Raises
    ------
    RequestError
        If the folder is no board, ``out`` is a file, a method or a format is unknown, or no prediction is in the cache.
    """
    check_paths(board=board, out=out)
    check_text(format=format)
    asked = checked_names("methods", methods)
    setting, rows = bound_again(Path(board))
    form = _writer(format, setting.task.holds)
    known = list(dict.fromkeys(row.method for row in rows))
    if unknown := [method for method in asked if method not in known]:
        raise unknown_name("method on the board", unknown[0], known)
    chosen = [name for name in known if not asked or name in asked]
    folders = {name: folder for name, folder in _folders(Path(out), known).items() if name in chosen}
    by_case: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_case.setdefault(row.case, {})[row.method] = row
    cases = {case.id: case for case in setting.all_cases}
    lines = [line for case in sorted(by_case) for line in _written(setting, cases[case], by_case[case], folders, form)]
    table = pd.DataFrame(lines, columns=["method", "case", "path", "left_out"])
    if not (table["path"] != "").any():
        raise RequestError(f"{board}: no prediction to write; {_first_reason(table)}.")
    order = {name: place for place, name in enumerate(chosen)}
    return table.sort_values("method", key=lambda column: column.map(order), kind="stable", ignore_index=True)


def _folders(out: Path, methods: Sequence[str]) -> dict[str, Path]:
    """A folder of its own for each method of the board, whatever signs its name holds and whichever are chosen."""
    folders: dict[str, Path] = {}
    for method in methods:
        name, taken = _safe(method), {folder.name for folder in folders.values()}
        others = (f"{name}-{number}" for number in count(2))
        folders[method] = inside(out, next(one for one in chain([name], others) if one not in taken))
    return folders


def _first_reason(table: pd.DataFrame) -> str:
    reason = str(table["left_out"].iloc[0])
    advice = f"they are {NOT_AT_HAND}: `mrbench run` with --repredict makes them again"
    return advice if NOT_AT_HAND in set(table["left_out"]) else reason


def _written(
    setting: Setting, case: CaseId, rows: Mapping[str, Row], folders: Mapping[str, Path], form: Format
) -> list[dict[str, str]]:
    """Write what there is of one case, which is loaded once and only where there is something."""
    lines, loaded = [], None
    for method, folder in folders.items():
        row = rows.get(method)
        line = {"method": method, "case": case.id, "path": "", "left_out": ""}
        if row is None or row.status != "ok":
            lines.append({**line, "left_out": f"{row.status}: {row.message}" if row else "it has no row"})
            continue
        array = cached_prediction(row.prediction) if row.prediction else None
        if array is None:
            lines.append({**line, "left_out": NOT_AT_HAND})
            continue
        loaded = loaded or setting.load(case)
        path = inside(folder, _file_name(form, case))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RequestError(f"cannot make the folder {folder} ({error.strerror}); give another --out.") from None
        _write(form, path, array, setting, loaded)
        lines.append({**line, "path": str(path)})
    return lines


def _write(form: Format, path: Path, array: np.ndarray, setting: Setting, loaded: Case[Any, Any]) -> None:
    assert form.write is not None
    image = array[0] if setting.task.holds == "image" and array.ndim == 4 else array
    form.write(path, image, setting.task.grid(setting, loaded))


def _writer(name: str | None, holds: str) -> Format:
    writers = {key: form for key, form in formats_of(holds).items() if form.write is not None}
    if name is None:
        return next(iter(writers.values()))
    if name not in writers:
        raise unknown_name("format to write", name, writers)
    return writers[name]


def _file_name(form: Format, case: CaseId) -> str:
    if form.name == "learn2reg":
        moving, fixed = case.subjects
        return f"disp_{fixed}_{moving}{form.ending}"
    return f"{case.id}{form.ending}"


def _safe(text: str) -> str:
    """The name as a folder can have it; the number that tells apart two of them still fits."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in text).lstrip(".")
    return kept.encode()[:LONGEST_NAME].decode(errors="ignore") or "_"
