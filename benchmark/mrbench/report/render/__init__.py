"""One module a format: ``NAMES`` that it answers to, ``render(report, look)``, and ``FILE`` if every board has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Protocol, cast

from mrbench.core.arguments import check_number, check_text, check_whole, checked_names
from mrbench.core.errors import RequestError, unknown_name
from mrbench.report.columns import Look

if TYPE_CHECKING:
    from mrbench.report.report import Report

LAYOUTS = ("single", "double", "landscape")


class Format(Protocol):
    """What a module of this folder offers.

    Attributes
    ----------
    NAMES : tuple of str
        The first is the one that lists show.
    FILE : str or None
        Name of the file that every board has; None: written only when asked for.
    LOOK : tuple of str
        What it takes of a `Look`; to ask for the rest is refused.
    """

    NAMES: tuple[str, ...]
    FILE: str | None
    LOOK: tuple[str, ...]

    def render(self, report: Report, look: Look) -> str:
        """Return the text of the table."""


@lru_cache(maxsize=1)
def formats() -> dict[str, Format]:
    """Every format by its first name, in alphabetical order."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return {module.NAMES[0]: cast(Format, module) for module in modules}


def table(
    report: Report,
    *,
    methods: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    digits: int | None = None,
    intervals: bool = True,
    layout: str = "double",
    format: str = "markdown",
    fastest_above: float | None = None,
) -> str:
    """Render the table of a board.

    Parameters
    ----------
    report : Report
        What is shown; `mrbench.table` takes the path to the folder of a board as well.
    methods, metrics : sequence of str, optional
        Only these. Default: all; a table in print leaves out what its width does not hold, and says so.
    digits : int, optional
        Decimals of every metric. Default: what each metric asks for.
    intervals : bool
        Show them beside the means.
    layout : str
        ``single``, ``double`` or ``landscape``: the width of a table in print.
    format : str
        See `formats`: ``csv``, ``markdown``, ``latex``, ``html``, ``terminal``, ``comparisons``, ``challenger``,
        ``grand-challenge``, ``hugging-face``.
    fastest_above : float, optional
        Quality first: only methods whose mean of the first metric is as good as this, the fastest of them first.

    Returns
    -------
    str

    Raises
    ------
    RequestError
        If a name is unknown, or the format cannot hold what was asked for.
    """
    check_text(format=format, layout=layout)
    check_whole(0, 10, digits=digits)
    check_number(fastest_above=fastest_above)
    shown, columns = checked_names("methods", methods), checked_names("metrics", metrics)
    known = {name: module for module in formats().values() for name in module.NAMES}
    if format not in known:
        raise unknown_name("format of tables", format, formats())
    if layout not in LAYOUTS:
        raise unknown_name("layout", layout, LAYOUTS)
    look = Look(digits, intervals, layout)
    for name in (name for name, default in asdict(Look()).items() if getattr(look, name) != default):
        if name not in known[format].LOOK:
            raise RequestError(f"a table as {format} has no {name} to choose; leave it out.")
    chosen = report.select(shown, columns)
    if fastest_above is not None:
        chosen = chosen.fastest(fastest_above)
    if not intervals:
        chosen = replace(chosen, caption=chosen.caption.without_intervals())
    return known[format].render(chosen, look)
