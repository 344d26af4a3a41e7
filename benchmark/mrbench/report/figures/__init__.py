"""One module a figure: ``title``, ``applies(report)`` and ``draw(report, ...)``; found by listing this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from inspect import signature
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Protocol, cast

from mrbench.core.errors import RequestError, unknown_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mrbench.report.report import Report

HELPERS = ("style",)
SUFFIXES = ("eps", "jpg", "pdf", "png", "svg", "tif", "webp")


class Kind(Protocol):
    """What a module of this folder offers.

    Attributes
    ----------
    title : str
        For headings.
    WIDTH : float
        Inches at which it is drawn where nobody asks for another width.
    draw : callable
        ``draw(report, *, width, ...)``: of a report of the methods to show, at that width in inches. Further keywords
        are the figure's own options; ``metric`` is one of the report's, by default the one that ranks.
    """

    title: str
    WIDTH: float
    draw: Callable[..., Figure]

    def applies(self, report: Report) -> bool:
        """Whether the report has what the figure shows."""


@lru_cache(maxsize=1)
def kinds() -> dict[str, Kind]:
    """Every figure by its name, in alphabetical order."""
    names = [module.name for module in iter_modules(__path__) if module.name not in HELPERS]
    return {name.replace("_", "-"): cast(Kind, import_module(f"{__name__}.{name}")) for name in names}


def figure(
    report: Report, kind: str, *, methods: Sequence[str] | None = None, width: float | None = None, **options: object
) -> Figure:
    """Draw one figure of a board.

    Parameters
    ----------
    report : Report
        What tables and figures of a board are drawn from.
    kind : str
        See `kinds`: ``distribution``, ``quality-time``, ``by-structure``, ``significance``, ``rank-stability``,
        ``panels``, ``spread``.
    methods : sequence of str, optional
        Only these, in the order of the table; ranks and tests stay those of the whole board.
    width : float, optional
        Inches in print: 3.4 is a column, 7 a page. Text is 7 to 9 pt at every width.
    **options
        What the figure itself takes, for example ``metric`` or ``case``.

    Returns
    -------
    matplotlib.figure.Figure
        Ready for ``savefig``; no global state of matplotlib is touched.

    Raises
    ------
    RequestError
        If there is no such figure, or the board lacks what it shows, or an option is unknown.
    """
    from mrbench.report.figures.style import styled

    name = kind.replace("_", "-")
    if name not in kinds():
        raise unknown_name("figure", kind, kinds())
    module = kinds()[name]
    known = ["methods", *list(signature(module.draw).parameters)[1:]]
    for option in options:
        if option not in known:
            raise unknown_name(f"option of the figure {name}", option, known)
    chosen = report.select(methods)
    if not module.applies(chosen):
        raise RequestError(f"{report.caption.title} has nothing that the figure {name} shows; {_others(chosen)}.")
    if width is not None and not 2 <= width <= 20:
        raise RequestError(f"a figure cannot be {width:g} inches wide; choose 3.4 for a column, 7 for a page.")
    return styled(module.draw)(chosen, width=module.WIDTH if width is None else width, **options)


def written(path: Path, draw: Callable[[], Figure]) -> None:
    """Draw a figure and write it in the format of the file's ending; a wrong ending is refused before drawing.

    Raises
    ------
    RequestError
        If matplotlib writes no such format.
    DataError
        If the file cannot be written.
    """
    from mrbench.io.files import write_atomically
    from mrbench.report.figures.style import saved

    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in SUFFIXES:
        raise unknown_name("ending of a figure", suffix, SUFFIXES)
    content = saved(draw(), suffix)
    with write_atomically(path) as file:
        file.write(content)


def _others(report: Report) -> str:
    return f"choose from: {', '.join(name for name, module in kinds().items() if module.applies(report)) or 'none'}"
