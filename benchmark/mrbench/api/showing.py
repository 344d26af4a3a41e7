"""Figures of boards, and pictures of any case and slice from the predictions in this machine's cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.api.boards import bound_again, report_of
from mrbench.core.arguments import check_number, check_paths, check_text, check_whole, checked_names
from mrbench.core.case import Case
from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.task import Setting
from mrbench.engine.predictions import cached_prediction
from mrbench.report.figures import figure as drawn
from mrbench.report.figures.panels import score_of
from mrbench.report.pictures import Pictures, chosen_cases, collect
from mrbench.report.report import Report
from mrbench.report.volumes import Volumes, write_volumes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VIEWED = 4
"""Methods of a page of volumes where nobody chooses."""


def figure(
    board: Path | str | Report,
    kind: str,
    *,
    methods: Sequence[str] | None = None,
    width: float | None = None,
    case: str | None = None,
    slice: int | None = None,
    **options: object,
) -> Figure:
    """Draw a figure of a board.

    Parameters
    ----------
    board : Report, or path to the folder of a board
        Its rows, or its folder.
    kind : str
        See `mrbench.report.figures.kinds`.
    methods, width
        As of `mrbench.report.figures.figure`.
    case : str, optional
        Of panels: ``median``, ``worst``, or the id of any case whose predictions are in the cache of this machine.
    slice : int, optional
        Of panels: the slice or frame; default: the task's choice. It needs the cache, too.
    **options
        The figure's own, as of `mrbench.report.figures.figure`.

    Raises
    ------
    RequestError
        If there is no such figure, case or slice, or the board lacks what it shows.
    """
    check_text(kind=kind, case=case)
    check_number(width=width)
    check_whole(0, slice=slice)
    chosen = checked_names("methods", methods)
    if not isinstance(board, Report):
        check_paths(board=board)
    report = board if isinstance(board, Report) else report_of(board)
    if case is not None:
        options["case"] = case
    if kind == "panels" and not isinstance(board, Report) and (slice is not None or not _kept(report, case)):
        shown = shots_of(Path(board), report, case, slice)
        report, options["case"] = replace(report, pictures=shown), next(iter(shown.shots))
    elif slice is not None:
        raise RequestError("only the panels of a board's folder have slices to choose from.")
    return drawn(report, kind, methods=chosen, width=width, **options)


def _kept(report: Report, case: str | None) -> bool:
    known = report.pictures.shots
    return case is None or case in known or any(shot.case == case for shot in known.values())


def shots_of(board: Path, report: Report, case: str | None, index: int | None) -> Pictures:
    """Pictures of any case and slice of a board, from the predictions in the cache of this machine.

    Raises
    ------
    RequestError
        If there is no such case or slice, or no prediction of it is in the cache.
    """
    setting, loaded, keys = _case_of(board, report, case)
    if index is not None and index >= (most := setting.task.slices(loaded)):
        raise RequestError(
            f"case {loaded.id} has no slice {index}; choose from 0 to {most - 1}."
            if most
            else f"pictures of {setting.task.name} show no single slice; leave it out."
        )
    at_hand = [(method, array) for method, key in keys.items() if (array := cached_prediction(key)) is not None]
    if not at_hand:
        raise _none_at_hand(loaded.id, report)
    names = {(method, loaded.id): key for method, key in keys.items()}
    return collect(setting.task, {loaded.id: loaded}, {loaded.id: at_hand}, names, index)


def _case_of(board: Path, report: Report, case: str | None) -> tuple[Setting, Case[Any, Any], Mapping[str, str]]:
    """The setting of a board, a case of it with its arrays, and the predictions of it by method, best first."""
    setting, rows = bound_again(board)
    labels = {**chosen_cases(report.leaderboard), **{label: shot.case for label, shot in report.pictures.shots.items()}}
    ran = {row.case for row in rows}
    cases = {one.id: one for one in setting.all_cases if one.id in ran}
    name = labels.get(case, case) if case is not None else next(iter(labels.values()), None)
    if name not in cases:
        raise unknown_name(f"case of {report.caption.title}", str(name), [*labels, *cases])
    predictions = {row.method: row.prediction for row in rows if row.case == name and row.prediction}
    return (
        setting,
        setting.load(cases[name]),
        {method: predictions[method] for method in report.methods if method in predictions},
    )


def _none_at_hand(case: str, report: Report) -> RequestError:
    kept = f", or choose {' or '.join(report.pictures.shots)} without a slice." if report.pictures else "."
    return RequestError(
        f"no prediction of case {case} is in the cache of this machine; `mrbench run` with --repredict makes them{kept}"
    )


def view(board: Path | str, out: Path | str, *, case: str | None = None, methods: Sequence[str] | None = None) -> Path:
    """Write one page with whole volumes of a case: three planes, every method, and their errors.

    Parameters
    ----------
    board : Path
        Folder of a board; the predictions come from the cache of the machine that ran it.
    out : Path
        File to write.
    case : str, optional
        ``median``, ``worst``, or the id of a case. Default: the median one.
    methods : sequence of str, optional
        Default: the best four whose predictions are at hand.

    Raises
    ------
    RequestError
        If the folder is no board, there is no such case or method, or no prediction of it is in the cache.
    """
    check_paths(board=board, out=out)
    check_text(case=case)
    chosen = checked_names("methods", methods)
    report = report_of(board).select(chosen)
    setting, loaded, keys = _case_of(Path(board), report, case)
    task, most = setting.task, setting.task.slices(loaded)
    if not most:
        raise RequestError(f"pictures of {task.name} show no single slice, so there is no volume to look at.")
    volumes: dict[str, np.ndarray] = {}
    for method, key in keys.items():
        if len(volumes) == (len(chosen) or VIEWED):
            break
        if (array := cached_prediction(key)) is not None:
            pictures = [task.picture(loaded, array, index) for index in range(most)]
            volumes[method] = np.stack([picture.prediction for picture in pictures])
    if not volumes:
        raise _none_at_hand(loaded.id, report)
    axis = task.plane(loaded)
    spacing = [float(size) for size in loaded.spacing] if len(loaded.spacing) == 3 else [1.0, 1.0, 1.0]
    shown = Volumes(
        report.caption.title,
        loaded.id,
        np.stack([picture.reference for picture in pictures]),
        np.stack([picture.source for picture in pictures]),
        volumes,
        pictures[0].names,
        (spacing.pop(axis), spacing[0], spacing[1]),
        {method: score_of(report, method, loaded.id) for method in volumes},
    )
    write_volumes(Path(out), shown)
    return Path(out)
