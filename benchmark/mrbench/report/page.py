"""The page of a board: one self-contained HTML file that opens offline, asks no network and needs no mouse."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mrbench import __version__
from mrbench.io.files import write_atomically
from mrbench.report.columns import Look, grid, heading
from mrbench.report.published import beside, published
from mrbench.report.render import formats
from mrbench.report.render.csv import to_csv
from mrbench.report.render.html import environment
from mrbench.report.viewer import data_url, shots

if TYPE_CHECKING:
    from mrbench.report.report import Report
    from mrbench.report.sheet import Sheet

FILE = "report.html"
MOST_NUMBERS = 60_000
"""Scores of single cases that a page holds; a larger board shows those of the metric that ranks, or none."""


def write_page(path: Path, report: Report, stamp: str) -> None:
    """Draw the figures that apply and write the page with them inside.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    html = (
        environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            stamp=stamp,
            grid=grid(report),
            heading=heading,
            figures=drawn(report),
            data=page_data(report),
            card=card(report),
            downloads=downloads(report),
            comparisons=_comparisons(report),
            failures=_failures(report),
            published=_published(report),
            protocol=list(in_words(report.facts.protocol)),
            script=_part("page.js"),
            css=_part("page.css"),
        )
    )
    with write_atomically(path) as file:
        file.write(html.encode("utf-8", "replace"))


def stamp_of(report: Report) -> str:
    """Names all that a page is drawn from, so that nothing is drawn again for the same."""
    digest = hashlib.sha256(f"{__version__}|{report.caption}|{report.facts}".encode("utf-8", "replace"))
    for name, column in report.frame.drop(columns=["run", "prediction"]).items():
        digest.update(f"|{name}|".encode("utf-8", "replace"))
        digest.update(_bytes_of(column))
    digest.update(published(report.task, report.track).to_json(orient="split").encode())
    for label, shot in report.pictures.shots.items():
        digest.update(f"{label}|{shot.case}|{list(shot.views)}".encode("utf-8", "replace"))
        for image in (shot.reference, shot.source, *(view.prediction for view in shot.views.values())):
            digest.update(image.tobytes())
    return f"mrbench-{digest.hexdigest()[:16]}"


def _bytes_of(column: pd.Series) -> bytes:
    """What a column holds; equal columns have equal bytes."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return (
            f"{list(column.cat.categories)}".encode("utf-8", "replace") + column.cat.codes.to_numpy(np.int32).tobytes()
        )
    if column.dtype != object:
        return column.to_numpy().tobytes()
    different = {id(one): one for one in column}  # many rows share one object
    texts = {at: str(one) for at, one in different.items()}
    return "|".join(texts[id(one)] for one in column).encode("utf-8", "replace")


def stamp_in(path: Path) -> str | None:
    """The stamp of a page on disk; None where there is no page of mrbench."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        match = re.search(rb'<meta name="generator" content="(mrbench-[0-9a-f]{16})">', file.read(2000))
    return match.group(1).decode() if match else None


def drawn(report: Report) -> list[dict[str, str]]:
    """The figures of a board as data URLs."""
    from mrbench.report.figures import figure, kinds
    from mrbench.report.figures.style import saved

    shown = []
    for name, module in sorted(kinds().items(), key=lambda kind: kind[1].WIDTH):
        if not module.applies(report):
            continue
        if name == "panels":
            for label, shot in report.pictures.shots.items():
                if any(method in shot.views for method in report.methods):
                    image = _webp(saved(figure(report, name, case=label), "png", dpi=160))
                    shown.append(
                        {"name": f"panels-{label}", "title": f"The {label} case, {shot.case}", "source": image}
                    )
            continue
        svg = saved(figure(report, name), "svg")
        shown.append({"name": name, "title": module.title, "source": data_url(svg, "image/svg+xml")})
    return shown


def _webp(png: bytes) -> str:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(png)) as image, io.BytesIO() as out:
        image.convert("RGB").save(out, "WEBP", quality=85)
        return data_url(out.getvalue(), "image/webp")


