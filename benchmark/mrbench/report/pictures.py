"""``pictures.npz``: the shown slices of the median and the worst case, small enough to be kept with the rows."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mrbench.core.errors import DataError, unknown_name
from mrbench.core.task import Picture
from mrbench.io.files import write_atomically

if TYPE_CHECKING:
    from mrbench.core.case import Case
    from mrbench.core.task import Task
    from mrbench.stats.leaderboard import Leaderboard

FILE = "pictures.npz"
BUDGET = 500_000
"""Bytes of the file; pictures that would need more are halved in size until they fit."""
GRID_STEP = 2
"""Every second line of a deformed grid is kept, at every second pixel."""
LARGEST = 2**28
"""Bytes that a file of pictures may claim to unpack to."""


@dataclass(frozen=True)
class View:
    """What one method made of the shown slice: arrays ``(y, x)``, first axis upwards, float32.

    Attributes
    ----------
    prediction, difference : ndarray
        ``difference`` is signed, in the units of the reference.
    grid : ndarray or None, shape ``(2, y, x)``
        Where every `GRID_STEP`-th pixel lies, in pixels.
    """

    prediction: np.ndarray
    difference: np.ndarray
    grid: np.ndarray | None = None


@dataclass(frozen=True)
class Shot:
    """The shown slice of one case.

    Attributes
    ----------
    case : str
    reference, source : ndarray, shape ``(y, x)``
    views : mapping of str to View
        By method.
    names : tuple of str
        Titles of reference and source.
    compared : str
        What the differences are to.
    scale : float
        How much larger than a single slice it should be shown.
    keys : mapping of str to str
        Of each method, the name of the prediction that is shown.
    index : int or None
        The slice, where somebody chose it.
    """

    case: str
    reference: np.ndarray
    source: np.ndarray
    views: Mapping[str, View]
    names: tuple[str, str] = ("reference", "input")
    compared: str = ""
    scale: float = 1.0
    keys: Mapping[str, str] = field(default_factory=dict)
    index: int | None = None


@dataclass(frozen=True)
class Pictures:
    """The shots of a board by label: ``median``, ``worst``; ``first`` on a board without scores."""

    shots: Mapping[str, Shot] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.shots)

    def shot(self, case: str | None = None) -> Shot:
        """Return the shot of a label or of a case's id; the first one where none is named.

        Raises
        ------
        RequestError
            If there is no such shot.
        """
        by_name = {**{shot.case: shot for shot in self.shots.values()}, **self.shots}
        if case is None and self.shots:
            return next(iter(self.shots.values()))
        if case not in by_name:
            raise unknown_name("case with pictures", case or "", by_name)
        return by_name[case]

    def of(self, predictions: Mapping[tuple[str, str], str | None]) -> Pictures:
        """Keep the views that the rows stand behind.

        Parameters
        ----------
        predictions : mapping
            From method and case to the name of the prediction in the row.
        """
        kept = {}
        for label, shot in self.shots.items():
            views = {
                method: view
                for method, view in shot.views.items()
                if (method, shot.case) in predictions
                and shot.keys.get(method) in (None, predictions[method, shot.case])
            }
            if views:
                kept[label] = replace(shot, views=views)
        return Pictures(kept)

    def over(self, older: Pictures) -> Pictures:
        """Add what an older file shows of the same cases and this one does not, as predictions do not stay cached."""
        shots = dict(self.shots)
        for label, shot in shots.items():
            before = older.shots.get(label)
            if before is not None and before.case == shot.case and before.reference.shape == shot.reference.shape:
                shots[label] = replace(shot, views={**before.views, **shot.views}, keys={**before.keys, **shot.keys})
        return Pictures(shots)


def chosen_cases(board: Leaderboard) -> dict[str, str]:
    """The median and the worst case by the metric that ranks, averaged over methods; without scores, the first case."""
    if not board.cases:
        return {}
    if not board.metrics:
        return {"first": board.cases[0]}
    metric = board.metrics[0]
    means = board.values[metric.name].mean(axis=1) * metric.sign
    order = [str(case) for case in means.sort_values(kind="stable").index]
    return {"median": order[len(order) // 2], "worst": order[0]}


def collect(
    task: Task,
    cases: Mapping[str, Case],
    predictions: Mapping[str, Iterable[tuple[str, np.ndarray]]],
    keys: Mapping[tuple[str, str], str] | None = None,
    index: int | None = None,
) -> Pictures:
    """Ask the task for the pictures of some cases.

    Parameters
    ----------
    task : Task
        What draws the pictures.
    cases : mapping of str to Case
        By label, as `chosen_cases` gives them.
    predictions : mapping of str to iterable
        By label: methods with their checked predictions; read one at a time, so a generator keeps memory small.
    keys : mapping, optional
        From method and case to the name of its prediction.
    index : int, optional
        The slice; default: the task's choice.
    """
    shots = {}
    for label, case in cases.items():
        views: dict[str, View] = {}
        first: Picture | None = None
        for method, prediction in predictions.get(label, ()):
            picture = task.picture(case, prediction) if index is None else task.picture(case, prediction, index)
            first = first or picture
            grid = None if picture.grid is None else picture.grid[:, ::GRID_STEP, ::GRID_STEP].astype(np.float32)
            views[method] = View(_float(picture.prediction), _float(picture.difference), grid)
        if first is None:
            continue
        known = {method: key for method in views if (key := (keys or {}).get((method, case.id)))}
        shots[label] = Shot(
            case.id,
            _float(first.reference),
            _float(first.source),
            views,
            first.names,
            first.compared,
            first.scale,
            known,
            index,
        )
    return Pictures(shots)


def update(
    path: Path,
    board: Leaderboard,
    predictions: Mapping[tuple[str, str], str | None],
    task: Task,
    load_case: Callable[[str], Case],
    load_prediction: Callable[[str], np.ndarray | None],
) -> Pictures:
    """Bring the pictures of a board up to its rows, from the predictions that are at hand, and write them.

    Parameters
    ----------
    path : Path
        Of ``pictures.npz``; what it shows already is kept as far as the rows stand behind it.
    board : Leaderboard
        Chooses cases and methods.
    predictions : mapping
        From method and case to the name of the prediction that the row scored.
    task : Task
        What draws the pictures.
    load_case : callable
        From the id of a case to its arrays; called only for cases of which something is missing.
    load_prediction : callable
        From the name of a prediction to its array, or None where it is not at hand any more.

    Returns
    -------
    Pictures

    Raises
    ------
    DataError
        If a case cannot be loaded, or the file cannot be written.
    """
    chosen = chosen_cases(board)
    try:
        before = load(path)
    except DataError:
        before = Pictures()
    kept = Pictures({label: shot for label, shot in before.shots.items() if chosen.get(label) == shot.case})
    kept = kept.of(predictions)
    missing = {
        label: [
            (method, key)
            for method in map(str, board.summary.index)
            if (key := predictions.get((method, case))) is not None
            and (label not in kept.shots or kept.shots[label].keys.get(method) != key)
        ]
        for label, case in chosen.items()
    }
    at_hand = {
        label: ((method, array) for method, key in wanted if (array := load_prediction(key)) is not None)
        for label, wanted in missing.items()
    }
    cases = {label: load_case(chosen[label]) for label, wanted in missing.items() if wanted}
    keys = {place: key for place, key in predictions.items() if key is not None}
    fresh = collect(task, cases, at_hand, keys)
    pictures = Pictures({**kept.shots, **fresh.over(kept).shots})
    if fresh or pictures.shots.keys() != before.shots.keys():
        save(path, pictures)
        return load(path)  # in 8 bit, as every later page draws them
    return pictures


def save(path: Path, pictures: Pictures) -> None:
    """Write pictures in 8 bit, at most `BUDGET` bytes; intensities are clipped to [0, 1].

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    content, shrink = _packed(pictures, 1), 1
    while len(content) > BUDGET and shrink < 16:
        shrink *= 2
        content = _packed(pictures, shrink)
    with write_atomically(path) as file:
        file.write(content)


