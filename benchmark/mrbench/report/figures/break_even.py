"""What so many cases cost in all: after how many a network's training has paid for itself."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mrbench.core.method import TRAINED
from mrbench.report import escape
from mrbench.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mrbench.report.report import Report

title = "When training has paid for itself"
WIDTH = 3.4
PLOT = 2.2
"""Inches that the plot itself is high."""
EACH = 4
"""Methods of each kind that are drawn where there are more than twice as many."""
LINES = ("-", "--", ":", "-.")
HOUR = 3600.0


def applies(report: Report) -> bool:
    """Where a manifest tells how long a network was trained, and a classical method has a time."""
    kinds = set(costs(report)["kind"])
    return "classical" in kinds and not kinds.isdisjoint(TRAINED)


def draw(report: Report, *, width: float) -> Figure:
    """Draw hours against the number of cases, training counted; dots mark where lines cross.

    Each network is held against the best-ranked classical method that is drawn.
    """
    from matplotlib.lines import Line2D

    table = costs(report)
    unknown = _unknown(report, table)
    if len(table) > 2 * EACH:
        table = table.groupby("kind", sort=False).head(EACH)
    rival = str(table.index[table["kind"] == "classical"][0])
    paid = {str(name): pays_after(line, table.loc[rival]) for name, line in table[table["training"] > 0].iterrows()}
    crossings = [cases for cases in paid.values() if np.isfinite(cases)]
    cases = np.geomspace(1, max([1000.0, *(5 * at for at in crossings)]), 200)
    room = width - 0.55
    labels = [_label(str(name), line, paid, rival, room) for name, line in table.iterrows()]
    absent = _folded(", ".join(unknown), "no manifest tells the whole training", room) if unknown else ""
    labels += [absent] if absent else []
    below = style.LINE * sum(label.count("\n") + 1 for label in labels) + 0.12
    figure, axes = style.canvas(report.caption.title, (width, PLOT + below))
    handles, counts = [], dict.fromkeys(table["kind"], 0)
    for label, (name, line) in zip(labels, table.iterrows(), strict=False):
        kind = str(line["kind"])
        form: dict[str, Any] = {"color": style.colour(kind), "ls": LINES[counts[kind] % len(LINES)]}
        counts[kind] += 1
        axes.plot(cases, (line["training"] + cases * line["seconds"]) / HOUR, **form)
        handles.append(Line2D([], [], label=label, **form))
        if np.isfinite(at := paid.get(str(name), np.inf)):
            axes.plot(at, at * table.at[rival, "seconds"] / HOUR, "o", ms=4, color=form["color"])
    handles += [Line2D([], [], ls="", label=absent)] if absent else []
    axes.set(xscale="log", yscale="log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_xlabel(style.axis_label("cases", width - 0.6))
    axes.set_ylabel("hours, with training")
    axes.grid()
    figure.legend(handles=handles, loc="outside lower left", ncols=1, handlelength=2.0, labelspacing=0.2)
    return figure


def costs(report: Report) -> pd.DataFrame:
    """``kind``, ``training`` (seconds), ``hardware`` of it, and ``seconds`` of a case, where both are known."""
    summary = report.summary
    trained = summary["kind"].isin(TRAINED)
    known = [report.trainings.get(str(weights)) for weights in summary["weights"]]
    training = [None if one is None else one.seconds for one in known]
    table = pd.DataFrame(
        {
            "kind": summary["kind"],
            "training": pd.Series(training, index=summary.index, dtype=float).where(trained, 0.0),
            "hardware": ["" if one is None else one.hardware for one in known],
            "seconds": summary["cpu_seconds_median"].clip(lower=1e-3),
        }
    )
    return table[table["kind"].isin(["classical", *TRAINED]) & (summary["n_failed"] == 0)].dropna()


def pays_after(network: pd.Series, rival: pd.Series) -> float:
    """Cases after which training and prediction cost less than the rival; infinite where the rival is as fast."""
    saved = rival["seconds"] - network["seconds"]
    return float(network["training"] / saved) if saved > 0 else float("inf")


def _label(name: str, line: pd.Series, paid: dict[str, float], rival: str, width: float) -> str:
    """The name, and below it what it costs."""
    text = f"{line['seconds']:.2g} s a case"
    if name in paid:
        text += f", training {line['training'] / HOUR:.2g} h"
        text += f" on {line['hardware']}" if "CPU" not in line["hardware"] else ""
        at = paid[name]
        text += f", paid after {np.ceil(at):,.0f} cases" if np.isfinite(at) else ", never paid"
        text += f" against {escape.plain(rival)}"
    return _folded(name, text, width)


def _folded(name: str, text: str, width: float) -> str:
    return "\n".join([*style.names([name], width), *textwrap.wrap(text, max(20, int(width / style.CHARACTER)))])


def _unknown(report: Report, table: pd.DataFrame) -> list[str]:
    summary = report.summary
    learned = summary.index[summary["kind"].isin(TRAINED) & summary["cpu_seconds_median"].notna()]
    return [str(name) for name in learned if name not in table.index]