def page_data(report: Report) -> dict[str, Any]:
    """What the script of the page works on."""
    board = report.leaderboard
    metrics = list(report.metrics)
    size = len(board.cases) * len(report.methods)
    kept = metrics if size * len(metrics) <= MOST_NUMBERS else metrics[:1] if size <= MOST_NUMBERS else []
    return {
        "methods": report.methods,
        "kinds": report.summary["kind"].astype(str).tolist(),
        "metrics": [
            {"name": m.name, "title": heading(m), "digits": m.decimals, "sign": m.sign, "ranked": m.ranked}
            for m in kept
        ],
        "cases": [str(case) for case in board.cases] if kept else [],
        "values": {
            m.name: {
                method: [_short(value) for value in board.values[m.name][method]]
                for method in report.methods
                if method in board.values[m.name]
            }
            for m in kept
        },
        "failures": [[f["method"], f["case"], f["status"], f["message"]] for f in _failures(report)],
        "shots": shots(report),
    }


def _short(value: float) -> float | None:
    return None if value != value or abs(value) == float("inf") else float(f"{value:.6g}")


def card(report: Report) -> dict[str, Any]:
    """What an index says of the board."""
    best = report.methods[0] if report.methods else ""
    score = ""
    if best and report.metrics:
        metric = report.metrics[0]
        score = f"{heading(metric)} {report.leaderboard.cells[metric.name].at[best, 'mean']:.{metric.decimals}f}"
    return {
        "task": report.task,
        "track": report.track,
        "dataset": report.dataset,
        "split": report.split,
        "title": report.caption.title,
        "simulation": report.facts.simulation,
        "methods": len(report.methods),
        "cases": len(report.leaderboard.cases),
        "failed": int(report.summary["n_failed"].sum()),
        "best": best,
        "score": score,
        "protocol": report.leaderboard.protocol,
    }


def downloads(report: Report) -> list[tuple[str, str]]:
    """Every table with its numbers, as file name and data URL."""
    tables = [(str(module.FILE), module.render(report, Look())) for module in formats().values() if module.FILE]
    scores = report.frame[["method", "case", "status", *(metric.name for metric in report.metrics)]]
    if len(scores) * max(len(report.metrics), 1) <= MOST_NUMBERS:
        tables.append(("cases.csv", to_csv(scores.astype({"method": str, "case": str, "status": str}))))
    return [(name, data_url(text.encode("utf-8", "replace"), _TYPES[Path(name).suffix])) for name, text in tables]


_TYPES = {".csv": "text/csv", ".md": "text/markdown", ".tex": "application/x-tex"}


def _comparisons(report: Report) -> list[dict[str, Any]]:
    """The pairs of the metric that ranks, in words: who is better, by how much, how sure that is."""
    if not report.metrics:
        return []
    metric = report.metrics[0]
    pairs = report.leaderboard.comparisons
    form = f"+.{metric.decimals}f"
    return [
        {
            "first": pair.first,
            "second": pair.second,
            "difference": f"{pair.difference:{form}}",
            "interval": "" if pair.low != pair.low else f"[{pair.low:{form}}, {pair.high:{form}}]",
            "wins": f"{pair.wins} of {pair.n}",
            "p": "–" if pair.p_holm != pair.p_holm else f"{pair.p_holm:.2g}",
            "separable": bool(pair.separable),
        }
        for pair in pairs[pairs["metric"] == metric.name].itertuples()
    ]


def _published(report: Report) -> Sheet | None:
    """The board's means beside the literature's figures for its track, where some are known."""
    return None if published(report.task, report.track).empty else beside(report)


def _failures(report: Report) -> list[dict[str, str]]:
    rows = report.frame[~report.frame["status"].isin(["ok", "skipped"])]
    return [
        {name: str(row[name]) for name in ("method", "case", "status", "message")}
        for row in rows[["method", "case", "status", "message"]].to_dict("records")
    ]


def in_words(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as pairs of words: ``label_warp: nearest`` becomes ``label warp``, ``nearest``."""
    pairs: list[tuple[str, str]] = []
    for name, value in settings.items():
        words = f"{prefix}{str(name).replace('_', ' ')}"
        if isinstance(value, Mapping) and value and all(isinstance(one, Mapping) for one in value.values()):
            pairs += in_words(value, f"{words}: ")
        elif isinstance(value, Mapping) and name == "settings":
            pairs += in_words(value)
        elif isinstance(value, Mapping):
            pairs.append((words, "; ".join(f"{key}: {_listed(item)}" for key, item in value.items()) or "none"))
        else:
            pairs.append((words, _listed(value)))
    return pairs


def _listed(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_listed, value)) or "none"
    return (
        {True: "yes", False: "no", None: "none"}.get(value, str(value))
        if isinstance(value, bool | None)
        else str(value)
    )


def _part(name: str) -> str:
    source, _, _ = environment().loader.get_source(environment(), name)  # type: ignore[union-attr]
    return str(source)