def load(path: Path) -> Pictures:
    """Read pictures; none where there is no such file.

    Raises
    ------
    DataError
        If the file is damaged, or not such a file.
    """
    if not path.is_file():
        return Pictures()
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise ValueError("it claims to unpack to more than any board needs")
        with np.load(path, allow_pickle=False) as arrays:
            index = json.loads(arrays["index"].tobytes())
            return Pictures({label: _unpacked(label, facts, arrays) for label, facts in index.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path} holds no pictures of mrbench ({error}); run the board again, or delete it.") from None


def _packed(pictures: Pictures, shrink: int) -> bytes:
    index: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for label, shot in pictures.shots.items():
        views = [_shrunk(view, shrink) for view in shot.views.values()]
        limit = max((float(np.abs(view.difference).max()) for view in views), default=0.0) or 1.0
        arrays[f"{label}.reference"] = _bytes(_smaller(shot.reference, shrink))
        arrays[f"{label}.source"] = _bytes(_smaller(shot.source, shrink))
        arrays[f"{label}.prediction"] = np.stack([_bytes(view.prediction) for view in views])
        arrays[f"{label}.difference"] = np.stack([_signed(view.difference, limit) for view in views])
        reach = 1.0
        if all(view.grid is not None for view in views):
            moved = np.stack([view.grid - _rest(view.grid) for view in views if view.grid is not None])
            reach = float(np.abs(moved).max()) or 1.0
            arrays[f"{label}.grid"] = np.stack([_signed(one, reach) for one in moved])
        index[label] = {
            "case": shot.case,
            "methods": list(shot.views),
            "names": list(shot.names),
            "compared": shot.compared,
            "scale": shot.scale,
            "limit": limit,
            "reach": reach,
            "shrink": shrink,
            "keys": dict(shot.keys),
        }
    out = io.BytesIO()
    np.savez_compressed(out, index=np.frombuffer(json.dumps(index).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def _unpacked(label: str, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Shot:
    reference, source, predictions, differences = (
        arrays[f"{label}.{name}"] for name in ("reference", "source", "prediction", "difference")
    )
    shape = reference.shape
    if reference.ndim != 2 or source.shape != shape or predictions.shape != differences.shape:
        raise ValueError("its arrays do not fit together")
    if predictions.shape != (len(facts["methods"]), *shape):
        raise ValueError("its arrays do not fit its list of methods")
    grids = arrays.get(f"{label}.grid")
    views = {}
    for at, method in enumerate(facts["methods"]):
        grid = None
        if grids is not None:
            moved = grids[at].astype(np.float32) * (facts["reach"] / 127)
            grid = moved + _rest(moved)
        views[str(method)] = View(
            predictions[at].astype(np.float32) / 255, differences[at].astype(np.float32) * (facts["limit"] / 127), grid
        )
    first, second = (str(name) for name in facts["names"])
    return Shot(
        str(facts["case"]),
        reference.astype(np.float32) / 255,
        source.astype(np.float32) / 255,
        views,
        (first, second),
        str(facts["compared"]),
        float(facts["scale"]),
        dict(facts["keys"]),
    )


def _shrunk(view: View, shrink: int) -> View:
    if shrink == 1:
        return view
    grid = None if view.grid is None else view.grid[:, ::shrink, ::shrink] / shrink
    return View(_smaller(view.prediction, shrink), _smaller(view.difference, shrink), grid)


def _smaller(image: np.ndarray, shrink: int) -> np.ndarray:
    """Means of blocks."""
    if shrink == 1:
        return image
    from skimage.measure import block_reduce

    return np.asarray(block_reduce(image, shrink, np.mean), np.float32)


def _rest(grid: np.ndarray) -> np.ndarray:
    """The grid that nothing has moved."""
    return np.indices(grid.shape[-2:], dtype=np.float32) * GRID_STEP


def _float(image: np.ndarray) -> np.ndarray:
    return np.asarray(image, np.float32)


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _signed(values: np.ndarray, limit: float) -> np.ndarray:
    return np.rint(np.clip(values / limit, -1, 1) * 127).astype(np.int8)
