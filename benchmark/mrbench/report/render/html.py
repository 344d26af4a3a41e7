"""The leaderboard as a plain HTML table: for a site or a mail; the page of a board has its own."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from mrbench.report import escape
from mrbench.report.columns import Look, grid

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from mrbench.report.report import Report

NAMES = ("html",)
FILE = None
LOOK = ("digits", "intervals")


def render(report: Report, look: Look) -> str:
    """Return a ``<table>`` with its caption; every text is escaped."""
    return environment().get_template("table.html.j2").render(report=report, grid=grid(report, look))


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates of HTML, which escape whatever they are given."""
    from jinja2 import Environment, PackageLoader

    templates = Environment(
        loader=PackageLoader("mrbench", "report/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    templates.globals["zip"] = zip
    templates.filters["breakable"] = breakable
    return templates


def _clean(value: object) -> object:
    """Text without control characters, which HTML cannot hold; what is marked as safe stays as it is."""
    return escape.plain(value) if type(value) is str else value


def breakable(name: str) -> Markup:
    """A name that may break where its parameters do; the text itself stays as it is."""
    from markupsafe import Markup

    return Markup("<wbr>").join(re.split(r"(?<=[\[,=+_.])", escape.plain(name)))
