"""How figures look: one style for screen and print, and how it is saved."""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar

from mrbench.report import escape
from mrbench.report.names import fold

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

COLOURS = {"classical": "#0072B2", "learned": "#D55E00", "learned + optimised": "#CC79A7", "external": "#009E73"}
"""Four of Okabe and Ito's, told apart by every kind of colour vision; markers differ, too."""
OTHER = "#555555"
MARKERS = {"classical": "o", "learned": "s", "learned + optimised": "P", "external": "^"}
SEQUENTIAL, DIVERGING = "cividis", "RdBu_r"

SMALL, NORMAL = 7.0, 8.0
"""Points at the printed width."""
LINE = 0.135
"""Inches from one line of small text to the next."""
CHARACTER = 0.062
"""Inches that a character of small text is wide, on average and a little more."""

RC = {
    "font.size": SMALL,
    "text.parse_math": False,
    "axes.labelsize": NORMAL,
    "axes.titlesize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.handletextpad": 0.3,
    "legend.columnspacing": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "grid.color": "0.88",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "lines.linewidth": 1.0,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "mrbench",
    "savefig.dpi": 300,
}

FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Source Han Sans SC", "WenQuanYi Zen Hei"),
    *("WenQuanYi Micro Hei", "PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo"),
    *("Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS"),
)
"""Of Linux, macOS and Windows, for letters that DejaVu lacks: those of Chinese, Japanese and Korean."""

Draw = TypeVar("Draw", bound=Callable[..., Any])


def styled(draw: Draw) -> Draw:
    """Draw in the style of mrbench, whatever the user's matplotlibrc says."""

    @wraps(draw)
    def in_style(*arguments: object, **options: object) -> object:
        with _style():
            return draw(*arguments, **options)

    return in_style  # type: ignore[return-value]


@contextmanager
def _style() -> Iterator[list[str]]:
    """The style, and the letters that no font here has, of which matplotlib else warns one by one, again and again."""
    import matplotlib

    missing: list[str] = []
    fonts = {"font.family": ["DejaVu Sans", *_other_fonts()]}
    with matplotlib.rc_context({**RC, **fonts}), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield missing
    for warning in caught:
        if letter := re.match(r"Glyph (\d+) .* missing from font", str(warning.message)):
            missing.append(chr(int(letter[1])))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


@cache
def _other_fonts() -> list[str]:
    """Those of `FONTS` that are installed."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return [name for name in FONTS if name in installed]


def canvas(title: str, size: tuple[float, float], **grid: object) -> tuple[Figure, Any]:
    """A figure of ``size`` inches below its title, which is folded, never cut.

    Parameters
    ----------
    title : str
        What the figure is of, and whether that is simulated or limited.
    size : tuple of float
        Width of the whole, height of what stands below the title.
    **grid
        As of ``Figure.subplots``.
    """
    from matplotlib.figure import Figure

    width, height = size
    lines = heading_lines(title, width)
    figure = Figure(figsize=(width, height + LINE * 1.15 * len(lines)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)  # type: ignore[union-attr,call-arg]
    figure.suptitle("\n".join(lines), fontsize=NORMAL, x=0.01, ha="left")
    options: dict[str, Any] = grid
    return figure, figure.subplots(**options)


def heading_lines(text: str, width: float) -> list[str]:
    """A title in lines of ``width`` inches, whole words and nothing cut."""
    return textwrap.wrap(escape.plain(text), max(20, int(width / (CHARACTER * NORMAL / SMALL)))) or [""]


def names(methods: Sequence[str], width: float) -> list[str]:
    """Names of methods in lines of ``width`` inches."""
    return ["\n".join(fold(escape.plain(method), max(8, int(width / CHARACTER)))) for method in methods]


def name_width(methods: Sequence[str], width: float, share: float = 0.36) -> float:
    """Inches for the names of methods beside a plot: what the longest needs, at most a share of the width."""
    return min(max((len(method) for method in methods), default=0) * CHARACTER, share * width)


def heights(labels: Sequence[str], least: float = 0.19) -> list[float]:
    """Inches of the row of each label, so that folded names never overlap."""
    return [max(least, LINE * (label.count("\n") + 1) + 0.05) for label in labels]


def centres(rows: Sequence[float]) -> list[float]:
    """Where the middle of each row lies, from the top down."""
    at, middles = 0.0, []
    for row in rows:
        middles.append(at + row / 2)
        at += row
    return middles


def kind_legend(figure: Figure, kinds: Sequence[str], *, extra: Sequence[Any] = ()) -> None:
    """Say below the plot what colours and markers are."""
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker=marker(kind), ls="", ms=4, color=colour(kind), label=kind)
        for kind in dict.fromkeys(kinds)
    ]
    marks += extra
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))


def axis_label(text: str, width: float) -> str:
    """The label of an axis of ``width`` inches, in as many lines as it takes."""
    return "\n".join(textwrap.wrap(text, max(12, int(width / (CHARACTER * NORMAL / SMALL)))))


def outside_layout(texts: Iterable[Text]) -> None:
    """Texts that stand inside a plot: measuring each of them would take longer than drawing."""
    for text in texts:
        text.set_in_layout(False)


def colour(kind: str) -> str:
    """Colour of a kind of method."""
    return COLOURS.get(kind, OTHER)


def marker(kind: str) -> str:
    """Marker of a kind of method."""
    return MARKERS.get(kind, "D")


def row_axis(axes: Axes, labels: Sequence[str], rows: Sequence[float]) -> None:
    """Label the rows of a plot, the first on top."""
    axes.set_yticks(centres(rows), labels)
    axes.set_ylim(sum(rows), 0)
    axes.tick_params(axis="y", length=0)


def saved(figure: Figure, suffix: str, *, stamp: str = "", dpi: float = 300) -> bytes:
    """The bytes of a figure: the same rows give the same bytes.

    Parameters
    ----------
    figure : Figure
        What to save.
    suffix : str
        ``pdf``, ``svg``, ``png`` or any other that matplotlib writes.
    stamp : str
        Recorded in the file as what made it.
    dpi : float
        Pixels an inch, of formats that have pixels.
    """
    keys: dict[str, dict[str, Any]] = {
        "pdf": {"Creator": stamp or "mrbench", "CreationDate": None},
        "svg": {"Creator": stamp or "mrbench", "Date": None},
        "png": {"Software": stamp or "mrbench"},
    }
    out = io.BytesIO()
    with _style() as missing:
        figure.savefig(out, format=suffix, dpi=dpi, metadata=keys.get(suffix))
        figure.set_layout_engine("none")  # it is laid out now: another format need not do it again
    content = out.getvalue()
    if missing and suffix != "svg":
        letters = "".join(dict.fromkeys(missing))
        warnings.warn(f"no font here draws {letters}; install one that does, such as Noto Sans CJK.", stacklevel=2)
    if suffix == "svg":  # text stays text, so a viewer without DejaVu needs a font as wide
        content = re.sub(rb"'DejaVu Sans'(, '[^']*')*", b"'DejaVu Sans', Verdana, sans-serif", content)
    return content
